"""What one domain uses of the Instagram budget, for its page. The budget of all domains is on the home page."""

from pydantic import Field

from entity_pipeline.admin.installation import Installation
from entity_pipeline.admin.shown import Shown
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.resources.instagram.usage import operations_of, pool_usage


class OperationFigures(Shown):
    """Requests of one operation in the last 24 hours."""

    operation: str
    requests: int
    refused: int = Field(description="Requests that were refused, or not answered.")


class BudgetFigures(Shown):
    """The requests of a domain in the last 24 hours, and what the windows allow."""

    used: int
    used_by_all: int
    allowed: int = Field(description="Of all domains together.")
    allowed_share: int | None = Field(description="Of this domain; null where it has no share of its own.")
    accounts: int
    usable: int
    is_acknowledged: bool
    operations: list[OperationFigures]


def budget_figures(at: Installation, key: str) -> BudgetFigures:
    """The figures of one domain. Raises `DatabaseUnavailable`."""
    settings, pool = at.settings.readable(InstagramSettings), pool_usage(at.assets_db)
    allowed, share = settings.windows.per_day * pool.routes, settings.shares.get(key)
    return BudgetFigures(
        used=pool.by_domain.get(key, 0),
        used_by_all=pool.last_day,
        allowed=allowed,
        allowed_share=None if share is None else int(allowed * share),
        accounts=pool.accounts,
        usable=pool.usable,
        is_acknowledged=settings.terms_acknowledged,
        operations=[
            OperationFigures(operation=one.operation, requests=one.requests, refused=one.refused)
            for one in operations_of(at.assets_db, key)
        ],
    )
