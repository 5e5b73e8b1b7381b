from collections import Counter
from dataclasses import replace

import pytest

from entity_pipeline.core.failures import ConfigurationFailure, InputRejected
from entity_pipeline.domains.entities.evaluation.queries.evaluations import NewEvaluation, find, keep, newest
from entity_pipeline_tests.databases import ClonedDatabase

ONE = NewEvaluation(
    created_by="cli:me",
    file="labels.csv",
    file_sha256="ab",
    answers_from="127.0.0.1:1",
    model="gemini-2.5-flash",
    prompt_version="1",
    schema_version="1",
    rules_version="1",
    settings={"thresholds": {}},
    figures={"asked": 1},
    proposal=[{"type": "brand"}],
    answers=[{"handle": "프라다"}],
)


def test_an_evaluation_is_found_again_by_the_beginning_of_its_id(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        number = keep(connection, ONE)
        keep(connection, replace(ONE, prompt_version="2", answers_from=None))
        found = find(connection, str(number)[:13].upper())
        listed = newest(connection, 10)
    assert (found.id, found.answers, found.figures) == (number, ONE.answers, ONE.figures)
    assert [(item.prompt_version, item.answers_from) for item in listed] == [
        ("2", None),
        ("1", "127.0.0.1:1"),
    ]
    assert listed[0].answers == []


def test_an_id_that_matches_none_or_several_is_refused(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        for beginning, said in (("ffff", "No evaluation has"), ("%", "is not the id"), ("", "is not the id")):
            with pytest.raises(InputRejected, match=said):
                find(connection, beginning)
        first = Counter(str(keep(connection, ONE))[0] for _ in range(17))
        ((several, count),) = first.most_common(1)
        assert count > 1  # of 17 ids two begin alike
        with pytest.raises(InputRejected, match="Several evaluations have"):
            find(connection, several)


def test_a_missing_table_says_what_to_run(assets_db: ClonedDatabase) -> None:
    with assets_db.connection() as connection:
        connection.execute("drop table review_evaluations")
        with pytest.raises(ConfigurationFailure, match="run `entity-pipeline migrate`"):
            keep(connection, ONE)
        with pytest.raises(ConfigurationFailure, match="run `entity-pipeline migrate`"):
            newest(connection, 1)
