"""Instaloader's context with every session it makes under the governed adapter. Importing this imports
Instaloader.

Proxies set on the context's session are dropped by Instaloader for pages, GraphQL and the mobile API; here
each session is given its own. Its waits are switched off: waiting is the scheduler's job.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import requests
from instaloader import InstaloaderContext, RateController

from entity_pipeline.resources.instagram.adapter import GovernedAdapter, RequestStopped


class _NoWaiting(RateController):
    def wait_before_query(self, query_type: str) -> None:
        """Return at once: the slot was taken before."""

    def handle_429(self, query_type: str) -> None:
        """Return at once: the governor lets the account cool."""

    def sleep(self, secs: float) -> None:
        """Return at once."""


class GovernedContext(InstaloaderContext):
    """One attempt's context: quiet, no retries, no waits, no files.

    Args:
        adapter: Takes every request.
        timeout_s: Seconds for connecting, and for each read.
        proxy: Proxy URL for every session, with its credentials, or None for the direct route.
    """

    def __init__(self, adapter: GovernedAdapter, *, timeout_s: float, proxy: str | None = None) -> None:
        self._adapter = adapter
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self.last_json: Any = None  # the answer of the last `get_json`, None while there is none
        super().__init__(
            sleep=False,
            quiet=True,
            max_connection_attempts=1,
            request_timeout=timeout_s,
            rate_controller=_NoWaiting,
            iphone_support=False,
        )

    def get_anonymous_session(self) -> requests.Session:
        """A session without cookies, governed."""
        return self._govern(super().get_anonymous_session())

    def load_session(self, username: str, sessiondata: Mapping[str, str]) -> None:
        """Use the cookies of a logged-in session, governed."""
        super().load_session(username, dict(sessiondata))
        self._govern(self._session)

    def get_json(
        self,
        path: str,
        params: dict[str, Any],
        host: str = "www.instagram.com",
        session: requests.Session | None = None,
        response_headers: dict[str, Any] | None = None,
        use_post: bool = False,
    ) -> dict[str, Any]:
        """Instaloader's own, with a session it copied brought under the adapter as well."""
        self.last_json = None
        governed = None if session is None else self._govern(session)
        answer: dict[str, Any] = super().get_json(path, params, host, governed, response_headers, use_post)
        self.last_json = answer
        return answer

    def load_session_from_file(self, username: str, sessionfile: Any) -> NoReturn:
        """Refused: a session file is a pickle, and loading one runs code."""
        raise RequestStopped("session files are not loaded")

    def login(self, user: str, passwd: str) -> NoReturn:
        """Refused: a login would go past the governor."""
        raise RequestStopped("the pipeline does not log in")

    def close(self) -> None:
        """Close the session; the adapter, which is shared, stays open."""
        self._session.close()

    def log(self, *msg: Any, **_: Any) -> None:
        """Print nothing."""

    def error(self, msg: Any, repeat_at_end: bool = True) -> None:
        """Print nothing: the outcome reports the error."""

    def _govern(self, session: requests.Session) -> requests.Session:
        for prefix in list(session.adapters):
            session.mount(prefix, self._adapter)
        session.trust_env = False
        session.max_redirects = 3
        session.proxies = dict(self._proxies)
        return session
