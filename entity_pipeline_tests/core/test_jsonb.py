"""JSON text that PostgreSQL accepts, and what is read back from it."""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from entity_pipeline.core.jsonb import MAX_DEPTH, TOO_DEEP, jsonb_text, read_json, read_stored

Connection = psycopg.Connection[Any]
REPLACED = "\N{REPLACEMENT CHARACTER}"
# All code points, surrogates too; a backslash and its companions more often than chance has it.
TEXT = st.text(st.characters() | st.sampled_from('\\"u0d8\x00\ud83d\ude00'), max_size=12)
# A float without decimals comes back as an integer, which equals it only below 2**53.
FLOATS = st.floats(-1e15, 1e15) | st.sampled_from([math.nan, math.inf, -math.inf])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


def stored(assets: Connection, value: Any) -> Any:
    row = assets.execute("select %s::jsonb", [jsonb_text(value)]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a\x00b", f"a{REPLACED}b"),
        ("\x00", REPLACED),
        ("\ud83d", REPLACED),
        (chr(0xDE00), REPLACED),
        ("\ud83dx\ude00", f"{REPLACED}x{REPLACED}"),
        ("\ude00\ud83d", REPLACED * 2),
        ("\ud83d\ud83d\ude00", f"{REPLACED}😀"),
        ("\ud83d\ude00", "😀"),
        ("😀", "😀"),
        ("젠틀몬스터", "젠틀몬스터"),
        ("\\u0000", "\\u0000"),
        ("\\\x00", f"\\{REPLACED}"),
        ("\\\\u0000", "\\\\u0000"),
        ("\\ud83d", "\\ud83d"),
        ("\\" * 5 + "\x00", "\\" * 5 + REPLACED),
        ({"k\x00": "\ud800"}, {f"k{REPLACED}": REPLACED}),
        (math.nan, None),
        ([math.inf, -math.inf, 1.5], [None, None, 1.5]),
        ({"deep": [{"x": math.nan, "y": "a\x00"}]}, {"deep": [{"x": None, "y": f"a{REPLACED}"}]}),
        ("NaN", "NaN"),
        (datetime(2026, 11, 20, tzinfo=UTC), "2026-11-20 00:00:00+00:00"),
        (Decimal("1.10"), "1.10"),
        ({"big": 10**25}, {"big": 10**25}),
    ],
)
def test_text_that_jsonb_refuses_is_replaced_and_everything_else_is_kept(
    assets: Connection, value: Any, kept: Any
) -> None:
    assert stored(assets, value) == kept


def test_the_database_really_refuses_what_is_replaced(assets: Connection) -> None:
    for refused in ('"\\u0000"', '"\\ud83d"', "NaN"):
        with pytest.raises(psycopg.DataError):
            assets.execute("select %s::jsonb", [refused])


def replaced(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        joined = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return joined.replace("\x00", REPLACED)
    if isinstance(value, list):
        return [replaced(inner) for inner in value]
    if isinstance(value, dict):
        return {replaced(key): replaced(inner) for key, inner in value.items()}
    return value


@example("\\\\\x00")
@given(JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_makes_the_round_trip(assets: Connection, value: Any) -> None:
    assert stored(assets, value) == replaced(value)


@given(JSON)
def test_the_text_is_plain_json_in_ascii(value: Any) -> None:
    text = jsonb_text(value)
    assert text.isascii()
    json.loads(text)


@given(JSON)
def test_what_was_written_is_read_back(value: Any) -> None:
    text = jsonb_text(value)
    assert read_json(text) == read_json(text.encode()) == read_stored(text) == json.loads(text)


@pytest.mark.parametrize(
    ("opening", "closing", "levels"),
    [("[", "]", 1), ('{"a":', "}", 1), ('[{"]":"[",   "b":', "}]", 2), ('{"\\"{":[', "]}", 2)],
)
def test_a_nesting_beyond_the_limit_is_refused_and_one_within_it_is_not(
    opening: str, closing: str, levels: int
) -> None:
    within = MAX_DEPTH // levels
    assert read_json(opening * within + "1" + closing * within)
    for times in (within + 1, 1_000, 100_000):
        text = opening * times + "1" + closing * times
        with pytest.raises(ValueError, match="nests more than"):
            read_json(text)
        pruned = json.dumps(read_stored(text))
        assert pruned.count(TOO_DEEP) == 1
        assert pruned.count("[") + pruned.count("{") <= MAX_DEPTH + pruned.count('"["') + pruned.count('{":')


def test_only_what_nests_too_deep_is_lost() -> None:
    deep = "[" * 3_000 + '"]"' + "]" * 3_000
    found = read_stored(f'{{"a": {deep}, "b": [1, {deep}, {{"c": "]"}}], "d": "[["}}')
    assert (found["b"][0], found["b"][2], found["d"]) == (1, {"c": "]"}, "[[")
    assert json.dumps(found).count(TOO_DEEP) == 2


def test_brackets_within_a_text_do_not_count_as_nesting() -> None:
    value = {"bio": "[{" * 1_000 + '"' + "\\"}
    assert read_json(json.dumps(value)) == read_stored(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text", ["", "{", "nul", '{"a" 1}', b"\xff", b"\xff\xfe", "9" * 5_000, "[" * 50, '"' * 3, '{"a":"\\']
)
def test_invalid_json_is_refused_with_one_kind_of_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e5000", math.inf), ("-1e5000", -math.inf), ("[1e308]", [10**308]), ("1e400", 10**400), ("0.5", 0.5)],
)
def test_a_number_that_postgresql_holds_and_python_does_not_is_infinite(
    assets: Connection, text: str, value: Any
) -> None:
    row = assets.execute("select %s::jsonb::text", [text]).fetchone()
    assert row is not None
    assert read_stored(row[0]) == read_stored(row[0].encode()) == value
