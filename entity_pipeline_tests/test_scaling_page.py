"""The pruning statements of `docs/scaling.md`, run exactly as written."""

import re
from pathlib import Path
from typing import Any

import psycopg

from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.resources.gemini.ledger import Ledger
from entity_pipeline_tests.databases import ClonedDatabase

PAGE = (Path(__file__).parent.parent / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_pruning_takes_old_text_and_old_looks_and_leaves_the_quota_as_it_is(
    assets_db: ClonedDatabase, assets: psycopg.Connection[Any]
) -> None:
    assets.execute(
        """
        insert into gemini_usage_events (pipeline, step, model, grounded, subject, reply, cost_usd, created_at)
        select pipeline, 's', 'gemini-2.5-flash', true, age::text, '{"text": "x"}', 0.5, now() - age * interval '1 day'
        from unnest(array['entity_enrichment', 'another']) pipeline, unnest(array[0, 179, 181]) age
        """
    )
    assets.execute(
        """
        insert into instagram_request_log (account_key, route, host, requested_at)
        select 'anonymous:direct', 'direct', 'h', now() - age * interval '1 day' from unnest(array[0, 1, 29, 31]) age
        """
    )
    assets.execute(
        """
        update gemini_usage_events set request = case pipeline
          when 'another' then '{"sealed": "x"}'
          else '{"model": "m", "sealed": "x", "system": "x", "parts": []}' end::jsonb
        """
    )
    # A request without a reply also has stored texts.
    assets.execute(
        """
        insert into gemini_usage_events (pipeline, step, model, grounded, subject, cost_usd, created_at, request)
        values ('entity_enrichment', 's', 'gemini-2.5-flash', true, 'lost', 0.5, now() - interval '181 days',
          '{"model": "m", "sealed": "x"}')
        """
    )
    ledger, flash = Ledger(assets_db), MODELS["gemini-2.5-flash"]
    before = ledger.status(flash)
    (statements,) = re.findall(r"^```sql assets\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for _ in range(2):
        assets.execute(statements)
    kept = assets.execute(
        "select pipeline, subject from gemini_usage_events where reply is null order by 1, 2"
    ).fetchall()
    assert kept == [("entity_enrichment", "181"), ("entity_enrichment", "lost")]
    bare = assets.execute(
        "select pipeline, subject, request from gemini_usage_events where not request ? 'sealed' order by 1, 2"
    ).fetchall()
    assert bare == [("entity_enrichment", name, {"model": "m"}) for name in ("181", "lost")]
    assert assets.execute("select count(*) from gemini_usage_events").fetchone() == (7,)
    assert assets.execute("select count(*) from instagram_request_log").fetchone() == (3,)
    assert ledger.status(flash) == before
