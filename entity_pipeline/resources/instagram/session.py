"""A governed session of one domain: runs operations, each attempt with a seat, its secrets and its canary.

A request that can't be sent within seconds is deferred; without the ledger nothing is sent at all. The requests of an
operation are in `operations/`, the choice of a seat in `seating.py` and `governor.py`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

import psycopg

from entity_pipeline.core.failures import ConfigurationFailure, DatabaseUnavailable
from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.results import Deferred, Result
from entity_pipeline.core.reasons import Reason
from entity_pipeline.resources.instagram.handlers import OpenHandler, SeatedHandler, handler_of
from entity_pipeline.resources.instagram.reasons import reason
from entity_pipeline.resources.instagram.seating import Seating
from entity_pipeline.resources.instagram.seats import Busy, Grant, Purpose
from entity_pipeline.resources.instagram.session_secrets import Identity, SessionSecrets
from entity_pipeline.resources.instagram.spans import note_ended, note_grant, operation_span
from entity_pipeline.resources.instagram.web_tokens import WebTokens

if TYPE_CHECKING:
    from entity_pipeline.resources.instagram.attempt import Attempted

REQUEST_TIMEOUT_S = 20.0
_RETRY = timedelta(minutes=5)
_BROKEN_RETRY = timedelta(minutes=15)

R = TypeVar("R")


@dataclass(frozen=True)
class _Task(Generic[R]):
    """One attempt that is about to be made."""

    operation: Operation[R]
    handler: SeatedHandler[R]
    purpose: Purpose
    deadline: datetime


@dataclass(frozen=True, slots=True)
class GovernedSession:
    """A `core.instagram.access.InstagramSession`; serves any number of threads.

    Args:
        domain: Key of the domain that asks.
        seating: Gives seats and counts requests.
        session_keys: Keys of the pool's secrets, comma separated.
        base_url: If given, the server that takes every connection.
    """

    domain: str
    seating: Seating
    session_keys: str | None = field(default=None, repr=False)
    base_url: str | None = None
    # Operations and sources that did not find the canary in this session.
    _blind: set[tuple[str, str]] = field(default_factory=set, repr=False)
    _tokens: WebTokens = field(default_factory=WebTokens, repr=False)

    def run(self, operation: Operation[R], deadline: datetime) -> Result[R] | Deferred:
        """One governed attempt, and one for the canary after "not found"; see `InstagramSession.run`."""
        ended = self.run_once(operation, deadline)
        if isinstance(ended, Deferred) or ended.finding is not Finding.NOT_FOUND or not ended.source:
            return ended
        return replace(ended, canary=self._canary(operation, ended, deadline))

    def run_once(self, operation: Operation[R], deadline: datetime) -> Result[R] | Deferred:
        """One governed attempt without a canary. Never raises."""
        try:
            return self._attempt(operation, deadline)
        except (psycopg.Error, DatabaseUnavailable) as error:
            return self._deferred(reason("ledger_unusable", kind=type(error).__name__))
        except ConfigurationFailure as failure:
            return self._deferred(reason("misconfigured", failure=str(failure)), _BROKEN_RETRY)
        except Exception as error:  # noqa: BLE001 - the port promises that Instagram never stops a run
            return self._deferred(reason("broke_off", kind=type(error).__name__), _BROKEN_RETRY)

    def _attempt(self, operation: Operation[R], deadline: datetime) -> Result[R] | Deferred:
        handler = handler_of(operation)
        if self.seating.clock() >= deadline:
            return self._deferred(reason("time_is_over"))
        purpose = Purpose(self.domain, operation.name, operation.target)
        if isinstance(handler, OpenHandler):
            return self._fetch(operation, handler, purpose)
        refused = handler.refuses(operation)
        if refused is not None:
            return Result(Finding.NOT_FOUND, seat=SeatOutcome.UNCLEAR, detail=refused)
        secrets = SessionSecrets(self.session_keys)
        with operation_span(operation.name) as span:
            began = time.monotonic()
            grant = self.seating.take(
                purpose, handler.first_host, deadline, needs_session=handler.needs_session
            )
            note_grant(span, grant, time.monotonic() - began)
            if isinstance(grant, Busy):
                return Deferred(grant.reason, grant.next_at)
            ended = self._use(grant, secrets, _Task(operation, handler, purpose, deadline))
            note_ended(span, ended)
            return ended

    def _use(self, grant: Grant, secrets: SessionSecrets, task: _Task[R]) -> Result[R] | Deferred:
        seat, slots, unsent = grant.seat, [grant.slot], [grant.slot]

        def before_send(host: str) -> None:
            if unsent:
                unsent.clear()
            else:
                slots.append(self.seating.another_slot(seat, task.purpose, host, task.deadline))

        learned, with_session = None, False
        try:
            done = self._send(secrets.identity(seat), task, before_send)
            learned, with_session = done.learned, done.with_session
            seen = learned or SeatOutcome.UNCLEAR
            return Result(done.finding, done.value, seen, done.detail, seat.source, seat.account)
        except ConfigurationFailure as failure:
            return self._deferred(reason("secret_unreadable", source=seat.source, failure=str(failure)))
        finally:
            self.seating.give_back(seat, slots, learned, with_session=with_session)

    def _send(self, identity: Identity, task: _Task[R], before_send: Callable[[str], None]) -> "Attempted[R]":
        from entity_pipeline.resources.instagram.attempt import attempt

        left_s = (task.deadline - self.seating.clock()).total_seconds()
        return attempt(
            task.handler,
            task.operation,
            identity,
            before_send=before_send,
            timeout_s=min(REQUEST_TIMEOUT_S, max(1.0, left_s)),
            base_url=self.base_url,
            tokens=self._tokens,
        )

    def _fetch(
        self, operation: Operation[R], handler: OpenHandler[R], purpose: Purpose
    ) -> Result[R] | Deferred:
        host = handler.host(operation)
        if host is None:  # the address is refused, so nothing will be sent
            return handler.fetch(operation, self.base_url)
        slot = self.seating.note(purpose, host)
        if isinstance(slot, Busy):
            return Deferred(slot.reason, slot.next_at)
        ended = handler.fetch(operation, self.base_url)
        self.seating.settle(slot, ended.seat)
        return ended

    def _canary(self, operation: Operation[R], ended: Result[R], deadline: datetime) -> bool | None:
        """Whether the seat that said "not found" still finds a target that exists; None when it can't be asked now.

        It is asked after each "not found" and through the same seat: a block shows a 404 too, it may have begun a
        moment ago, and another route says nothing about this one.
        """
        handler = handler_of(operation)
        if isinstance(handler, OpenHandler) or handler.canary is None:
            return None
        source = (operation.name, ended.source)
        if source in self._blind:
            return False
        seen: Result[R] | Deferred = ended
        if operation.target != handler.canary.target:
            seen = self._by_account(ended.account).run_once(handler.canary, deadline)
        if isinstance(seen, Deferred):
            return None
        if seen.finding is not Finding.FOUND:
            self._blind.add(source)
            return False
        return True if seen.source == ended.source else None

    def _by_account(self, account: str | None) -> "GovernedSession":
        return self if account is None else replace(self, seating=replace(self.seating, only=account))

    def _deferred(self, why: Reason, retry: timedelta = _RETRY) -> Deferred:
        return Deferred(why, self.seating.clock() + retry)
