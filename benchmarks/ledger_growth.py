"""What a place in the ledger costs when the quota day already holds 1,450, 14,500 and 145,000 requests.

    .venv/bin/python benchmarks/ledger_growth.py

Starts its own PostgreSQL. The fastest of several calls is shown, since that is the cost of the statement whatever
else the machine does. A reservation counts the day's rows under the lock, so a day's cost grows with
the square of its requests.
"""

import tempfile
import time
from pathlib import Path

import psycopg
from rich.console import Console

from entity_pipeline import migrations
from entity_pipeline.core.gemini.call import Call, CallKind, Claim, Step
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.request import Request, Text, Tool
from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline.resources.postgres import open_database
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres

FLASH = MODELS["gemini-2.5-flash"]
STEP = Step("benchmark", "benchmark", "growth")
REQUEST = Request(model=FLASH.name, system="", parts=(Text("x"),), tools=(Tool.GOOGLE_SEARCH,))


class Kind(CallKind):
    """The kind of the calls."""

    REVIEW = "review"


SIZES = (1_450, 14_500, 145_000)
CALLS = 20
_WIDE = """
update pipeline_settings
set settings = '{"daily_grounding_cap": 1000000, "requests_per_minute": 1000000, "daily_spend_usd": 1000000,
  "paid_grounding": true}'
where platform = 'gemini'
"""
_DAY_SO_FAR = """
insert into gemini_usage_events (pipeline, step, model, grounded, state, created_at, subject, cost_usd)
select 'benchmark', 'growth', %(model)s, true, 'settled', now() - interval '5 minutes', 'day_' || n, 0.001
from generate_series((select count(*) from gemini_usage_events) + 1, %(rows)s) n
"""


def quickest_ms(ledger: Ledger, name: str) -> float:
    """The fastest of CALLS reservations, in ms."""
    taken = []
    for nth in range(CALLS):
        claim = Claim(STEP, Kind.REVIEW, f"{name}_{nth}")
        call = Call(claim=claim, request=REQUEST, input_hash="i", config_hash="c")
        began = time.perf_counter()
        ledger.reserve(call, 1, "benchmark")
        taken.append((time.perf_counter() - began) * 1_000)
    return min(taken)


def main() -> None:
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="entity-pipeline-benchmark-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "server", databases=("assets", "operation"))
        with SharedServers(Path(folder) / "server", [postgres]):
            url = postgres.url("assets")
            migrations.migrate(url, postgres.url("operation"))
            with (
                psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection,
                open_database(url, max_connections=1) as database,
            ):
                connection.execute(_WIDE)
                for rows in SIZES:
                    connection.execute(_DAY_SO_FAR, {"model": FLASH.name, "rows": rows})
                    connection.execute("vacuum analyze gemini_usage_events")
                    console.print(
                        f"{rows:>8,} requests today: {quickest_ms(Ledger(database), str(rows)):7.1f} ms a place"
                    )


if __name__ == "__main__":
    main()
