"""Traces of whole runs at a collector on a real socket: their contents, and that they disturb nothing."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.core.tracing import NOT_TRACED
from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline.resources.instagram import InstagramResource
from entity_pipeline.resources.instagram.session_secrets import SessionSecrets
from entity_pipeline.resources.postgres import PostgresResource
from entity_pipeline.resources.tracing import TracingResource, active, exported
from entity_pipeline.resources.tracing.export import CLOSE_WITHIN_S
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import MONDAY, Graph, graph
from entity_pipeline_tests.resources.tracing.collector import Collector, Received, collector

MODEL = DEFAULT_MODEL
REVIEW = f"generate_content {MODEL}"
CLIENT = 3
SESSION_KEY = "A" * 43 + "="
COLLECTORS_TOKEN = "collectors-own-token"


@pytest.fixture
def collecting() -> Iterator[Collector]:
    with collector() as taken:
        yield taken


def traced(url: str) -> TracingResource:
    return TracingResource(endpoint=url, headers=f"Authorization=Bearer%20{COLLECTORS_TOKEN},x-team=data")


def enriched(installation: Graph, *usernames: str, succeeds: bool = True) -> str:
    """The id of an enrichment run over these accounts."""
    installation.post(MONDAY, *usernames)
    installation.run("intake_job", MONDAY)
    result = installation.run("enrichment_job", MONDAY, config=enrichment_config(10), succeeds=succeeds)
    return result.run_id


def instagrams(span: Received) -> dict[str, Any]:
    return {
        name.removeprefix("entity_pipeline.instagram."): value
        for name, value in span.values.items()
        if name.startswith("entity_pipeline.instagram.")
    }


def test_a_run_is_a_trace_with_its_steps_and_their_requests(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, collecting: Collector
) -> None:
    with graph(assets_db, operation_db, tracing=traced(collecting.url)) as installation:
        run_id = enriched(installation, "prada", "timberland")
    assert collecting.services == {"entity_pipeline"}
    assert set(collecting.paths) == {"/v1/traces"}
    assert collecting.headers[0]["authorization"] == f"Bearer {COLLECTORS_TOKEN}"
    assert collecting.headers[0]["x-team"] == "data"
    run = collecting.only("run enrichment_job")
    assert (run.trace_id, run.parent_id) == (run_id.replace("-", ""), "")
    assert run.values == {"dagster.job": "enrichment_job", "dagster.run_id": run_id}
    reviews, profiles = collecting.only("step gemini_reviews"), collecting.only("step instagram_profiles")
    assert {reviews.parent_id, profiles.parent_id} == {run.span_id}
    assert {span.parent_id for span in collecting.named(REVIEW)} == {reviews.span_id}
    looks = collecting.named("instagram profile")
    assert {span.parent_id for span in looks} == {profiles.span_id}
    assert {span.parent_id for span in collecting.named("GET www.instagram.com")} == {
        span.span_id for span in looks
    }
    in_run = [span for span in collecting.spans if span.trace_id == run.trace_id]
    assert not [span.name for span in in_run if span.is_error]
    assert (len(collecting.named(REVIEW)), len(looks)) == (2, 2)


def test_a_request_to_gemini_says_what_the_ledger_says(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, collecting: Collector
) -> None:
    with graph(assets_db, operation_db, tracing=traced(collecting.url)) as installation:
        enriched(installation, "prada", "brokenreply.madeup")
    with assets_db.connection() as connection:
        rows = connection.execute(
            "select id::text, metadata ->> 'kind', grounded, attempt, prompt_tokens, output_tokens, thoughts_tokens, "
            "search_queries, cost_usd::float, model_version from gemini_usage_events order by 1"
        ).fetchall()
    asked = collecting.named(REVIEW)
    assert {span.kind for span in asked} == {CLIENT}
    assert sorted(
        (
            span.values["entity_pipeline.ledger_id"],
            span.values["entity_pipeline.kind"],
            span.values["entity_pipeline.grounded"],
            span.values["entity_pipeline.attempt"],
            span.values["gen_ai.usage.input_tokens"],
            span.values["gen_ai.usage.output_tokens"] - span.values["gen_ai.usage.reasoning.output_tokens"],
            span.values["gen_ai.usage.reasoning.output_tokens"],
            span.values["entity_pipeline.search_queries"],
            pytest.approx(span.values["entity_pipeline.token_cost_usd"], abs=1e-6),
            span.values["gen_ai.response.model"],
        )
        for span in asked
    ) == [tuple(row) for row in rows]
    assert {span.values["entity_pipeline.outcome"] for span in asked} == {"answered"}
    assert {span.values["gen_ai.operation.name"] for span in asked} == {"generate_content"}
    assert {span.values["gen_ai.provider.name"] for span in asked} == {"gcp.gemini"}


def test_failed_attempts_are_errors_with_one_of_our_words(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, collecting: Collector
) -> None:
    with graph(assets_db, operation_db, tracing=traced(collecting.url)) as installation:
        enriched(installation, "overloaded.madeup")
    first, second = sorted(collecting.named(REVIEW), key=lambda span: span.values["entity_pipeline.attempt"])
    assert (first.is_error, first.values["error.type"], first.values["http.response.status_code"]) == (
        True,
        "overloaded",
        503,
    )
    assert (second.is_error, second.values["entity_pipeline.attempt"]) == (False, 2)


def test_a_look_at_a_profile_names_its_route_and_its_outcome(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, collecting: Collector
) -> None:
    with graph(assets_db, operation_db, tracing=traced(collecting.url)) as installation:
        installation.settings(
            instagram_windows={"gap_s": 0, "jitter_s": [0, 0], "per_minute": 1, "per_hour": 1, "per_day": 1}
        )
        enriched(installation, "prada", "timberland")
    looked, deferred = collecting.named("instagram profile")
    assert instagrams(looked) | {"window_wait_s": 0} == {
        "route": "direct",
        "seat": "anonymous",
        "outcome": "found",
        "window_wait_s": 0,
    }
    assert (instagrams(deferred)["outcome"], deferred.is_error) == ("deferred", False)
    assert "route" not in instagrams(deferred)
    request = collecting.only("GET www.instagram.com")
    assert (request.kind, request.values["http.response.status_code"]) == (CLIENT, 200)
    assert instagrams(request) == {"request": 1, "with_session": False}


def test_no_secret_and_no_text_from_outside_leaves_in_a_trace(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, collecting: Collector
) -> None:
    vault = SessionSecrets(SESSION_KEY)
    with assets_db.connection() as connection:
        connection.execute(
            "insert into instagram_pool_accounts (username, route, session_secret) values (%s, 'direct', %s)",
            [
                "operators.own.account",
                vault.seal_cookies(
                    {"sessionid": "cookie-of-the-pool", "ds_user_id": "1", "csrftoken": "a-csrf-token"}
                ),
            ],
        )
    seen: list[str] = []
    with graph(assets_db, operation_db, tracing=traced(collecting.url)) as installation:
        instagram = InstagramResource(
            assets_db=PostgresResource(url=assets_db.url),
            base_url=installation.instagram.url,
            session_keys=SESSION_KEY,
        )
        with graph(assets_db, operation_db, tracing=traced(collecting.url), instagram=instagram) as with_pool:
            enriched(with_pool, "prada", "timberland", "uniqlo_jp")
        with operation_db.connection() as connection:
            seen = [
                text
                for row in connection.execute(
                    "select username, display_name, bio from instagram_accounts"
                ).fetchall()
                for text in row
                if text
            ]
    with_session = [instagrams(span)["seat"] for span in collecting.named("instagram profile")]
    assert "session" in with_session, "the pool was not used, so this proves nothing"
    assert len(seen) >= 6
    sent = b"\n".join(collecting.bodies)
    never = [
        *seen,
        "operators.own.account",
        "cookie-of-the-pool",
        "a-csrf-token",
        SESSION_KEY,
        COLLECTORS_TOKEN,
        "api_key",
        "postgresql://",
        installation.instagram.url,
        assets_db.url,
    ]
    assert not [secret for secret in never if secret.encode() in sent]


def test_without_an_address_nothing_of_the_sdk_is_imported_and_nothing_is_made() -> None:
    program = (
        "import sys, entity_pipeline.definitions\n"
        "from entity_pipeline.cli.services import services\n"
        "from entity_pipeline.resources.tracing import active\n"
        "from entity_pipeline.core.tracing import NOT_TRACED\n"
        "with services() as built:\n"
        "    with built.tracing.step('a'), built.tracing.call('b', {}) as span:\n"
        "        assert not span.is_recorded and active() is NOT_TRACED\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter',"
        " 'opentelemetry.proto'))])\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment |= {"ASSETS_DATABASE_URL": "postgresql://a@127.0.0.1:1/a", "DAGSTER_DISABLE_TELEMETRY": "1"}
    environment["OPERATION_DATABASE_URL"] = environment["ASSETS_DATABASE_URL"]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "[]"), ended.stderr


def end_of(url: str) -> float:
    """Seconds that the end of a traced block takes."""
    with exported(url, None, str(uuid4()), "a_job"):
        for _ in range(600):
            with active().call("a call", {}):
                pass
        began = time.monotonic()
    return time.monotonic() - began


def test_a_collector_that_is_away_costs_the_run_nothing_but_a_line_in_the_log(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        graph(assets_db, operation_db, tracing=traced("http://127.0.0.1:1")) as installation,
    ):
        enriched(installation, "prada")
        assert installation.accounts()["prada"]["gemini_review"]["status"] == "reviewed"
    assert "opentelemetry" in {record.name.split(".")[0] for record in caplog.records}
    assert COLLECTORS_TOKEN not in caplog.text
    assert end_of("http://127.0.0.1:1") < CLOSE_WITHIN_S + 1


def test_a_collector_that_refuses_or_falls_silent_delays_the_end_by_seconds_at_most() -> None:
    with collector(status=503) as refusing, collector(is_silent=True) as silent:
        assert end_of(refusing.url) < CLOSE_WITHIN_S + 1
        assert end_of(silent.url) < CLOSE_WITHIN_S + 1
        silent.let_go.set()


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://", "http://[bad"])
def test_an_invalid_address_is_reported_and_nothing_is_traced(
    endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), exported(endpoint, "a=secret", None, None):
        assert active() is NOT_TRACED
    assert "OTEL_EXPORTER_OTLP_ENDPOINT can't be used" in caplog.text
    assert "secret" not in caplog.text


def test_a_command_that_makes_no_call_neither_sends_nor_waits(collecting: Collector) -> None:
    began = time.monotonic()
    with exported("http://127.0.0.1:1", None, None, None), exported(collecting.url, None, None, None):
        pass
    assert time.monotonic() - began < 0.5
    assert not collecting.bodies


def test_calls_of_other_threads_belong_to_the_step_and_those_within_a_call_to_it(
    collecting: Collector,
) -> None:
    def work(number: int) -> None:
        with active().call(f"outer {number}", {}), active().call(f"inner {number}", {}):
            time.sleep(0.01)

    with exported(collecting.url, None, str(uuid4()), "a_job"):
        with active().step("a"), ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(8)))
        with active().call("after the step", {}):
            pass
    step = collecting.only("step a")
    for number in range(8):
        outer, inner = collecting.only(f"outer {number}"), collecting.only(f"inner {number}")
        assert (outer.parent_id, inner.parent_id) == (step.span_id, outer.span_id)
    assert collecting.only("after the step").parent_id == collecting.only("run a_job").span_id
    run = collecting.only("run a_job")
    assert (run.began_ns, run.ended_ns) == (
        min(span.began_ns for span in collecting.spans),
        max(span.ended_ns for span in collecting.spans),
    )
    assert active() is NOT_TRACED


def test_an_exception_is_an_error_by_its_class_and_goes_on(collecting: Collector) -> None:
    with (
        pytest.raises(ValueError, match="a secret text"),
        exported(collecting.url, None, None, None),
        active().call("a call", {}),
    ):
        raise ValueError("a secret text")
    span = collecting.only("a call")
    assert (span.is_error, span.values["error.type"]) == (True, "ValueError")
    assert b"a secret text" not in b"".join(collecting.bodies)
