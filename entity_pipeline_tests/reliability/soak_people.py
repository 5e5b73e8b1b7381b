"""Everyone else: people who edit the catalog and the settings, and pipelines that share the quota.

Each act is one that the admin screens, the command or SQL allow at any time. What people wrote is remembered,
because it must be there at the end of the week.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.reliability.soak_judges import CapJudge
from entity_pipeline_tests.settings_rows import put_row, put_rows

SETTINGS = {
    "requests_per_minute": 40,
    "accounts_per_tick": 25,
    "concurrency": 4,
    "instagram_terms_acknowledged": True,
    "instagram_backfill_enabled": True,
}
_BAD_SETTINGS: tuple[Any, ...] = ({"concurrency": 0}, {"daily_grounding_cap": "many"}, {"dayly_cap": 3}, [])
_ENTITY_TABLES = ("artists", "brands", "groups")


@dataclass
class People:
    """People with their own connections; used by one thread at a time."""

    chance: random.Random
    assets_url: str
    operation_url: str
    judge: CapJudge
    usual_cap: int
    acts: Counter[str] = field(default_factory=Counter)
    wrote: dict[tuple[str, UUID, str], str] = field(default_factory=dict)
    own_entities: set[UUID] = field(default_factory=set)
    members: list[tuple[UUID, UUID]] = field(default_factory=list)
    _settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))
    _off_for_ticks: int = 0
    _serial: int = 0

    def begin(self) -> None:
        """Switch the pipeline on, with the settings of the soak."""
        self._settings.setdefault("daily_grounding_cap", self.usual_cap)
        self._store(True, self._settings)
        self.judge.cap_is(self._settings["daily_grounding_cap"])

    def end_of_week(self) -> None:
        """Give enough quota for everything that is left."""
        self._off_for_ticks = 0
        self._settings |= {
            "daily_grounding_cap": 100_000,
            "daily_spend_usd": 10_000.0,
            "accounts_per_tick": 200,
        }
        self.begin()

    @property
    def is_off(self) -> bool:
        """Whether the pipeline is switched off, or held by a mistyped setting."""
        return bool(self._off_for_ticks)

    def between_ticks(self) -> None:
        """A person who switched the pipeline off, or mistyped a setting, corrects it some ticks later."""
        if self._off_for_ticks:
            self._off_for_ticks -= 1
            if not self._off_for_ticks:
                self._store(True, self._settings)

    def act(self) -> None:
        """Do one thing at random."""
        acts: list[tuple[Callable[[], bool], int]] = [
            (self._edit_account, 8),
            (self._edit_entity, 8),
            (self._note_in_metadata, 4),
            (self._make_entity, 4),
            (self._add_member, 2),
            (self._retire_account, 1),
            (self._change_limits, 5),
            (self._switch_off, 2),
            (self._mistype, 1),
            (self._other_pipeline, 6),
        ]
        act = self.chance.choices([one for one, _ in acts], [weight for _, weight in acts])[0]
        if act():
            self.acts[act.__name__.strip("_").replace("_", " ")] += 1

    def lost_edits(self) -> list[str]:
        """What people wrote and is no longer there."""
        lost = []
        with psycopg.connect(self.operation_url, autocommit=True) as connection:
            for (table, row_id, column), value in self.wrote.items():
                query = sql.SQL("select {}::text from {} where id = %s").format(
                    sql.SQL(column) if column.startswith("metadata") else sql.Identifier(column),
                    sql.Identifier(table),
                )
                row = connection.execute(query, [row_id]).fetchone()
                if row != (value,):
                    lost.append(f"{table}.{column} of {row_id} was {value!r} and is {row and row[0]!r}")
        return lost

    def _edit_account(self) -> bool:
        column = self.chance.choice(("display_name", "bio", "name_ko", "name_en"))
        return self._write("instagram_accounts", column)

    def _edit_entity(self) -> bool:
        return self._write(self.chance.choice(_ENTITY_TABLES), self.chance.choice(("name_ko", "name_en")))

    def _write(self, table: str, column: str) -> bool:
        row_id = self._any_row(table)
        if row_id is None:
            return False
        self._serial += 1
        value = f"by a person {self._serial}"
        query = sql.SQL("update {} set {} = %s where id = %s").format(
            sql.Identifier(table), sql.Identifier(column)
        )
        with psycopg.connect(self.operation_url, autocommit=True) as connection:
            connection.execute(query, [value, row_id])
        self.wrote[table, row_id, column] = value
        return True

    def _note_in_metadata(self) -> bool:
        row_id = self._any_row("instagram_accounts")
        if row_id is None:
            return False
        self._serial += 1
        with psycopg.connect(self.operation_url, autocommit=True) as connection:
            connection.execute(
                "update instagram_accounts set metadata = coalesce(metadata, '{}') || %s where id = %s",
                [Jsonb({"note": str(self._serial)}), row_id],
            )
        self.wrote["instagram_accounts", row_id, "metadata ->> 'note'"] = str(self._serial)
        return True

    def _make_entity(self) -> bool:
        """Enter a brand before the pipeline does, sometimes under the name of a later one."""
        self._serial += 1
        with psycopg.connect(self.operation_url, autocommit=True) as connection:
            row = connection.execute(
                "insert into brands (name_en) select coalesce((select name_en from instagram_accounts "
                "where name_en is not null and brand_id is null order by id limit 1), %s) "
                "where not exists (select from brands where name_en = %s) returning id",
                [f"Entered by hand {self._serial}", f"Entered by hand {self._serial}"],
            ).fetchone()
        if row is not None:
            self.own_entities.add(row[0])
        return row is not None

    def _add_member(self) -> bool:
        group, artist = self._any_row("groups"), self._any_row("artists")
        if group is None or artist is None or (group, artist) in self.members:
            return False
        with psycopg.connect(self.operation_url, autocommit=True) as connection:
            connection.execute(
                "insert into group_members (group_id, artist_id) values (%s, %s)", [group, artist]
            )
        self.members.append((group, artist))
        return True

    def _retire_account(self) -> bool:
        row_id = self._any_row("instagram_accounts")
        if row_id is None:
            return False
        with psycopg.connect(self.operation_url, autocommit=True) as connection:
            connection.execute("update instagram_accounts set is_active = false where id = %s", [row_id])
        self.wrote["instagram_accounts", row_id, "is_active"] = "false"
        return True

    def _change_limits(self) -> bool:
        cap = round(self.usual_cap * self.chance.choice((0, 0.3, 0.7, 1, 1.5)))
        self._settings |= {
            "daily_grounding_cap": cap,
            "requests_per_minute": self.chance.choice((15, 40, 200)),
            "thresholds": {"brand": self.chance.choice((0.85, 0.95))},
        }
        if not self._off_for_ticks:
            self._store(True, self._settings)
        self.judge.cap_is(cap)
        return True

    def _switch_off(self) -> bool:
        self._store(False, self._settings)
        self._off_for_ticks = self.chance.randint(1, 6)
        return True

    def _mistype(self) -> bool:
        bad = self.chance.choice(_BAD_SETTINGS)
        self._store(True, {**self._settings, **bad} if isinstance(bad, dict) else bad)
        self._off_for_ticks = self.chance.randint(1, 3)
        return True

    def _other_pipeline(self) -> bool:
        requests = self.chance.randint(1, 6)
        with psycopg.connect(self.assets_url, autocommit=True) as connection, connection.transaction():
            for number in range(requests):
                # Code from before the quota day was a column gives none, and some name no model we know.
                model = self.chance.choice(("gemini-2.5-flash", "gemini-2.5-flash-lite", "unheard-of"))
                connection.execute(
                    "insert into gemini_usage_events (pipeline, step, model, grounded, state, cost_usd, quota_day) "
                    "values ('captions', 'draft', %s, true, 'settled', 0.001, "
                    "case when %s then null else (now() at time zone 'America/Los_Angeles')::date end)",
                    [model, number % 2 == 0],
                )
        self.judge.others_used(requests)
        return True

    def _store(self, on: bool, settings: Any) -> None:
        with psycopg.connect(self.assets_url, autocommit=True) as connection:
            if isinstance(settings, dict):
                put_rows(connection, on=on, **settings)
            else:
                put_row(connection, EntitySettings, settings, on=on)

    def _any_row(self, table: str) -> UUID | None:
        with psycopg.connect(self.operation_url, autocommit=True) as connection:
            ids = connection.execute(
                sql.SQL("select id from {} order by created_at, id").format(sql.Identifier(table))
            ).fetchall()
        return self.chance.choice(ids)[0] if ids else None
