"""The SQL function must agree with `normalise_name`, or candidates are not found."""

from typing import Any

import psycopg
import pytest

from entity_pipeline.domains.entities.language.same_name import normalise_name
from entity_pipeline_tests.domains.entities.language.test_same_name import CASES

MORE = [
    "Łódź Üç Ñandú Æon",
    "БРЕНД Ёлка",
    "ΩMEGA Ζεύς",
    "ﬁn ﬂ ½ ²",
    "㈜회사 ㍿",
    "a\u0301\u0323 e\u0308",
    "ｱﾃﾞｨﾀﾞｽ",
    "𝐁𝐎𝐋𝐃",
]


@pytest.mark.parametrize("text", [case[0] for case in CASES] + MORE)
def test_sql_and_python_agree(operation: psycopg.Connection[Any], text: str) -> None:
    row = operation.execute("select entity_pipeline_name_key(%s)", [text]).fetchone()
    assert row == (normalise_name(text),)
