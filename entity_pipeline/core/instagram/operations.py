"""Operations are values: what to ask Instagram for, without who asks or how.

Each has a file of its own beside this one with the value that it returns, and a handler of the same name in
`resources/instagram/operations`.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

R = TypeVar("R")


class Operation(ABC, Generic[R]):
    """Something that `InstagramSession.run` can do; `R` is the value of its result when the target is found."""

    name: ClassVar[str]
    __slots__ = ()

    @property
    @abstractmethod
    def target(self) -> str:
        """What the request is about, as the log of requests has it. No secret, no signed address."""
