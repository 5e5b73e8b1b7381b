from typing import ClassVar

from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.settings import SettingsModel
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.shared.alerts.sources.instagram import pool_alerts
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.shared.alerts.looks import OneDomain, look


class AsksInstagram(OneDomain):
    """A domain that looks at Instagram whatever it is set to."""

    uses: ClassVar[tuple[type[SettingsModel], ...]] = (InstagramSettings,)


def keys(assets_db: ClonedDatabase, *domains: OneDomain | EntitySettings) -> list[str]:
    open_domains = {f"domain_{number}": domain for number, domain in enumerate(domains)}
    return [alert.key for alert in pool_alerts(look(assets_db=assets_db, open_domains=open_domains))]


def put(assets_db: ClonedDatabase, **states: str) -> None:
    with assets_db.connection() as connection:
        connection.execute("delete from instagram_pool_accounts")
        for username, state in states.items():
            connection.execute(
                "insert into instagram_pool_accounts (username, state) values (%s, %s)", [username, state]
            )


def test_a_pool_without_a_usable_account_is_empty_and_no_pool_is_not(assets_db: ClonedDatabase) -> None:
    assert keys(assets_db, AsksInstagram()) == []
    put(assets_db, a="needs_session", b="disabled")
    assert keys(assets_db, AsksInstagram()) == ["instagram/pool_empty"]
    put(assets_db, a="needs_session", b="active")
    assert keys(assets_db, AsksInstagram()) == []
    put(assets_db, a="disabled")
    assert keys(assets_db, AsksInstagram()) == []


def test_an_account_that_cools_comes_back_unless_a_person_closed_its_route(assets_db: ClonedDatabase) -> None:
    put(assets_db, a="cooling")
    assert keys(assets_db, AsksInstagram()) == []
    with assets_db.connection() as connection:
        connection.execute("update instagram_routes set state = 'disabled'")
    assert keys(assets_db, AsksInstagram()) == ["instagram/pool_empty"]


def test_the_pool_matters_only_while_some_domain_asks_instagram(assets_db: ClonedDatabase) -> None:
    put(assets_db, a="needs_session")
    off, on = EntitySettings(), EntitySettings(instagram_backfill_enabled=True)
    assert keys(assets_db, off) == keys(assets_db, off, OneDomain()) == []
    assert keys(assets_db, off, AsksInstagram()) == keys(assets_db, on) == ["instagram/pool_empty"]
