"""Accounts, a ledger and a log as the page meets them: ordinary, hostile, held, failed, and many.

Everything is written as the pipeline writes it, into a test's own databases.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from entity_pipeline.core.audit import SYSTEM_ACTOR
from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.admin.installations import insert_account

Connection = psycopg.Connection[Any]
MODEL = DEFAULT_MODEL
REVIEWED_AT = "2026-11-20T09:30:00+00:00"
# Runs when it is not escaped: as markup, as an attribute, in a script, as an address.
HOSTILE = (
    '<img src=x onerror="window.hacked=1">\'"><script>window.hacked=1</script>{{7*7}}\u202egnp.exe\u200b'
)
EVIDENCE_URL = "https://www.vogue.example/amber-row?page=1&from=search"
SUGGESTIONS = (
    "<style>.chip{font:14px sans-serif;padding:8px 12px;border:1px solid #ccc;border-radius:16px;display:inline-block}"
    "</style><a class='chip' href='https://www.google.com/search?q=amber+row'>amber row instagram</a>"
)
HOSTILE_SUGGESTIONS = (
    SUGGESTIONS + "<script>parent.hacked=1;window.hacked=1</script><img src=x onerror='parent.hacked=1'>"
)


def review(kind: str = "brand", confidence: float = 0.93, **said: Any) -> dict[str, Any]:
    """A finished review as stored."""
    scores = {"name_en": 0.97, "name_ko": 0.81, "account_type": confidence, "account_role": 0.9}
    return {
        "status": "reviewed",
        "review": {
            "name_en": "Amber Row",
            "name_ko": "앰버로우",
            "account_type": kind,
            "account_role": "primary",
            "entity_region_code": "KR",
            "country_of_origin": "KR",
            "primary_username": None,
            "confidence": confidence,
            "field_confidence": scores,
            "reasoning": "The label's own site and two magazines name this account.",
            **said,
        },
        "raw_confidence": min(confidence + 0.03, 1),
        "confidence": confidence,
        "grounded": True,
        "evidence": [
            {
                "claim": "Amber Row (@amber.row) is a Seoul womenswear label founded in 2016.",
                "uri": EVIDENCE_URL,
                "title": "vogue.example",
                "names_account": True,
            },
            {
                "claim": "It opened a second shop in Busan.",
                "uri": None,
                "title": None,
                "names_account": False,
            },
        ],
        "search_queries": ["amber row seoul brand", "앰버로우 브랜드"],
        "search_entry_point": SUGGESTIONS,
        "model": MODEL,
        "model_version": MODEL,
        "prompt_version": "7",
        "reviewed_at": REVIEWED_AT,
        "attempts": 1,
        "notes": ["entity_region_code:lowercased"],
    }


def profile(**found: Any) -> dict[str, Any]:
    """A profile that was looked at."""
    return {
        "status": "found",
        "outcome": "found",
        "source": "anonymous:direct",
        "fetched_at": "2026-11-19T22:10:00+00:00",
        "instagram_id": "4412345678",
        "attempts": 1,
        "fields_written": {"bio": "x", "display_name": "y"},
        "image": {"url": "https://pictures.example/p/amber.jpg"},
        "history": [{"at": "2026-11-19T22:10:00+00:00", "outcome": "found", "source": "anonymous:direct"}],
        **found,
    }


NEAR_ID = "5e0c1d36-8d3f-4f0e-9a53-0a0f2f3c9f11"


def link(status: str, *reasons: str, **more: Any) -> dict[str, Any]:
    """The decision about the account."""
    return {
        **more,
        "status": status,
        "reasons": list(reasons),
        "rules_version": "3",
        "run_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "reviewed_at": REVIEWED_AT,
        "linked_at": "2026-11-20T09:45:00+00:00",
    }


def tagged(posts: int, cohort: str = "2026-11-18") -> dict[str, Any]:
    """How often the account was tagged."""
    return {
        "cohort": cohort,
        "tagging": {
            "posts": posts,
            "first_tagged_at": "2026-11-18T03:00:00+00:00",
            "last_tagged_at": "2026-11-20T04:00:00+00:00",
            "sample_posts": ["DCxAmple01", "DCxAmple02"],
        },
    }


def fill_queue(operation: Connection, pending: int = 60) -> None:
    """One account of every interesting kind, and `pending` ordinary ones."""
    amber = insert_account(
        operation,
        "amber.row",
        {
            **tagged(214),
            "gemini_review": review(),
            "profile_backfill": profile(),
            "catalog_link": link("created"),
        },
        display_name="AMBER ROW 앰버로우",
        bio="Womenswear from Seoul\n🏷 서울 성수 · NYC\nwww.amberrow.example",
        name_en="Amber Row",
        name_ko="앰버로우",
    )
    operation.execute(
        "insert into admin_audit_log (admin_user_id, action, target_table, target_id, before_state, after_state, "
        "metadata, created_at) values (%s, 'entity_enrichment.update', 'instagram_accounts', %s, %s, %s, %s, now())",
        [
            SYSTEM_ACTOR,
            amber,
            Jsonb({"name_en": None}),
            Jsonb({"name_en": "Amber Row"}),
            Jsonb({"run_id": "r-1"}),
        ],
    )
    insert_account(
        operation,
        "haneul.stage",
        {
            **tagged(180),
            "gemini_review": review("artist", 0.71, name_en="Haneul", name_ko="하늘"),
            "profile_backfill": profile(status="not_found", outcome="not_found", image=None),
            "catalog_link": link(
                "held",
                "below_threshold",
                "near_name",
                "no_support",
                facts={
                    "below_threshold": [
                        {"kind": "confidence", "text": "0.71"},
                        {"kind": "threshold", "text": "0.90"},
                    ],
                    "near_name": [
                        {"kind": "entity", "text": "Haneul / 하늘<b>", "table": "artists", "id": NEAR_ID},
                        {"kind": "primary", "text": "haneul.official"},
                        {"kind": "of another release", "text": "?"},
                        "broken",
                    ],
                    "no_support": {"kind": "entity"},
                },
            ),
        },
    )
    insert_account(
        operation,
        "five.points",
        {
            **tagged(95),
            "gemini_review": review("group", 0.95, name_en="Five Points", name_ko="파이브포인츠"),
            "catalog_link": link("linked"),
        },
    )
    insert_account(
        operation,
        "glossy.kr",
        {
            **tagged(40),
            "gemini_review": review("other", 0.9, name_en="Glossy"),
            "catalog_link": link("excluded"),
        },
    )
    insert_account(
        operation,
        "brokenreply.madeup",
        {
            **tagged(77),
            "gemini_review": {
                "status": "failed",
                "attempts": 3,
                "error": {
                    "reason": "broken_json",
                    "detail": "The block of the reply is no JSON, also after a repair.",
                },
            },
        },
    )
    insert_account(
        operation,
        "later.please",
        {
            **tagged(31),
            "gemini_review": {
                "status": "deferred",
                "attempts": 1,
                "next_attempt_at": "2026-11-22T10:00:00+00:00",
                "error": {"reason": "overloaded", "detail": "Gemini is overloaded (503)."},
            },
        },
    )
    add_hostile(operation)
    for nth in range(pending):
        insert_account(operation, f"shop_{nth:03}", tagged(max(1, 30 - nth), f"2026-11-{10 + nth % 9:02}"))


def add_hostile(operation: Connection) -> None:
    """An account in which every text from outside contains markup."""
    said = review(name_en=HOSTILE, name_ko=HOSTILE, reasoning=HOSTILE, account_type="brand")
    said["evidence"] = [
        {"claim": HOSTILE, "uri": "javascript:window.hacked=1", "title": HOSTILE, "names_account": True},
        {
            "claim": HOSTILE,
            "uri": "https://ok.example/?q=" + HOSTILE,
            "title": HOSTILE,
            "names_account": False,
        },
        {
            "claim": HOSTILE,
            "uri": "https://ok.example/?q=%22onmouseover=1",
            "title": HOSTILE,
            "names_account": True,
        },
    ]
    said |= {
        "search_entry_point": HOSTILE_SUGGESTIONS,
        "search_queries": [HOSTILE],
        "notes": [HOSTILE],
        "model": HOSTILE,
        "prompt_version": HOSTILE,
    }
    said["error"] = {"reason": HOSTILE, "detail": HOSTILE}
    insert_account(
        operation,
        f"@<b>x</b>{HOSTILE}"[:200],
        {
            **tagged(500),
            "gemini_review": said,
            "profile_backfill": profile(
                source=HOSTILE,
                outcome=HOSTILE,
                history=[{"outcome": HOSTILE, "detail": HOSTILE, "at": HOSTILE}],
            ),
            "catalog_link": link("held", "no_support", HOSTILE),
        },
        display_name=HOSTILE,
        bio=HOSTILE,
        name_en=HOSTILE,
        name_ko=HOSTILE,
    )


def fill_ledger(assets: Connection, *, today: int = 24) -> None:
    """29 days of the roll-up, and `today` settled requests."""
    day = datetime.now(UTC).date()
    for back in range(2, 30):
        grounded = (back * 397) % 1_300 if back % 7 else 0
        assets.execute(
            "insert into gemini_spend_daily (quota_day, pipeline, step, model, requests, grounded_requests, "
            "search_queries, cost_usd) values (%s, %s, 'instagram_account_review', %s, %s, %s, %s, %s)",
            [
                day - timedelta(days=back),
                EntitySettings.row,
                MODEL,
                grounded + 9,
                grounded,
                grounded * 2,
                grounded * 0.0021,
            ],
        )
    for _ in range(today):
        assets.execute(
            "insert into gemini_usage_events (pipeline, step, model, grounded, state, subject, search_queries, "
            "prompt_tokens, output_tokens, cost_usd, latency_ms, metadata) "
            "values (%s, 'instagram_account_review', %s, true, 'settled', 'amber.row', 2, 1800, 420, 0.0016, 5400, %s)",
            [EntitySettings.row, MODEL, Jsonb({"kind": "review"})],
        )
