"""What the whole graph does where the operation database refuses a write: for one account, or for all."""

from collections.abc import Iterator

import pytest

from entity_pipeline.domains.entities.jobs import enrichment_config
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.entities.graph import (
    MONDAY,
    WEDNESDAY,
    Graph,
    graph,
    plain,
    reasons,
    table,
)

# Like the key of an installation whose administrators are in a table of their own.
OF_A_USER = (
    "create table users (id uuid primary key); alter table admin_audit_log "
    "add constraint of_a_user foreign key (admin_user_id) references users (id)"
)
REPAIR = "alter table admin_audit_log drop constraint of_a_user"
LOCKED = """
create function locked() returns trigger language plpgsql as
$$ begin if new.username = 'prada' then raise 'ask Mina first'; end if; return new; end $$;
create trigger locked before {} on instagram_accounts for each row execute function locked();
"""
LOCKED_LINK = """
create function locked() returns trigger language plpgsql as
$$ begin if new.brand_id is not null and new.username = 'prada' then raise 'ask Mina first'; end if; return new; end $$;
create trigger locked before update on instagram_accounts for each row execute function locked();
"""


@pytest.fixture
def installation(assets_db: ClonedDatabase, operation_db: ClonedDatabase) -> Iterator[Graph]:
    with graph(assets_db, operation_db) as built:
        built.post(MONDAY, "prada", "@Timberland", "uniqlo_jp")
        yield built


def execute(installation: Graph, statement: str) -> None:
    with installation.operation_db.connection() as connection:
        connection.execute(statement.encode())


def links(installation: Graph) -> dict[str, str | None]:
    return {
        name: value.get("catalog_link", {}).get("status") for name, value in installation.accounts().items()
    }


def test_a_schema_that_refuses_every_link_stops_the_run_before_anything_is_paid(installation: Graph) -> None:
    installation.run("intake_job", MONDAY, WEDNESDAY)
    execute(installation, OF_A_USER)
    config = enrichment_config(100)
    stopped = installation.run("enrichment_job", MONDAY, WEDNESDAY, config, succeeds=False)
    assert "the foreign key of_a_user of admin_audit_log refuses it" in reasons(stopped)[0]
    assert installation.gemini.requests["total"] == 0
    execute(installation, REPAIR)
    installation.run_all(MONDAY, WEDNESDAY)
    assert set(links(installation).values()) == {"created"}


def test_one_that_comes_later_is_booked_on_no_account(installation: Graph) -> None:
    installation.run("intake_job", MONDAY, WEDNESDAY)
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(100))
    paid = installation.gemini.requests["total"]
    execute(installation, OF_A_USER)
    stopped = installation.run("linking_job", MONDAY, WEDNESDAY, succeeds=False)
    assert "of_a_user" in reasons(stopped)[0]
    assert set(links(installation).values()) == {None}
    execute(installation, REPAIR)
    installation.run("linking_job", MONDAY, WEDNESDAY)
    assert set(links(installation).values()) == {"created"}
    assert installation.gemini.requests["total"] == paid


def test_a_trigger_that_refuses_one_link_holds_that_account_until_it_lets_it_pass(
    installation: Graph,
) -> None:
    execute(installation, LOCKED_LINK)
    installation.run_all(MONDAY, WEDNESDAY)
    assert links(installation) == {"prada": "held", "timberland": "created", "uniqlo_jp": "created"}
    link = installation.accounts()["prada"]["catalog_link"]
    assert link["reasons"] == ["write_refused"]
    assert link["facts"] == {"write_refused": [{"kind": "said", "text": "ask Mina first"}]}
    before, paid = installation.everything(), installation.calls()
    installation.run("linking_job", MONDAY, WEDNESDAY)
    assert installation.everything() == before
    execute(installation, "drop trigger locked on instagram_accounts")
    installation.run("linking_job", MONDAY, WEDNESDAY)
    assert links(installation)["prada"] == "created"
    assert installation.calls() == paid


