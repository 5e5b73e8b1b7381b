"""The SQL function under which two names are the same, against a table and against its twin in Python."""

import html

import psycopg
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from entity_pipeline.domains.entities.language.same_name import normalise_name

_SIGNS = "‘’“”–—·・®™©˚°℠"


def _normalised(connection: psycopg.Connection, name: str | None) -> str | None:
    row = connection.execute("select entity_pipeline_name_key(%s)", (name,)).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("GENTLE  MONSTER™", "gentlemonster"),
        ("Gentle Monster", "gentlemonster"),
        ("(G)I-DLE", "gidle"),
        ("Chloé", "chloe"),
        ("BØRNS", "borns"),
        ("rag & bone", "ragandbone"),
        ("T‐ARA", "tara"),
        ("Samsøe Samsøe", "samsoesamsoe"),
        ("Dolce&Gabbana", "dolceandgabbana"),
        ("Ｎｅｗ　Ｊｅａｎｓ", "newjeans"),
        ("젠틀 몬스터", "젠틀몬스터"),
        ("젠틀몬스터", "젠틀몬스터"),
        ("ガガミラノ", "ガガミラノ"),
        ("コム・デ・ギャルソン", "コムデギャルソン"),
        ("Dr. Martens®", "drmartens"),
        ("Levi’s", "levis"),
        ("A‑COLD‑WALL*", "acoldwall"),
        ("ГОША", "гоша"),
        ("½", "1⁄2"),
        ("***", ""),
        (None, None),
    ],
)
def test_names_are_the_same_when_only_their_form_differs(
    operation: psycopg.Connection, name: str | None, same_as: str | None
) -> None:
    assert _normalised(operation, name) == same_as


# Without capitals of other alphabets, which the database leaves as they are.
_LETTERS = st.characters(
    exclude_characters="\x00",
    max_codepoint=0xFFFF,
    categories=("Ll", "Lo", "Nd", "Zs", "Po", "Pd", "Ps", "Pe", "Mn"),
) | st.sampled_from("ABCXYZÀÉİØÆŁĐŒÞΑΣΩАЯЁЇҐԱՖ" + _SIGNS)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(_LETTERS, max_size=20))
@example("Ünïted Ârrows – 東京™")
def test_the_database_and_the_decision_agree_on_every_name(operation: psycopg.Connection, name: str) -> None:
    assume(html.unescape(name) == name)  # the function does not decode HTML; see the module of its twin
    assert _normalised(operation, name) == normalise_name(name)


def test_a_name_is_looked_up_through_the_index(operation: psycopg.Connection) -> None:
    operation.execute("insert into brands (name_en) select 'Brand ' || n from generate_series(1, 5000) as n")
    operation.execute("analyze brands")
    plan = operation.execute(
        "explain (costs off) select id from brands "
        "where public.entity_pipeline_name_key(name_en) = public.entity_pipeline_name_key('BRAND-77')"
    ).fetchall()
    assert "entity_pipeline_brands_name_en_key" in str(plan)
