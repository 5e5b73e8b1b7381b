"""Google's search suggestions of one account: HTML that we did not write, as a document of its own in a sandbox.

Google's terms ask to show it as it came, and it styles itself inline. So it gets the one policy that allows that,
no script, no origin, and is shown in a frame (`<iframe src=... sandbox="allow-popups">`).
"""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from entity_pipeline.admin.access import signed_in
from entity_pipeline.admin.desk import Desk
from entity_pipeline.admin.guard import SUGGESTIONS_POLICY
from entity_pipeline.admin.sessions import HOME_PATH

SUGGESTIONS_PATH = HOME_PATH + "/{username:path}/search-suggestions"

router = APIRouter(include_in_schema=False)


@router.get(SUGGESTIONS_PATH)
def search_suggestions(request: Request, username: str) -> HTMLResponse:
    """The stored HTML."""
    if signed_in(request) is None:
        raise HTTPException(401, "Sign in to see this.")
    desk: Desk = request.app.state.desk
    html = desk.search_suggestions(username)
    if html is None:
        raise HTTPException(404, "No search suggestions are stored for this account.")
    head = '<!doctype html><meta charset="utf-8"><base target="_blank">'
    return HTMLResponse(head + html, headers={"Content-Security-Policy": SUGGESTIONS_POLICY})