def test_one_that_refuses_every_write_of_one_account_stops_nothing_else(installation: Graph) -> None:
    installation.run("intake_job", MONDAY, WEDNESDAY)
    execute(installation, LOCKED.format("update"))
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(100))
    installation.run("linking_job", MONDAY, WEDNESDAY)
    assert links(installation) == {"prada": None, "timberland": "created", "uniqlo_jp": "created"}
    says = [{"account": "prada", "the database says": "ask Mina first"}]
    profiles = installation.observed("instagram_profiles", MONDAY)
    assert profiles["refused_by_the_database"] == says
    [reviews] = [
        plain(item.metadata)
        for item in installation.observations("gemini_reviews")
        if item.partition == MONDAY.isoformat()
    ]
    assert reviews["refused_by_the_database"] == says
    assert table(reviews, "this_run")["write_refused"] == 1
    paid = installation.gemini.requests["total"]
    execute(installation, "drop trigger locked on instagram_accounts")
    installation.run_all(MONDAY, WEDNESDAY)
    assert links(installation)["prada"] == "created"
    assert installation.gemini.requests["total"] == paid


def test_one_that_refuses_the_link_and_the_hold_leaves_the_account_undecided(installation: Graph) -> None:
    installation.run("intake_job", MONDAY, WEDNESDAY)
    installation.run("enrichment_job", MONDAY, WEDNESDAY, enrichment_config(100))
    execute(installation, LOCKED.format("update"))
    installation.run("linking_job", MONDAY, WEDNESDAY)
    assert links(installation) == {"prada": None, "timberland": "created", "uniqlo_jp": "created"}
    [observed] = [
        plain(item.metadata)
        for item in installation.observations("catalog_links")
        if item.partition == MONDAY.isoformat()
    ]
    assert observed["refused_by_the_database"] == [
        {"account": "prada", "the database says": "ask Mina first"}
    ]
    assert table(observed, "this_run", "decision") == {"created": 2, "refused": 1}


def test_the_intake_leaves_out_the_one_that_is_refused_and_takes_it_later(installation: Graph) -> None:
    execute(installation, LOCKED.format("insert or update"))
    installation.run("intake_job", MONDAY, WEDNESDAY)
    assert set(installation.accounts()) == {"timberland", "uniqlo_jp"}
    shown = installation.metadata("instagram_accounts", MONDAY)
    assert (shown["inserted"], shown["refused"]) == (2, 1)
    assert shown["refused_by_the_database"] == [{"account": "prada", "the database says": "ask Mina first"}]
    execute(installation, "drop trigger locked on instagram_accounts")
    installation.run("intake_job", MONDAY, WEDNESDAY)
    assert set(installation.accounts()) == {"prada", "timberland", "uniqlo_jp"}


def test_a_schema_that_refuses_every_account_stops_the_intake(installation: Graph) -> None:
    execute(installation, "alter table instagram_accounts add constraint short check (length(username) < 3)")
    stopped = installation.run("intake_job", MONDAY, WEDNESDAY, succeeds=False)
    assert "the check short of instagram_accounts refuses it; let it allow this row" in reasons(stopped)[0]


def test_an_account_that_cannot_be_adopted_leaves_the_others_their_cohort(installation: Graph) -> None:
    execute(
        installation,
        "insert into instagram_accounts (username, created_at) select name, "
        f"'{MONDAY} 12:00Z' from unnest(array['prada', 'by.hand', 'by.another']) as name",
    )
    execute(installation, LOCKED.format("update"))
    installation.run("intake_job", MONDAY, WEDNESDAY)
    cohorts = {name: (value or {}).get("cohort") for name, value in installation.accounts().items()}
    assert cohorts["prada"] is None
    assert {cohorts["by.hand"], cohorts["by.another"]} == {MONDAY.isoformat()}
