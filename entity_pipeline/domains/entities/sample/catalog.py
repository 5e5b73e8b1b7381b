"""The rows that people had already put into the operation database before the pipeline: the sample's "production".

Each row exists for one rule: a name to link to, a twin to hold for, an edit to respect. `expected.py` has the expected
results. Rows are only inserted, never changed, so later changes stay.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5

from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline.sandbox.instagram_profiles import former_pk_of

NAMESPACE = UUID("5b0f2c1e-3d5e-4c19-9a53-7a9d0c6e51a2")


@dataclass(frozen=True, slots=True)
class ExistingEntity:
    """A row of `artists`, `brands` or `groups`; `values` are further columns."""

    table: str
    key: str
    name_en: str | None
    name_ko: str | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        return uuid5(NAMESPACE, f"{self.table}:{self.key}")


@dataclass(frozen=True, slots=True)
class ExistingAccount:
    """A row of `instagram_accounts`, `age_days` older than the last day; `brand` links it as primary."""

    username: str  # in a person's spelling
    age_days: int
    brand: ExistingEntity | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        return uuid5(NAMESPACE, f"account:{self.username}")


def existing_entities() -> list[ExistingEntity]:
    """The catalog's rows, in a fixed order."""
    truth = load_truth()
    kept_logo = "https://images.example.com/chosen-by-a-person.png"
    return [
        ExistingEntity("brands", "mcqueen", truth["alexandermcqueen"].name_en),
        ExistingEntity("brands", "margiela", truth["maisonmargiela"].name_en),
        ExistingEntity("brands", "nordvane", "Nordvane (made up)"),
        ExistingEntity("brands", "kestrel moth 1", "Kestrel Moth (made up)"),
        ExistingEntity("brands", "kestrel moth 2", "KESTREL-MOTH (made up)"),
        ExistingEntity(
            "brands",
            "ostrelle",
            "Ostrelle (made up)",
            None,
            {"country_of_origin": "FR", "logo_image_url": kept_logo},
        ),
        ExistingEntity("brands", "verdemarro", "Verdemarro (made up)"),
        ExistingEntity("brands", "solpaca", "Solpaca (made up)", "다른솔파카(가상)"),
        ExistingEntity("groups", "neonhaze", "NEON HAZE (made up)"),
        ExistingEntity("artists", "riomarlow", "Rio Marlow (made up)", "리오말로(가상)"),
    ]


def existing_accounts() -> list[ExistingAccount]:
    """The existing accounts, some in people's spellings, some older than any partition."""
    brands = {entity.key: entity for entity in existing_entities() if entity.table == "brands"}
    linked = {"account_type": "brand", "entity_ig_role": "primary"}
    former = {
        "profile_backfill": {"status": "pending", "instagram_id": str(former_pk_of("handedover.madeup"))}
    }
    return [
        ExistingAccount("@Prada", 400, None, {"display_name": "PRADA, as a person wrote it"}),
        ExistingAccount("TimberLand", 4),
        ExistingAccount("@NewBalance", 2, None, {"metadata": {"note": "kept by a person"}}),
        ExistingAccount("longago.madeup", 900),
        ExistingAccount("legacyfluencer.madeup", 700, None, {"account_type": "influencer"}),
        ExistingAccount(
            "handedover.madeup",
            5,
            None,
            {"metadata": {"entity_enrichment": former, "note": "kept by a person"}},
        ),
        ExistingAccount("Verdemarro.madeup", 300, brands["verdemarro"], {**linked, "name_en": "Verdemarro"}),
        ExistingAccount("nordvane.archive.madeup", 300, brands["nordvane"], dict(linked)),
    ]


def insert_catalog(connection: Any, today: date) -> int:
    """Insert the missing rows in one transaction; returns the number of new rows."""
    from psycopg import sql
    from psycopg.types.json import Jsonb

    def insert(table: str, row: dict[str, Any]) -> bool:
        values = [Jsonb(value) if isinstance(value, dict) else value for value in row.values()]
        statement = sql.SQL("insert into public.{} ({}) values ({}) on conflict do nothing").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        return bool(connection.execute(statement, values).rowcount)

    with connection.transaction():
        new = {
            entity.id
            for entity in existing_entities()
            if insert(
                entity.table,
                {"id": entity.id, "name_en": entity.name_en, "name_ko": entity.name_ko, **entity.values},
            )
        }
        inserted = len(new)
        for account in existing_accounts():
            made_at = datetime.combine(today - timedelta(days=account.age_days), time(9), tzinfo=UTC)
            row = {"id": account.id, "username": account.username, **account.values}
            row |= {"created_at": made_at, "updated_at": made_at}
            row |= {"brand_id": account.brand.id} if account.brand else {}
            inserted += insert("instagram_accounts", row)
            if account.brand and account.brand.id in new:
                connection.execute(
                    "update public.brands set primary_instagram_account_id = %s where id = %s",
                    [account.id, account.brand.id],
                )
    return inserted
