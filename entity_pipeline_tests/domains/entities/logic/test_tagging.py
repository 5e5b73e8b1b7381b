import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.logic.tagging import (
    DayTally,
    TagCounts,
    TaggedPost,
    TaggedUsername,
    collection_day,
    tally_by_day,
)

DAY = date(2026, 11, 1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def post(number: int, *tags: Any, minute: int = 0) -> TaggedPost:
    return TaggedPost(f"post-{number}", NOON + timedelta(minutes=minute), json.dumps(tags))


def tally(*posts: TaggedPost) -> DayTally:
    day = DayTally(DAY)
    for one in posts:
        day.add(one)
    return day


def by_username(day: DayTally) -> dict[str, TaggedUsername]:
    return {row.username: row for row in day.rows()}


def test_a_username_is_counted_once_a_post_under_all_its_spellings() -> None:
    day = tally(post(1, "nike", "@Nike", "instagram.com/nike/"), post(2, "NIKE", minute=5))

    assert list(day.rows()) == [
        TaggedUsername("nike", 2, NOON, NOON + timedelta(minutes=5), ["post-1", "post-2"])  # type: ignore[arg-type]
    ]
    assert day.counts.repeated_in_post == 2
    assert day.counts.tags == 2
    assert len(day) == 1


def test_the_samples_are_the_three_earliest_posts() -> None:
    day = tally(*(post(number, "nike", minute=number) for number in (5, 3, 9, 1, 7)))

    assert by_username(day)["nike"].sample_posts == ["post-1", "post-3", "post-5"]
    assert by_username(day)["nike"].posts == 5
    assert by_username(day)["nike"].last_seen_at == NOON + timedelta(minutes=9)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        ('{"nike": 1}', "object"),
        ('"nike"', "string"),
        ("7", "number"),
        ("1.5", "number"),
        ("true", "boolean"),
        ("null", "null"),
        ('["nike"', "unreadable"),
        ("", "unreadable"),
        (b"\xff", "unreadable"),
        ({"nike": 1}, "object"),
        (object(), "unreadable"),
    ],
)
def test_what_is_no_array_is_counted_by_what_it_is(array: Any, kind: str) -> None:
    day = tally(TaggedPost("post-1", NOON, array))

    assert day.counts.bad_arrays == Counter({kind: 1})
    assert day.counts.posts == day.counts.posts_without_username == 1
    assert list(day.rows()) == []


def test_bad_items_are_counted_by_reason_and_the_good_ones_beside_them_are_kept() -> None:
    day = tally(post(1, "nike", None, 7, ["x"], {"a": 1}, "", "ni ke", "p", "нике", True))

    assert by_username(day).keys() == {"nike"}
    assert day.counts.bad_items == Counter(
        {"not_a_string": 5, "empty": 1, "bad_character": 1, "reserved_path": 1, "look_alike": 1}
    )
    assert day.counts.examples["bad_character"] == ["'ni ke'"]
    assert len(day.counts.examples["not_a_string"]) == 3


@pytest.mark.parametrize("depth", [10, 900, 1_000, 1_020])
def test_an_item_that_nests_too_deep_to_be_printed_is_one_more_bad_item(depth: int) -> None:
    day = tally(TaggedPost("post-1", NOON, '["nike", ' + "[" * depth + "]" * depth + ', {"a": [1]}]'))

    assert by_username(day).keys() == {"nike"}
    assert day.counts.bad_items == Counter({"not_a_string": 2})
    assert day.counts.examples["not_a_string"] == ["(array)", "(object)"]


def test_parsed_arrays_and_bytes_are_taken_like_text() -> None:
    day = tally(TaggedPost("a", NOON, ["nike"]), TaggedPost("b", NOON, b'["nike"]'))
    assert by_username(day)["nike"].posts == 2


def test_an_empty_array_is_a_post_without_username_and_no_fault() -> None:
    day = tally(post(1))
    assert day.counts == TagCounts(posts=1, posts_without_username=1)


def test_counts_of_several_days_add_up() -> None:
    total = TagCounts()
    for day in (tally(post(1, "nike", None)), tally(post(2, "nike", None, "ni ke"))):
        total.add(day.counts)
    assert (total.posts, total.tags) == (2, 2)
    assert total.bad_items == Counter({"not_a_string": 2, "bad_character": 1})
    assert total.examples == {"not_a_string": ["None", "None"], "bad_character": ["'ni ke'"]}


_ITEMS = st.sampled_from(["nike", "@Nike", "adidas", "puma", "nike/x", None, 3])
_POSTS = st.lists(
    st.tuples(st.integers(0, 3), st.lists(_ITEMS, max_size=4)).map(lambda pair: (pair[0], tuple(pair[1])))
)


@given(contents=_POSTS, random=st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_the_order_of_posts(contents: Any, random: Any) -> None:
    posts = [post(number, *tags, minute=minute) for number, (minute, tags) in enumerate(contents)]
    shuffled = random.sample(posts, len(posts))

    assert by_username(tally(*posts)) == by_username(tally(*shuffled))
    assert tally(*posts).counts.bad_items == tally(*shuffled).counts.bad_items


@given(contents=_POSTS)
def test_the_rows_agree_with_a_plain_count(contents: Any) -> None:
    posts = [post(number, *tags, minute=minute) for number, (minute, tags) in enumerate(contents)]
    expected: dict[str, list[TaggedPost]] = {}
    for one in sorted(posts, key=lambda one: (one.created_at, one.id)):
        names = {str(tag).lstrip("@").lower() for tag in json.loads(one.tags)}
        for name in names & {"nike", "adidas", "puma"}:
            expected.setdefault(name, []).append(one)

    assert by_username(tally(*posts)) == {
        name: (name, len(ones), ones[0].created_at, ones[-1].created_at, [one.id for one in ones[:3]])
        for name, ones in expected.items()
    }


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC), date(2026, 11, 1)),
        (datetime.fromisoformat("2026-11-01T08:00:00+09:00"), date(2026, 10, 31)),
        (datetime(2020, 1, 1, tzinfo=UTC), date(2026, 10, 1)),
    ],
)
def test_a_post_belongs_to_its_utc_day_and_never_before_the_first(moment: datetime, day: date) -> None:
    assert collection_day(moment, date(2026, 10, 1)) == day


def test_each_day_is_let_go_when_the_next_one_starts() -> None:
    posts = [post(1, "nike"), post(2, "puma", minute=1), post(3, "nike", minute=24 * 60)]
    days = [(day.day, sorted(by_username(day))) for day in tally_by_day(posts, DAY)]
    assert days == [(DAY, ["nike", "puma"]), (DAY + timedelta(days=1), ["nike"])]


def test_posts_out_of_order_are_refused_before_a_day_comes_out_twice() -> None:
    with pytest.raises(ValueError, match="out of order"):
        list(tally_by_day([post(1, "nike", minute=24 * 60), post(2, "nike")], DAY))


def test_no_posts_are_no_days() -> None:
    assert list(tally_by_day([], DAY)) == []
