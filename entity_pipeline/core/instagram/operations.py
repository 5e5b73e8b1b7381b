"""Operations are values: what to ask Instagram for, without who asks or how.

Each has a file of its own beside this one with the value that it returns, and a handler of the same name in
`resources/instagram/operations`.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

R = TypeVar("R")


class Operation(ABC, Generic[R]):
    """A request that `InstagramSession.run` can make; `R` is the value of its result when the target is found."""

    name: ClassVar[str]
    __slots__ = ()

    @property
    @abstractmethod
    def target(self) -> str:
        """The subject of the request for the request log: never a secret or a signed address."""
