"""The whole sandbox: every variable of `.env.example`, with a local server behind each of them.

Production code does not know that this exists: `Sandbox` only returns environment variables. The content of the
databases does not belong here; it comes from `migrate` and the samples of the domains.
"""

import base64
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

import entity_pipeline
from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.gemini.models import DEFAULT_MODEL
from entity_pipeline.sandbox import processes
from entity_pipeline.sandbox.object_store import RcloneObjectStore
from entity_pipeline.sandbox.ownership import SharedServers
from entity_pipeline.sandbox.postgres import EmbeddedPostgres
from entity_pipeline.sandbox.state import State

_STANDINS = "entity_pipeline.sandbox.standins"
_HEALTH = "/_standin/health"
_DAGSTER_HOME = "dagster_home"


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


_MAKE_KEY = {
    "GEMINI_API_KEY": lambda: f"sandbox-{secrets.token_urlsafe(24)}",
    "GEMINI_REQUEST_KEYS": _fernet_key,
    "INSTAGRAM_SESSION_KEYS": _fernet_key,
    "ADMIN_TOKEN": lambda: secrets.token_urlsafe(32),
    "SCRAPER_API_KEY": lambda: secrets.token_urlsafe(32),
}


class Sandbox:
    """Local servers and their variables, kept in `directory` and shared by all processes that use it.

    Use it as ``with Sandbox(directory) as environment:``. Ports, passwords and keys survive restarts.

    Args:
        directory: created when it does not exist; must be empty or a sandbox.
        samples: the sources of the stand-ins' answers, see `sample.references`.
        chaos: seed of the stand-ins' odd behaviours; None for good behaviour.
        durable: False gives up the databases' safety against power loss for speed (tests).
    """

    def __init__(
        self,
        directory: Path,
        samples: Sequence[str] = (),
        *,
        chaos: int | None = None,
        durable: bool = True,
    ) -> None:
        self.directory = directory.expanduser().resolve()
        self._state = State(self.directory)
        self._postgres = EmbeddedPostgres(self.directory, durable=durable)
        self._objects = RcloneObjectStore(self.directory)
        self._standins = _StandIns(self.directory, samples, chaos)
        self._servers = SharedServers(
            self.directory, [_Keys(self.directory), self._postgres, self._objects, self._standins]
        )

    def start(self) -> dict[str, str]:
        """Start the servers that do not run yet; returns all variables of `.env.example`, secrets included.

        The folder `DAGSTER_HOME` is created empty: the code that starts Dagster puts its `dagster.yaml` there.

        Raises:
            InputRejected: the folder holds something that is not a sandbox.
            ConfigurationFailure: a server can't run here; the sentence says what to do.
        """
        self._servers.start()
        return {
            "OPERATION_DATABASE_URL": self._postgres.url("operation"),
            "ASSETS_DATABASE_URL": self._postgres.url("assets"),
            "DAGSTER_POSTGRES_URL": self._postgres.url("dagster", driver="+psycopg2"),
            "DAGSTER_HOME": str(self.directory / _DAGSTER_HOME),
            **self._objects.environment(),
            **self._standins.environment(),
            "GEMINI_MODEL": DEFAULT_MODEL,
            **{variable: str(self._state.get(variable)) for variable in _MAKE_KEY},
        }

    def stop(self) -> None:
        """Stop using the sandbox; the servers end with their last user."""
        self._servers.stop()

    def reset(self) -> None:
        """Stop the servers and delete the folder; see `SharedServers.reset` for its refusals."""
        self._servers.reset()

    def __enter__(self) -> dict[str, str]:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Keys:
    """Made-up keys and Dagster's folder; a "server" only so that they are made under the folder's lock."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._state = State(directory)

    def ensure(self, *, alone: bool) -> None:
        (self._directory / _DAGSTER_HOME).mkdir(exist_ok=True)
        for variable, make in _MAKE_KEY.items():
            self._state.get_or_make(variable, make)

    def stop(self) -> None:
        """Do nothing: keys outlive the servers."""


class _StandIns:
    """The process that plays Instagram and Gemini; see `entity_pipeline.sandbox.standins`."""

    def __init__(self, directory: Path, samples: Sequence[str], chaos: int | None) -> None:
        self._directory = directory / "standins"
        self._log = directory / "standins.log"
        self._state = State(directory)
        self._options = [part for sample in samples for part in ("--sample", sample)]
        self._options += [] if chaos is None else ["--chaos", str(chaos)]

    def environment(self) -> dict[str, str]:
        return {
            "GEMINI_BASE_URL": f"http://{processes.LOOPBACK}:{self._state.get('gemini_port')}",
            "INSTAGRAM_BASE_URL": f"http://{processes.LOOPBACK}:{self._state.get('instagram_port')}",
        }

    def ensure(self, *, alone: bool) -> None:
        if alone:
            # A process left over from a crash may use another seed, or be older than the code.
            self.stop()
        elif running := self._process():
            if running.cmdline()[1:] != self._command(self._state.get("gemini_port"))[1:]:
                raise ConfigurationFailure(
                    f"The sandbox in {self._directory.parent} is in use with another --chaos or other domains: "
                    "stop the process that uses it first."
                )
            return
        self._directory.mkdir(exist_ok=True)
        processes.launch_until_ready(
            self._launch,
            ready=self._is_ready,
            port=self._state.get("gemini_port"),
            keep_port=self._keep_ports,
            log=self._log,
        )

    def stop(self) -> None:
        processes.stop(self._process(), processes.TERMINATE)

    def _command(self, gemini_port: int) -> list[str]:
        command = [sys.executable, "-m", _STANDINS, "--directory", str(self._directory)]
        command += ["--gemini-port", str(gemini_port)]
        command += ["--instagram-port", str(self._state.get("instagram_port"))]
        return command + self._options

    def _launch(self, gemini_port: int) -> psutil.Process | None:
        # The process starts in "/", where a package that is not installed would not be found.
        package_parent = str(Path(entity_pipeline.__file__).parents[1])
        paths = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)}
        return processes.launch(self._command(gemini_port), log=self._log, environment=environment)

    def _keep_ports(self, gemini_port: int) -> None:
        self._state.remember("gemini_port", gemini_port)
        self._state.remember("instagram_port", processes.free_port(self._state.get("instagram_port")))

    def _is_ready(self, gemini_port: int) -> bool:
        ports = (gemini_port, self._state.get("instagram_port"))
        return all(processes.http_status(port, _HEALTH) == 200 for port in ports)

    def _process(self) -> psutil.Process | None:
        expected = ["-m", _STANDINS, "--directory", str(self._directory)]
        return processes.find(lambda arguments: arguments[1:5] == expected)
