"""Pages below the entities' one: an account, its search suggestions, and the list as a file."""

from collections.abc import Mapping

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from entity_pipeline.admin.access import signed_in
from entity_pipeline.admin.guard import SUGGESTIONS_POLICY
from entity_pipeline.admin.screen import Screen, SignedIn
from entity_pipeline.core.text.web_address import address_parts, origin
from entity_pipeline.domains.entities.page.account_values import AccountFigures
from entity_pipeline.domains.entities.page.mounted import figures_of
from entity_pipeline.domains.entities.page.queue_form import read_queue_form

router = APIRouter()


@router.get("/-/export.{form}")
def export(screen: SignedIn, form: str) -> Response:
    """The list as a file, as it is filtered."""
    if form not in ("csv", "json"):
        raise HTTPException(404, "There is no such export.")
    return figures_of(screen.request).export(read_queue_form(screen.query).query, form)


@router.get("/{username:path}/search-suggestions")
def search_suggestions(request: Request, username: str) -> HTMLResponse:
    """Google's HTML as a document of its own: their terms ask to show it as it came, and it styles itself inline.

    So it gets the one policy that allows that, no script and no origin, and is shown in a sandboxed frame.
    """
    if signed_in(request) is None:
        raise HTTPException(401, "Sign in to see this.")
    html = figures_of(request).search_suggestions(username)
    if html is None:
        raise HTTPException(404, "No search suggestions are stored for this account.")
    head = '<!doctype html><meta charset="utf-8"><base target="_blank">'
    return HTMLResponse(head + html, headers={"Content-Security-Policy": SUGGESTIONS_POLICY})


@router.get("/{username:path}")
def account(screen: SignedIn, username: str) -> Response:
    """One account."""
    found = figures_of(screen.request).account(username)
    if found is None:
        raise HTTPException(404, "There is no account of this name.")
    return screen.show(
        "entities/account.html",
        account=found,
        best=_best_known(found),
        picture=_own_picture(screen, found.profile.image_url),
    )


def _best_known(account: AccountFigures) -> Mapping[str, str | None]:
    """What the catalog's columns say, or else the review: as the list shows it."""
    reviewed = {field.name: field.value for field in account.review.fields}
    columns = {
        "name_en": (account.name_en, "name_en"),
        "name_ko": (account.name_ko, "name_ko"),
        "type": (account.type, "account_type"),
        "role": (account.role, "account_role"),
        "region": (account.region, "entity_region_code"),
    }
    return {
        name: column if column and column != "unknown" else reviewed.get(field) or column
        for name, (column, field) in columns.items()
    }


def _own_picture(screen: Screen, address: str | None) -> str | None:
    """A picture that the content policy lets the browser load; nothing is asked of another host."""
    parts = address_parts(address)
    is_ours = parts is not None and origin(parts) == screen.shell.configuration.picture_origin
    return address if is_ours else None
