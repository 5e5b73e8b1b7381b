"""What `DAGSTER_POSTGRES_URL` must look like, and what is said of one that Dagster can't use."""

import pytest

from entity_pipeline.resources.dagster_address import mistake_in

FORM = "postgresql+psycopg2://user:password@host:5432/dagster"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (
            "postgresql://u:s3cret@h:5432/d",
            f"begins with postgresql://: write it with Dagster's driver, {FORM}.",
        ),
        ("postgres://u:s3cret@h/d", "begins with postgres://"),
        ("postgresql+psycopg://u:s3cret@h/d", "begins with postgresql+psycopg://"),
        ("host=h password=s3cret", "is not a URL"),
        (
            "postgresql+psycopg2://u:s3cret@h/d?pgbouncer=true",
            "has the parameter pgbouncer, which PostgreSQL does",
        ),
        (
            "postgresql+psycopg2://u:s3cret@h/d?sslmode=require&supa=base&schema=x",
            "supa and the parameter schema,",
        ),
    ],
)
def test_an_address_that_dagster_cannot_use_is_one_sentence_without_its_password(url: str, says: str) -> None:
    said = mistake_in(url)
    assert said is not None
    assert said.startswith("DAGSTER_POSTGRES_URL ")
    assert says in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "query", ["", "?sslmode=require", "?sslmode=verify-full&sslrootcert=%2Fca.crt&options=-csearch_path%3Dd"]
)
def test_others_are_taken(query: str) -> None:
    assert mistake_in(f"postgresql+psycopg2://u:p@h:5432/d{query}") is None
