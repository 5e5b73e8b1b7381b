"""What a person does to the pool, and what happens to a process that is using the account."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.instagram.outcomes import SeatOutcome
from entity_pipeline.resources.instagram import pool
from entity_pipeline.resources.instagram.governor import LEASE, Governor
from entity_pipeline.resources.instagram.seats import Busy, LeaseLost, Purpose, Seat, Slot
from entity_pipeline_tests.resources.instagram.instagram_row import permit

Connection = psycopg.Connection[Any]
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOST = "www.instagram.com"
LOOK = Purpose("entities", "profile", "somebody")


@pytest.fixture(autouse=True)
def permitted(assets: Connection) -> None:
    permit(assets)


@pytest.fixture
def governor() -> Governor:
    return Governor("this process", lambda _: START)


def add(assets: Connection, username: str = "ours", **options: Any) -> pool.PoolAccount:
    return pool.add_account(assets, username, "sealed", START, **options)


def leased(governor: Governor, assets: Connection) -> Seat:
    seat = governor.lease(assets)
    assert isinstance(seat, Seat), seat
    return seat


def state(assets: Connection, username: str = "ours") -> str:
    return pool.account(assets, username, START).state


def test_a_new_account_goes_out_directly_unless_a_route_is_named(assets: Connection) -> None:
    assert add(assets) == pool.PoolAccount("ours", "active", None, "direct", False, None, None, None)
    assert add(assets, "more", route="proxy-1", proxy_secret="sealed proxy").route == "proxy-1"
    assert add(assets, "last", route="proxy-1").route == "proxy-1"
    with pytest.raises(InputRejected, match="no route 'proxy-2' yet: add its proxy with --proxy URL"):
        add(assets, "none", route="proxy-2")
    assert [one.username for one in pool.accounts(assets, START)] == ["last", "more", "ours"]


def test_adding_again_keeps_the_route_and_replaces_the_session(
    assets: Connection, governor: Governor
) -> None:
    add(assets, route="proxy-1", proxy_secret="sealed proxy")
    again = pool.add_account(assets, "ours", "sealed anew", START)
    assert again.route == "proxy-1"
    seat = leased(governor, assets)
    assert (seat.session_secret, seat.proxy_secret) == ("sealed anew", "sealed proxy")
    assert add(assets, route="direct").route == "direct"


@pytest.mark.parametrize(
    ("outcome", "after"),
    [(SeatOutcome.LOGGED_OUT, "active"), (SeatOutcome.LIMITED, "cooling")],
)
def test_a_new_session_replaces_a_lost_one_and_ends_no_cooling(
    assets: Connection, governor: Governor, outcome: SeatOutcome, after: str
) -> None:
    add(assets)
    governor.release(assets, leased(governor, assets), outcome, with_session=True)
    assert state(assets) in ("needs_session", "cooling")
    assert add(assets).state == after


@pytest.mark.parametrize(
    "change", [pool.disable_account, lambda *a: pool.add_account(a[0], a[1], "new", a[2])]
)
def test_a_process_using_an_account_sends_nothing_more_after_a_person_changed_it(
    assets: Connection, governor: Governor, change: Any
) -> None:
    add(assets)
    seat = leased(governor, assets)
    assert isinstance(governor.take_slot(assets, seat, LOOK, host=HOST), Slot)
    change(assets, "ours", START)
    standing = state(assets)
    assert governor.take_slot(assets, seat, LOOK, host=HOST) == LeaseLost()
    governor.release(assets, seat, SeatOutcome.LOGGED_OUT, with_session=True)
    assert state(assets) == standing
    assert not isinstance(governor.lease(assets, only="ours"), Seat)


def test_an_account_disabled_in_sql_stays_disabled_whatever_its_holder_reports(
    assets: Connection, governor: Governor
) -> None:
    add(assets)
    seat = leased(governor, assets)
    assets.execute("update instagram_pool_accounts set state = 'disabled'")
    assert governor.take_slot(assets, seat, LOOK, host=HOST) == LeaseLost()
    governor.release(assets, seat, SeatOutcome.LIMITED, with_session=True)
    assert state(assets) == "disabled"


def test_enabling_ends_no_cooling_and_restores_no_session(assets: Connection, governor: Governor) -> None:
    add(assets)
    governor.release(assets, leased(governor, assets), SeatOutcome.CHALLENGED, with_session=True)
    pool.disable_account(assets, "ours", START)
    assert state(assets) == "disabled"
    enabled = pool.enable_account(assets, "ours", START)
    assert (enabled.state, enabled.cooling_until) == ("cooling", START + timedelta(minutes=90))
    assets.execute("update instagram_pool_accounts set state = 'needs_session'")
    with pytest.raises(InputRejected, match="needs a new session"):
        pool.enable_account(assets, "ours", START)
    for change in (pool.enable_account, pool.disable_account):
        with pytest.raises(InputRejected, match="'nobody' is not in the pool"):
            change(assets, "nobody", START)


def test_times_in_the_past_are_not_shown(assets: Connection, governor: Governor) -> None:
    add(assets)
    leased(governor, assets)
    assert pool.account(assets, "ours", START).leased_until == START + LEASE
    assert pool.account(assets, "ours", START + LEASE).leased_until is None
    assets.execute("update instagram_pool_accounts set state = 'cooling', cooling_until = %s", [START])
    shown = pool.account(assets, "ours", START)
    assert (shown.state, shown.cooling_until) == ("active", None)


def test_the_named_account_is_leased_or_none(assets: Connection, governor: Governor) -> None:
    assert isinstance(governor.lease(assets, only="ours"), Busy)
    add(assets, "other")
    add(assets)
    seat = governor.lease(assets, only="ours")
    assert isinstance(seat, Seat)
    assert seat.account == "ours"
    busy = governor.lease(assets, only="ours")
    assert isinstance(busy, Busy)
    assert str(busy.reason) == "The account 'ours' or its route is cooling down or in use."
