"""The databases that a command works on: those of the environment, or the sandbox when none is named.

A half-configured environment is refused. Above all, the sandbox's made-up answers never reach a database
outside it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from entity_pipeline.core.domain import Domain
from entity_pipeline.core.failures import ConfigurationFailure

DATABASES = ("OPERATION_DATABASE_URL", "ASSETS_DATABASE_URL")
FIRST_DAY = "ENTITY_PIPELINE_FIRST_DAY"
DEFAULT_SANDBOX = Path(".sandbox")

# Default credentials for a local server.
_LOCAL_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "GEMINI_BASE_URL": {"GEMINI_API_KEY": "local"},
    "R2_ENDPOINT_URL": {
        "R2_ACCESS_KEY_ID": "local",
        "R2_SECRET_ACCESS_KEY": "local",
        "R2_BUCKET": "entity-pipeline",
    },
}


@contextmanager
def connected(
    sandbox_directory: Path,
    domains: Sequence[Domain] = (),
    *,
    start_sandbox: bool = False,
    chaos: int | None = None,
) -> Iterator[bool]:
    """Put the variables of the databases and services into the environment. Yields whether they are the sandbox's.

    The sandbox's stand-ins answer from the samples of `domains`.

    Raises:
        ConfigurationFailure: one database is named and the other is not, or none is and there is no sandbox.
    """
    named = [name for name in DATABASES if os.environ.get(name)]
    if len(named) == 1:
        missing = next(name for name in DATABASES if name not in named)
        raise ConfigurationFailure(
            f"{named[0]} is set but {missing} is not: set both, or neither to use the sandbox."
        )
    if named:
        if start_sandbox:
            raise ConfigurationFailure(
                f"{' and '.join(named)} name databases, but this command fills a sandbox with sample posts: "
                "unset them, or use `migrate` and `enrich` on your databases."
            )
        os.environ.update(_local_defaults(os.environ))
        yield False
        return
    if not start_sandbox and not (sandbox_directory / "state.json").exists():
        raise ConfigurationFailure(
            f"Neither {' nor '.join(DATABASES)} is set, and there is no sandbox in {sandbox_directory}: "
            "set both (see .env.example), or run `entity-pipeline demo` first."
        )
    from entity_pipeline.sandbox.environment import Sandbox
    from entity_pipeline.sandbox.sample import references

    with Sandbox(sandbox_directory, references(domains), chaos=chaos) as servers:
        variables = {**servers, FIRST_DAY: first_day_of(sandbox_directory)}
        os.environ.update(variables | {name: os.environ[name] for name in variables if os.environ.get(name)})
        yield True


def first_day_of(sandbox_directory: Path) -> str:
    """The first partition in a sandbox: that of its sample, so that no partition is empty. It never moves."""
    from entity_pipeline.sandbox.sample import LONGEST_SAMPLE
    from entity_pipeline.sandbox.state import State

    first = datetime.now(UTC).date() - LONGEST_SAMPLE + timedelta(days=1)
    return State(sandbox_directory).get_or_make(FIRST_DAY, first.isoformat)


def _local_defaults(environment: Mapping[str, str]) -> dict[str, str]:
    """Credentials for servers on this machine that were named without any; never for a real service."""
    found: dict[str, str] = {}
    for address, defaults in _LOCAL_DEFAULTS.items():
        if _is_local(environment.get(address, "")):
            found |= {name: value for name, value in defaults.items() if not environment.get(name)}
    endpoint = environment.get("R2_ENDPOINT_URL", "")
    if _is_local(endpoint) and not environment.get("R2_PUBLIC_BASE_URL"):
        bucket = environment.get("R2_BUCKET") or found["R2_BUCKET"]
        found["R2_PUBLIC_BASE_URL"] = f"{endpoint.rstrip('/')}/{bucket}"
    return found


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
