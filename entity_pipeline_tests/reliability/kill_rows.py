"""What is compared: all rows of both databases, without what differs between any two runs.

Left out or replaced, and why: ids that a run hands out (each is replaced by what it stands for, so a reference
to the wrong row still shows; run ids by a blank), times and quota days since the attack began, latencies, and
the number of an attempt (a first attempt that was killed makes the next one the first of its run), and as of when
the list of accounts is, which moves with every look. The hashes of a repair are bound to the id of the reply that
it mends.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

Row = dict[str, Any]
Rows = Mapping[str, list[Row]]

ENTITIES = {"artists": "artist_id", "brands": "brand_id", "groups": "group_id"}
IMAGES = {"artists": "profile_image_url", "brands": "logo_image_url", "groups": "profile_image_url"}
# Judged apart: a kill may leave a row more in each.
LOGS = ("gemini_usage_events", "instagram_request_log", "gemini_spend_daily")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:\+00:00|Z)")
_DAY = re.compile(r'(?<=")\d{4}-\d\d-\d\d(?=")')


def all_rows(*urls: str) -> Rows:
    """Every row of every table of the databases, as JSON."""
    found: dict[str, list[Row]] = {}
    for url in urls:
        with psycopg.connect(url, autocommit=True) as connection:
            tables = connection.execute(
                "select tablename from pg_tables where schemaname = 'public' and tablename <> 'enrichment_queue_sweep'"
            ).fetchall()
            for (name,) in tables:
                found[name] = [row[0] for row in connection.execute(f'select to_jsonb(t) from "{name}" t')]
    return found


def comparable(rows: Rows, since: datetime) -> dict[str, Counter[str]]:
    """Rows as texts that two runs share, by table; of the ledger only what was answered."""
    names = _names(rows)
    kept = {table: found for table, found in rows.items() if table not in LOGS}
    kept["gemini_usage_events"] = [
        _answered(row) for row in rows["gemini_usage_events"] if row["state"] == "settled"
    ]
    return {table: Counter(_blanked(row, names, since) for row in found) for table, found in kept.items()}


def differences(expected: Rows, found: Rows, since: datetime) -> list[str]:
    """Rows that only one side has, one line each; ``-`` is missing and ``+`` is too much."""
    before, after = comparable(expected, since), comparable(found, since)
    lines = []
    for table in sorted(before.keys() | after.keys()):
        gone, come = before.get(table, Counter()), after.get(table, Counter())
        lines += [f"- {table} {row}" for row in (gone - come).elements()]
        lines += [f"+ {table} {row}" for row in (come - gone).elements()]
    return lines


def half_written(before: Rows, now: Rows) -> list[str]:
    """Where entity, account and audit row disagree; `before` is the state before the killed run."""
    return [*_unaudited(before, now), *_unlinked(before, now), *_unremembered(before, now)]


def _unaudited(before: Rows, now: Rows) -> Iterable[str]:
    """Every change of a catalog column has an audit row that names it, and every audit row its change."""
    columns = {
        "instagram_accounts": (
            "name_en name_ko account_type entity_ig_role entity_region_code brand_id artist_id group_id".split()
        ),
        **{
            table: ["name_en", "name_ko", image, "primary_instagram_account_id"]
            for table, image in IMAGES.items()
        },
    }
    known = {row["id"] for row in before["admin_audit_log"]}
    audited: dict[tuple[str, str], Row] = {}
    for row in sorted(now["admin_audit_log"], key=lambda row: row["created_at"]):
        if row["id"] not in known:
            audited.setdefault((row["target_table"], row["target_id"]), {}).update(row["after_state"])
    for table, watched in columns.items():
        old = {row["id"]: row for row in before[table]}
        for row in now[table]:
            was = old.get(row["id"], {})
            changed = {name: row[name] for name in watched if row[name] != was.get(name)}
            said = audited.pop((table, row["id"]), {})
            said = {name: said[name] for name in watched if said.get(name) is not None}
            if changed != said:
                yield f"{table} {_name(row)}: changed {changed}, audited {said}"
    yield from (f"an audit row of {key} that is not there" for key in audited)


def _unlinked(before: Rows, now: Rows) -> Iterable[str]:
    """A new entity has its primary account, which links back; a link is remembered, and points at a row."""
    accounts = {row["id"]: row for row in now["instagram_accounts"]}
    was = {row["id"]: row for row in before["instagram_accounts"]}
    for table, column in ENTITIES.items():
        old = {row["id"] for row in before[table]}
        for row in now[table]:
            primary = accounts.get(row["primary_instagram_account_id"], {})
            if row["id"] not in old and primary.get(column) != row["id"]:
                yield f"{table} {_name(row)} was created and belongs to no account"
        there = {row["id"] for row in now[table]}
        for account in accounts.values():
            remembered = _enrichment(account).get("catalog_link") or {}
            is_new = account[column] != was.get(account["id"], {}).get(column)
            if is_new and remembered.get("entity_id") != account[column]:
                yield f"{_name(account)} is linked and does not know it"
            if remembered.get("entity_table") == table and account[column] != remembered["entity_id"]:
                yield f"{_name(account)} remembers a link that it does not have"
            if account[column] is not None and account[column] not in there:
                yield f"{_name(account)} is linked to nothing"


def _unremembered(before: Rows, now: Rows) -> Iterable[str]:
    """A profile column that changed is among those that the backfill remembers as its own."""
    old = {row["id"]: row for row in before["instagram_accounts"]}
    for row in now["instagram_accounts"]:
        written = (_enrichment(row).get("profile_backfill") or {}).get("fields_written", {})
        for column in ("display_name", "bio", "profile_image_url"):
            if row[column] != old.get(row["id"], {}).get(column) and column not in written:
                yield f"{_name(row)}: {column} was written and is not remembered"


def with_edits(rows: Rows, edited: Mapping[str, set[str]], note: Row, image: str) -> Rows:
    """The rows as they should be after a person wrote `note` and `image` into those named in `edited`."""
    result = deepcopy(dict(rows))
    for row in result["instagram_accounts"]:
        if row["username"] in edited["instagram_accounts"]:
            row["metadata"] = {**(row["metadata"] or {}), **note}
    for table, column in IMAGES.items():
        for row in result[table]:
            if row["name_en"] in edited[table]:
                row[column] = image
    return result


def without_audited_images(rows: Rows, edited: Mapping[str, set[str]]) -> Rows:
    """Whether our audit rows mention a picture that a person chose depends on who was first."""
    result = deepcopy(dict(rows))
    ids = {row["id"] for table in IMAGES for row in result[table] if row["name_en"] in edited[table]}
    for row in result["admin_audit_log"]:
        for side in ("before_state", "after_state"):
            if row["target_id"] in ids and row[side] is not None:
                row[side] = {key: value for key, value in row[side].items() if key not in IMAGES.values()}
    return result


def _answered(row: Row) -> Row:
    kept = row | {"latency_ms": None, "attempt": None}
    if row["metadata"].get("kind") == "repair":
        kept |= {"input_hash": None, "metadata": {**row["metadata"], "config_hash": None}}
    return kept


def _names(rows: Rows) -> dict[str, str]:
    names = {row["id"]: f"<account {row['username']}>" for row in rows["instagram_accounts"]}
    for table in ENTITIES:
        names |= {row["id"]: f"<{table} {row['name_en']}>" for row in rows[table]}
    names |= {row["id"]: f"<post {row['external_id']}>" for row in rows["raw_posts"]}
    return names | {
        row["id"]: f"<{row['metadata'].get('kind')} of {row['subject']}, {row['state']}>"
        for row in rows["gemini_usage_events"]
    }


def _blanked(row: Row, names: Mapping[str, str], since: datetime) -> str:
    first_day = (since - timedelta(days=1)).date().isoformat()
    text = json.dumps(row, sort_keys=True, ensure_ascii=False)
    text = _UUID.sub(lambda found: names.get(found[0], "<id>"), text)
    text = _TIME.sub(lambda found: "<since>" if _time(found[0]) >= since else found[0], text)
    return _DAY.sub(lambda found: "<day>" if found[0] >= first_day else found[0], text)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _enrichment(account: Row) -> Row:
    return (account["metadata"] or {}).get("entity_enrichment") or {}


def _name(row: Row) -> str:
    return str(row.get("username") or row.get("name_en"))
