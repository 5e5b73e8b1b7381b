"""Alerts about the pool of Instagram accounts that all domains use."""

from collections.abc import Iterator, Mapping

from entity_pipeline.core.alerts import Alert, Look
from entity_pipeline.core.instagram.settings import InstagramSettings

WHAT_TO_DO: Mapping[str, str] = {
    "pool_empty": (
        "Run `entity-pipeline instagram pool list`, and give an account a new session with `instagram pool add`."
    )
}

# A cooling account becomes usable again; one whose route a person disabled does not.
_POOL = """
select count(*)::int, (count(*) filter (where a.state in ('active', 'cooling') and r.state <> 'disabled'))::int
from instagram_pool_accounts a join instagram_routes r on r.name = a.route
where a.state <> 'disabled'
"""


def pool_alerts(look: Look) -> Iterator[Alert]:
    """A domain queries Instagram, and no account of the pool is usable until a person acts. An empty pool is fine."""
    if not any(domain.works_with(InstagramSettings) for domain in look.open_domains.values()):
        return
    with look.assets_db.connection() as connection:
        accounts, usable = connection.execute(_POOL).fetchone()
    if accounts and not usable:
        says = f"None of the {accounts} Instagram accounts of the pool can be used until a person acts."
        yield Alert("instagram/pool_empty", says, WHAT_TO_DO["pool_empty"])
