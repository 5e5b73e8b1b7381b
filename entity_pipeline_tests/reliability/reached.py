"""An installation that reaches its databases by proxies, the posts of these tests, and the expected results."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from entity_pipeline.core.failures import DatabaseUnavailable
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, Graph, graph
from entity_pipeline_tests.reliability.cut_proxy import CutProxy, cut_proxy
from entity_pipeline_tests.reliability.final_rows import final_rows, paid


@dataclass(frozen=True)
class Reached:
    """An installation that reaches its databases by proxies; the test itself goes straight to them."""

    graph: Graph
    proxies: dict[str, CutProxy]


@contextmanager
def reached(server: DatabaseServer, **overrides: Any) -> Iterator[Reached]:
    with ExitStack() as stack:
        proxies, databases = {}, []
        for kind in ("assets", "operation"):
            database = stack.enter_context(server.clone(kind))  # type: ignore[arg-type]
            proxies[kind], url = stack.enter_context(cut_proxy(database.url))
            databases.append(ClonedDatabase(url, database._pool))
        yield Reached(stack.enter_context(graph(*databases, **overrides)), proxies)


def sample(installation: Graph) -> None:
    """Ten accounts of two cohorts, among them a regional one before its primary and a reply to be repaired."""
    installation.post(MONDAY, "prada", "@Timberland", "tideloom.kr.madeup", times=3)
    installation.post(MONDAY, "brokenreply.madeup", "vanished.shop.madeup", "riomarlow.madeup")
    installation.post(
        TUESDAY, "prada", "garbledreply.madeup", "uniqlo_jp", "tideloom.madeup", "aurorafive.madeup"
    )


@dataclass(frozen=True)
class Undisturbed:
    rows: dict[str, Any]
    paid: dict[str, int]
    messages: dict[str, int]


def run_undisturbed(database_server: DatabaseServer) -> Undisturbed:
    """The same work without any outage."""
    with reached(database_server) as run:
        sample(run.graph)
        run.graph.run_all(MONDAY, TUESDAY)
        messages = {kind: proxy.messages for kind, proxy in run.proxies.items()}
        return Undisturbed(final_rows(run.graph), paid(run.graph), messages)


def sentences(result: dg.ExecuteInProcessResult) -> list[str]:
    """The sentence of each failed step: our failure, above the driver's error that caused it."""
    told = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cls_name != DatabaseUnavailable.__name__:
                error = error.cause
            told.append(error.message if error else f"no sentence: {event.step_failure_data.error}")
    return told
