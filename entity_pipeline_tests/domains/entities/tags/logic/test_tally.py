import hashlib
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.tags.logic import tally as tagging
from entity_pipeline.domains.entities.tags.logic.tally import (
    DayTally,
    TagCounts,
    TaggedPost,
    seen_at,
    seen_in,
    tally_by_day,
)

DAY = date(2026, 11, 1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Row(NamedTuple):
    posts: int
    first: datetime
    last: datetime
    samples: list[int]


def post(number: int, *tags: Any, minute: int = 0) -> TaggedPost:
    return of_json(json.dumps(tags), number, minute)


def of_json(tags: str | bytes, number: int = 1, minute: int = 0) -> TaggedPost:
    return TaggedPost(seen_in(NOON + timedelta(minutes=minute), UUID(int=number)), tags)


def tally(*posts: TaggedPost) -> DayTally:
    day = DayTally(DAY)
    for one in posts:
        day.add(one)
    return day


def by_username(day: DayTally) -> dict[str, Row]:
    found = {}
    for username, seen in day.rows():
        posts = [seen_at(one) for one in (seen if isinstance(seen, list) else [seen])]
        found[username] = Row(
            len(posts), posts[0][0], posts[-1][0], [post_id.int for _, post_id in posts[:3]]
        )
    return found


@given(st.timedeltas(timedelta(days=-700_000), timedelta(days=2_000_000)), st.uuids())
def test_a_sighting_keeps_its_moment_and_its_post(since: timedelta, post_id: UUID) -> None:
    assert seen_at(seen_in(NOON + since, post_id)) == (NOON + since, post_id)


def test_a_username_is_counted_once_per_post_under_all_its_spellings() -> None:
    day = tally(post(1, "nike", "@Nike", "instagram.com/nike/"), post(2, "NIKE", minute=5))

    assert by_username(day) == {"nike": Row(2, NOON, NOON + timedelta(minutes=5), [1, 2])}
    assert day.counts.repeated_in_post == 2
    assert day.counts.tags == 2
    assert len(day) == 1


@pytest.mark.parametrize(
    "tags", [["nike", "nike"], ["@nike", "nike"], ["nike", "@nike", "NIKE"], ["nike", "nike", 1, True]]
)
def test_a_post_that_repeats_a_username_counts_once_before_and_after_others(tags: list[Any]) -> None:
    day = tally(post(1, "nike"), post(2, *tags), post(3, *tags), post(4, "nike"))

    assert by_username(day)["nike"] == Row(4, NOON, NOON, [1, 2, 3])
    names = [tag for tag in tags if isinstance(tag, str)]
    assert (day.counts.tags, day.counts.repeated_in_post) == (4, 2 * (len(names) - 1))
    assert sum(day.counts.bad_items.values()) == 2 * (len(tags) - len(names))


def test_the_samples_are_the_three_earliest_posts() -> None:
    day = tally(*(post(number, "nike", minute=number) for number in (1, 3, 5, 7, 9)))

    assert by_username(day)["nike"] == Row(
        5, NOON + timedelta(minutes=1), NOON + timedelta(minutes=9), [1, 3, 5]
    )


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
    ],
)
def test_anything_but_an_array_is_counted_by_its_kind(array: Any, kind: str) -> None:
    day = tally(of_json(array))

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
    day = tally(of_json('["nike", ' + "[" * depth + "]" * depth + ', {"a": [1]}]'))

    assert by_username(day).keys() == {"nike"}
    assert day.counts.bad_items == Counter({"not_a_string": 2})
    assert day.counts.examples["not_a_string"] == ["(array)", "(object)"]


def test_bytes_are_taken_like_text() -> None:
    day = tally(of_json('["nike"]', 1), of_json(b'["nike"]', 2))
    assert by_username(day)["nike"].posts == 2


def test_an_empty_array_is_a_post_without_usernames_and_not_a_fault() -> None:
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


