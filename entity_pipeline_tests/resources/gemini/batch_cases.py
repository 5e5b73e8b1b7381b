"""What the tests of batches start from: a stand-in, the resource over it, and calls with pictures."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from entity_pipeline.core.gemini.batch import BatchEnded, BatchTicket, BatchWaits
from entity_pipeline.core.gemini.call import Call, Claim
from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered
from entity_pipeline.core.gemini.pictures import Picture
from entity_pipeline.core.gemini.request import Generation, Request, Text
from entity_pipeline.core.ports import Database
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.sandbox.gemini_standin import GeminiStandin
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.resources.gemini.ledger_cases import STEP, Kind, limit

MODEL = "gemini-3.5-flash-lite"
# Per million tokens, by Google's price list and not by the registry.
BATCH_PRICE = {
    MODEL: (Decimal("0.15"), Decimal("1.25")),
    "gemini-2.5-flash-lite": (Decimal("0.05"), Decimal("0.20")),
}
PICTURE = Picture.of(b"\xff\xd8" + bytes(1_000), "image/jpeg")


def call_about(subject: str, *, model: str = MODEL, version: str = "1", **changes: Any) -> Call:
    request = Request(
        model=model,
        system="Be exact.",
        parts=(Text(f"Who is {subject}? 누구 \U0001f9f5 \u2028"), PICTURE),
        generation=Generation(500, None, None, thinking_level="low", media_resolution="low"),
    )
    call = Call(
        claim=Claim(STEP, Kind.REVIEW, subject),
        request=request,
        input_hash=f"input of {subject}",
        config_hash=f"config-{version}",
    )
    return replace(call, **changes)


def calls_about(number: int, **changes: Any) -> list[Call]:
    return [call_about(f"one.{nth}", **changes) for nth in range(number)]


@contextmanager
def installed(database: ClonedDatabase) -> Iterator[tuple[GeminiResource, GeminiStandin]]:
    limit(database)
    with GeminiStandin(latency_ms=0) as standin:
        gemini = resource(database.url, standin.url)
        try:
            yield gemini, standin
        finally:
            gemini.teardown_after_execution(None)  # type: ignore[arg-type]


def resource(database_url: str, gemini_url: str) -> GeminiResource:
    return GeminiResource(
        assets_db=PostgresResource(url=database_url), api_key="any", base_url=gemini_url, model_name=MODEL
    )


def submitted(gemini: GeminiResource, calls: list[Call]) -> str:
    """The name of the batch that all of the calls are in."""
    ticket = gemini.submit(calls, run_id="run-1")
    assert isinstance(ticket, BatchTicket), ticket
    assert ticket.name is not None
    assert ticket.subjects == {call.claim.subject for call in calls}, ticket
    return ticket.name


def ended(gemini: GeminiResource, name: str, looks: int = 5) -> BatchEnded:
    for _ in range(looks):
        seen = gemini.collect(name)
        if isinstance(seen, BatchEnded):
            return seen
        assert isinstance(seen, BatchWaits)
    raise AssertionError(f"{seen} after {looks} looks")


def outcomes(gemini: GeminiResource, name: str) -> Counter[str]:
    """How many requests were answered, or were not for which reason."""
    return Counter(
        "answered" if isinstance(outcome, Answered) else outcome.reason.value
        for _, outcome in gemini.answers(name)
    )


def unanswered(gemini: GeminiResource, name: str) -> Mapping[str, NotAnswered]:
    return {subject: outcome for subject, outcome in gemini.answers(name) if isinstance(outcome, NotAnswered)}


def bill(standin: GeminiStandin) -> Decimal:
    """What the stand-in's account comes to, each answer rounded as the ledger keeps it."""
    total = Decimal(0)
    for one in standin.batches.billed:
        price_in, price_out = BATCH_PRICE[one.model]
        cost = (one.prompt * price_in + one.output * price_out) / 1_000_000
        total += cost.quantize(Decimal("0.000001"))
    return total


def figures(database: Database) -> tuple[Decimal, Counter[str]]:
    """What the ledger says was spent, and its rows by state."""
    with database.connection() as connection:
        rows = connection.execute("select state, coalesce(cost_usd, 0) from gemini_usage_events").fetchall()
    return sum((cost for _, cost in rows), Decimal(0)), Counter(state for state, _ in rows)


def pass_time(database: Database, interval: str) -> None:
    """Move all batches and their requests into the past, on the same quota day."""
    with database.connection() as connection:
        connection.execute(
            "update gemini_batches set lease_until = lease_until - %(i)s::interval, "
            "creating_at = creating_at - %(i)s::interval, submitted_at = submitted_at - %(i)s::interval, "
            "absent_since = absent_since - %(i)s::interval",
            {"i": interval},
        )
        connection.execute(
            "update gemini_usage_events set state_changed_at = state_changed_at - %s::interval", [interval]
        )
