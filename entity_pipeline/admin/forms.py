"""Input from forms: the types of fields, and the version of the row that a form was made from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Form, HTTPException, Request

from entity_pipeline.admin.access import CSRF_FIELD

ShortText = Annotated[str, Form(max_length=100)]
CsrfToken = Annotated[str, Form(alias=CSRF_FIELD, max_length=200)]


async def _fields(request: Request) -> Mapping[str, str]:
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


Fields = Annotated[Mapping[str, str], Depends(_fields)]
"""Every field of a form whose names are not known beforehand."""


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
