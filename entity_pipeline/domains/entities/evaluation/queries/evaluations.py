"""Every statement that touches `review_evaluations`: the results of `entity-pipeline evaluate`, kept for comparison."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg.rows import class_row

from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.core.jsonb import jsonb_text

_INSERT = """
insert into review_evaluations (created_by, file, file_sha256, answers_from, model, prompt_version, schema_version,
    rules_version, settings, figures, proposal, answers)
values (%(created_by)s, %(file)s, %(file_sha256)s, %(answers_from)s, %(model)s, %(prompt_version)s,
    %(schema_version)s, %(rules_version)s, %(settings)s::jsonb, %(figures)s::jsonb, %(proposal)s::jsonb,
    %(answers)s::jsonb)
returning id
"""
_COLUMNS = """id, created_at, created_by, file, file_sha256, answers_from, model, prompt_version, schema_version,
    rules_version, figures, proposal"""
_NEWEST = f"""
select {_COLUMNS}, '[]'::jsonb as answers from review_evaluations order by created_at desc, id limit %s
"""
_FIND = f"""
select {_COLUMNS}, answers from review_evaluations where id::text like %s || '%%' order by created_at desc limit 2
"""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One stored evaluation. `answers_from` is the host that answered in place of Google, None for Google."""

    id: UUID
    created_at: datetime
    created_by: str | None
    file: str
    file_sha256: str
    answers_from: str | None
    model: str
    prompt_version: str
    schema_version: str
    rules_version: str
    figures: Mapping[str, Any]
    proposal: Sequence[Mapping[str, Any]]
    answers: Sequence[Mapping[str, Any]]  # empty in a list


@dataclass(frozen=True, slots=True)
class NewEvaluation:
    """What is stored; the database adds the id and the time."""

    created_by: str
    file: str
    file_sha256: str
    answers_from: str | None
    model: str
    prompt_version: str
    schema_version: str
    rules_version: str
    settings: Mapping[str, Any]
    figures: Mapping[str, Any]
    proposal: Sequence[Mapping[str, Any]]
    answers: Sequence[Mapping[str, Any]]


def keep(connection: psycopg.Connection[Any], evaluation: NewEvaluation) -> UUID:
    """Store an evaluation.

    Raises:
        ConfigurationFailure: the table does not exist yet.
    """
    values = {name: getattr(evaluation, name) for name in NewEvaluation.__slots__}
    for name in ("settings", "figures", "proposal", "answers"):
        values[name] = jsonb_text(values[name])
    with _there():
        row = connection.execute(_INSERT, values).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def newest(connection: psycopg.Connection[Any], limit: int) -> list[Evaluation]:
    """The newest evaluations without their answers."""
    with _there(), connection.cursor(row_factory=class_row(Evaluation)) as cursor:
        return cursor.execute(_NEWEST, [limit]).fetchall()


def find(connection: psycopg.Connection[Any], beginning: str) -> Evaluation:
    """The evaluation whose id begins with these characters.

    Raises:
        InputRejected: there is none, or more than one.
    """
    plain = beginning.strip().lower()
    if not plain or not set(plain) <= set("0123456789abcdef-"):
        raise InputRejected(
            f"'{beginning}' is not the id of an evaluation: run `entity-pipeline evaluate --list` to see the ids."
        )
    with _there(), connection.cursor(row_factory=class_row(Evaluation)) as cursor:
        rows = cursor.execute(_FIND, [plain]).fetchall()
    if len(rows) != 1:
        count = "No evaluation has" if not rows else "Several evaluations have"
        raise InputRejected(
            f"{count} an id that begins with '{beginning}': run `entity-pipeline evaluate --list` to see the ids."
        )
    return rows[0]


@contextmanager
def _there() -> Iterator[None]:
    try:
        yield
    except errors.UndefinedTable:
        raise ConfigurationFailure(
            "The table review_evaluations is missing: run `entity-pipeline migrate`."
        ) from None