@given(contents=_POSTS)
def test_the_rows_agree_with_a_plain_count(contents: Any) -> None:
    contents = sorted(contents, key=lambda pair: pair[0])
    posts = [post(number, *tags, minute=minute) for number, (minute, tags) in enumerate(contents)]
    expected: dict[str, list[int]] = {}
    for number, (_, tags) in enumerate(contents):
        for name in {str(tag).lstrip("@").lower() for tag in tags} & {"nike", "adidas", "puma"}:
            expected.setdefault(name, []).append(number)

    day = tally(*posts)
    assert by_username(day) == {
        name: Row(
            len(numbers),
            NOON + timedelta(minutes=contents[numbers[0]][0]),
            NOON + timedelta(minutes=contents[numbers[-1]][0]),
            numbers[:3],
        )
        for name, numbers in expected.items()
    }
    assert day.counts.tags == sum(map(len, expected.values()))


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC), date(2026, 11, 1)),
        (datetime.fromisoformat("2026-11-01T08:00:00+09:00"), date(2026, 10, 31)),
        (datetime(2020, 1, 1, tzinfo=UTC), date(2026, 10, 1)),
        (datetime(1969, 7, 20, tzinfo=UTC), date(2026, 10, 1)),
    ],
)
def test_a_post_belongs_to_its_utc_day_and_never_before_the_first(moment: datetime, day: date) -> None:
    (found,) = tally_by_day([TaggedPost(seen_in(moment, UUID(int=1)), "[]")], date(2026, 10, 1))
    assert found.day == day


def test_a_large_day_comes_in_pieces_and_no_post_is_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagging, "PIECE_USERNAMES", 2)
    posts = [post(number, f"name_{number}", "nike", minute=number) for number in range(4)]
    pieces = list(tally_by_day([*posts, post(9, "puma", minute=24 * 60)], DAY))

    assert [(piece.day, sorted(by_username(piece))) for piece in pieces] == [
        (DAY, ["name_0", "nike"]),
        (DAY, ["name_1", "nike"]),
        (DAY, ["name_2", "nike"]),
        (DAY, ["name_3", "nike"]),
        (DAY + timedelta(days=1), ["puma"]),
    ]
    assert [piece.counts.posts for piece in pieces] == [1] * 5


def test_each_day_is_let_go_when_the_next_one_starts() -> None:
    posts = [post(1, "nike"), post(2, "puma", minute=1), post(3, "nike", minute=24 * 60)]
    days = [(day.day, sorted(by_username(day))) for day in tally_by_day(posts, DAY)]
    assert days == [(DAY, ["nike", "puma"]), (DAY + timedelta(days=1), ["nike"])]


def test_posts_out_of_order_are_refused_before_a_day_comes_out_twice() -> None:
    with pytest.raises(ValueError, match="out of order"):
        list(tally_by_day([post(1, "nike", minute=24 * 60), post(2, "nike")], DAY))


def test_no_posts_are_no_days() -> None:
    assert list(tally_by_day([], DAY)) == []


GOLDEN: list[Any] = [
    ["nike", "Nike", "@nike", "https://www.instagram.com/NIKE/?hl=en"],
    ["ｎｉｋｅ", " puma ", "a.b_c", "_a", "0"],
    ["nıke", "nike\u200b", "ΝIKE", "한글", "a..b", ".a", "a.", "explore", "x" * 31, "", " ", "@"],
    ["https://evil.example/nike", "instagram.com/p/abc", "instagram.com/nike/tagged/"],
    [None, 7, 1.5, True, ["nike"], {"username": "nike"}],
    [],
    None,
    "nike",
    {"0": "nike"},
    7,
]
# By version of the rules: what the golden cases come to. A version that was released is never changed.
GOLDEN_RESULTS = {"4": "e20c936324adfc0c", "3": "e20c936324adfc0c"}


def test_rules_that_count_the_golden_cases_differently_have_another_version() -> None:
    day = tally(*(of_json(json.dumps(tags), number) for number, tags in enumerate(GOLDEN, start=1)))
    counts = {name: getattr(day.counts, name) for name in TagCounts.__slots__}
    result = json.dumps([by_username(day), counts], sort_keys=True, default=str)
    assert hashlib.sha256(result.encode()).hexdigest()[:16] == GOLDEN_RESULTS[tagging.RULES], (
        "what is counted has changed: raise RULES in tags/logic/tally.py, and note the result under the new version"
    )
