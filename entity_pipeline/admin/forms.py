"""Input from forms: the types of fields, and the version of the row that a form was made from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Form, HTTPException, Request
from pydantic import BaseModel, ValidationError

from entity_pipeline.admin.access import CSRF_FIELD

Query = TypeVar("Query", bound=BaseModel)
ShortText = Annotated[str, Form(max_length=100)]
CsrfToken = Annotated[str, Form(alias=CSRF_FIELD, max_length=200)]


async def _fields(request: Request) -> Mapping[str, str]:
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


Fields = Annotated[Mapping[str, str], Depends(_fields)]
"""Every field of a form whose names are not known beforehand."""


def usable_query(model: type[Query], given: Mapping[str, str]) -> tuple[Query, frozenset[str]]:
    """The query in the fields of an address, and those that were left out because they can't be used. Never raises."""
    refused: set[str] = set()
    while True:
        try:
            query = model.model_validate({name: text for name, text in given.items() if name not in refused})
        except ValidationError as error:
            refused |= {str(problem["loc"][0]) for problem in error.errors()}
        else:
            return query, frozenset(refused)


def version_of(text: str) -> datetime | None:
    """The version of the row in a form, None for '' (no row). Raises 422 for any other text."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise HTTPException(422, "This form can't be read: load the page again and repeat the change.")
    return found
