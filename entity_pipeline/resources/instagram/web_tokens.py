"""The tokens of the site that some of its queries carry, kept for a while by session.

Instaloader reads them from the start page, which is one more request, and keeps them as long as its context: here, one
attempt. Nothing is stored: they are as secret as the cookies.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entity_pipeline.resources.instagram.context import GovernedContext

KEPT_S = 600.0  # their life is not known; other clients keep them this long


@dataclass(frozen=True, slots=True)
class WebTokens:
    """Tokens by the cookie of the session; serves any number of threads."""

    clock: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict, repr=False)

    @contextmanager
    def lent(self, context: "GovernedContext") -> Iterator[None]:
        """Give the context the tokens of its session, and keep those that it reads; a failure drops those given."""
        cache = context._web_api_tokens_cache  # noqa: SLF001 - there is no public way to pass them
        session = context._session.cookies.get_dict().get("sessionid", "")  # noqa: SLF001
        read_at, tokens = self._kept.get(session, (0.0, {}))
        given = bool(tokens) and self.clock() - read_at < KEPT_S
        if given:
            cache[session] = tokens
        try:
            yield
        except Exception:
            if given:
                self._kept.pop(session, None)
            raise
        finally:
            if not given and session in cache:
                self._kept[session] = (self.clock(), cache[session])
