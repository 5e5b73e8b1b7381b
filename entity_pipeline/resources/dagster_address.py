"""`DAGSTER_POSTGRES_URL`, which Dagster passes to SQLAlchemy as it stands: what it must look like.

Dagster's own processes read the variable themselves, so it is refused here and not corrected.
"""

import re

from entity_pipeline.resources.postgres import unknown_parameters

VARIABLE = "DAGSTER_POSTGRES_URL"
_DRIVER = "postgresql+psycopg2://"
_FORM = f"{_DRIVER}user:password@host:5432/dagster"


def mistake_in(url: str) -> str | None:
    """The sentence that says what to write, without the address, which holds a password; None for a usable one."""
    scheme = re.match(r"\s*([\w+]*://)?", url)
    begins = scheme[1] if scheme else None
    if begins != _DRIVER:
        what = f"begins with {begins}" if begins else "is not a URL"
        return f"{VARIABLE} {what}: write it with Dagster's driver, {_FORM}."
    if unknown := unknown_parameters(url):
        names = " and the parameter ".join(unknown)
        return (
            f"{VARIABLE} has the parameter {names}, which PostgreSQL does not know: remove it, and use the direct "
            f"address or a pooler in session mode, {_FORM}."
        )
    return None
