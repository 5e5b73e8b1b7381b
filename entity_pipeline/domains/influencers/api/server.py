"""The API as a process of its own."""

from entity_pipeline.admin.server import bound, run_app
from entity_pipeline.core.ports import Database
from entity_pipeline.domains.influencers.api.access import ApiSettings
from entity_pipeline.domains.influencers.api.app import StoredPool, create_app

# Containers are killed after 30 seconds; requests under way end before.
_STOP_WITHIN_S = 25


def serve_api(
    db: Database, settings: ApiSettings, *, host: str, port: int, behind_proxy: bool, trusted_proxies: str
) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigurationFailure: the address is open to others without a proxy, or the port is taken.
    """
    with bound(host, port, behind_proxy=behind_proxy) as listening:
        app = create_app(db, StoredPool(db), settings)
        trusted = trusted_proxies if behind_proxy else None
        run_app(app, listening, trusted_proxies=trusted, stop_within_s=_STOP_WITHIN_S)
