import io

import pytest

from entity_pipeline.domains.entities.evaluation.logic.labelled_accounts import Labelled, read_labels
from entity_pipeline.domains.entities.models import AccountType


def read(text: str) -> tuple[list[str], list[str], int]:
    labels = read_labels(io.StringIO(text, newline=""), "labels.csv")
    return (
        [account.handle for account in labels.accounts],
        [str(bad) for bad in labels.problems],
        labels.ambiguous,
    )


def test_accounts_are_read_with_everything_known_about_them() -> None:
    text = (
        "\ufeffUsername;gold_type;hard_negative;name_en;name_ko;country\r\n"
        "@Gentle.Monster;brand;;Gentle Monster;젠틀몬스터;kr\r\n"
        "\r\n"
        "nivea;Other;beauty;NIVEA;;DE\r\n"
    )
    labels = read_labels(io.StringIO(text, newline=""), "labels.csv")
    assert labels.accounts == (
        Labelled("gentle.monster", AccountType.BRAND, "", "Gentle Monster", "젠틀몬스터", "KR"),
        Labelled("nivea", AccountType.OTHER, "beauty", "NIVEA", None, None),
    )
    assert (labels.problems, labels.ambiguous) == ((), 0)


def test_ambiguous_accounts_are_left_out_and_counted() -> None:
    assert read("username,gold_type\na.b,ambiguous\nc.d,group\n") == (["c.d"], [], 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "labels.csv:1: the header has no column username or gold_type"),
        ("username,type\n", "labels.csv:1: the header has no column gold_type"),
        ("username,gold_type,username\n", "labels.csv:1: the header has the column username twice"),
        ("username,gold_type\nprada\n", "labels.csv:2: it has 1 values, but the header has 2 columns"),
        (
            "username,gold_type\nno handle!,brand\n",
            "labels.csv:2: 'no handle!' is not a valid Instagram handle",
        ),
        (
            "username,gold_type\n\nprada,maker\n",
            "labels.csv:3: the label 'maker' is not known: write artist, brand, group, other or ambiguous",
        ),
        (
            "username,gold_type\nprada,brand\nzara,brand\n@Prada,other\n",
            "labels.csv:4: 'prada' is on line 2 already",
        ),
        (
            "username,gold_type,country\nprada,brand,Italy\n",
            "labels.csv:2: the country 'Italy' is not a two-letter code",
        ),
        (
            'username,gold_type,evidence\nprada,brand,"two\nlines"\nzara,,x\n',
            "labels.csv:4: the label '' is not known: write artist, brand, group, other or ambiguous",
        ),
    ],
)
def test_each_mistake_is_reported_with_its_line(text: str, problem: str) -> None:
    assert problem in read(text)[1]


def test_an_unknown_column_is_named_beside_the_known_ones() -> None:
    _, problems, _ = read("username,gold_type,colour\nprada,brand,red\n")
    assert problems[0].startswith(
        "labels.csv:1: the header has unknown columns (colour); the known ones are username, "
    )


def test_every_bad_line_is_listed() -> None:
    assert len(read("username,gold_type\na,x\nb,y\nc,brand\n")[1]) == 2
