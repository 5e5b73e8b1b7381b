"""`Trial`: one kind of write as the pipeline makes it, for `doctor` to try and roll back.

A schema can refuse a write although every table and column is there: by a foreign key, a check, a domain or a trigger.
A domain lists its trials in its `trials.py`; `shared/database/trial_writes.py` runs them. What is only read does not
belong here, nor what could only be tried on a person's row.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from entity_pipeline.core.schema_needs import DatabaseName

TRIAL_HANDLE = f"pipeline.doctor.{secrets.token_hex(4)}"
"""A handle, and a subject of requests, that no real row has."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One write, through the function that the pipeline uses.

    Attributes:
        database: where it writes.
        table: the table whose refusal it looks for; an error of PostgreSQL may name another one.
        what: what is written, as a part of a sentence: ``"a new account"``.
        attempt: makes the write on a connection whose open transaction is rolled back afterwards. It adds the rows
            that it needs, takes no lock that others wait for, and neither commits nor leaves the transaction.
    """

    database: DatabaseName
    table: str
    what: str
    attempt: Callable[[Any], object]
