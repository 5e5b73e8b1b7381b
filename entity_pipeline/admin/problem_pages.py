"""A failure as a page for people, with what to do next. The status of each failure belongs to `problems.py`."""

from fastapi import Request
from fastapi.responses import Response

from entity_pipeline.admin.paths import HOME_PATH
from entity_pipeline.admin.problems import Problem
from entity_pipeline.admin.screen import screen_of


def problem_page(request: Request, problem: Problem) -> Response:
    """The page, or the redirect that the failure asks for."""
    if "Location" in problem.headers or "HX-Redirect" in problem.headers:
        return Response(status_code=problem.status, headers=problem.headers)
    answer = screen_of(request).show("problem.html", problem.status, problem=problem, here=HOME_PATH)
    answer.headers.update(problem.headers)
    return answer
