"""Signing in and out. The page with the form is in `home.py`; the form is sent to the routes here.

A refusal goes back to the form with `?problem=token` or `?problem=tries`, never with the typed text.
"""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from entity_pipeline.admin.access import (
    CSRF_FIELD,
    LONGEST_NAME,
    SESSION_LASTS_S,
    Access,
    TooManyTries,
    access_of,
    address_of,
)
from entity_pipeline.admin.paths import HOME_PATH, SIGN_IN_LINK_PATH, SIGN_IN_PATH, SIGN_OUT_PATH, own_path

router = APIRouter(include_in_schema=False)


@router.post(SIGN_IN_PATH)
def sign_in(
    request: Request,
    token: Annotated[str, Form(max_length=500)],
    name: Annotated[str, Form(min_length=1, max_length=LONGEST_NAME)],
    next: Annotated[str, Form(max_length=2_000)] = HOME_PATH,  # noqa: A002  the name of the form's field
) -> Response:
    """Set the cookie if the token is right."""
    access = access_of(request)
    try:
        cookie = access.sign_in(token.strip(), name, address_of(request))
    except TooManyTries:
        return _to(f"{SIGN_IN_PATH}?problem=tries")
    if cookie is None:
        return _to(f"{SIGN_IN_PATH}?problem=token")
    return _signed_in(access, cookie, own_path(next))


@router.get(SIGN_IN_LINK_PATH)
def sign_in_by_link(request: Request, key: Annotated[str, Query(max_length=500)] = "") -> Response:
    """Set the cookie if `key` is that of a printed link that was not used yet."""
    access = access_of(request)
    cookie = access.sign_in_by_link(key)
    if cookie is None:
        return _to(SIGN_IN_PATH)
    return _signed_in(access, cookie, HOME_PATH)


def _signed_in(access: Access, cookie: str, path: str) -> RedirectResponse:
    response = _to(path)
    # Lax, so that a link in an alert opens the page. No GET makes a change, and every POST carries a token.
    response.set_cookie(
        access.cookie_name,
        cookie,
        max_age=SESSION_LASTS_S,
        path="/",
        secure=access.cookie_is_secure,
        httponly=True,
        samesite="lax",
    )
    return response


@router.post(SIGN_OUT_PATH)
def sign_out(
    request: Request, csrf_token: Annotated[str, Form(alias=CSRF_FIELD, max_length=200)]
) -> Response:
    """End the session."""
    access = access_of(request)
    visitor = access.session_of(request)
    if visitor is not None:
        access.check_csrf(visitor, csrf_token)
        access.sign_out(visitor)
    response = _to(SIGN_IN_PATH)
    response.delete_cookie(
        access.cookie_name, path="/", secure=access.cookie_is_secure, httponly=True, samesite="lax"
    )
    return response


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303)
