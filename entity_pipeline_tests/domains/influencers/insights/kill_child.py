"""The process that the kills hit: it submits or collects as a run does.

It has loaded everything and forks for each order, a JSON object per line: `order`, the addresses of the database and of
Gemini, and the folder of the bucket. It answers with the process id of the fork, then with how it ended.
"""

import hashlib
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from entity_pipeline.core.objects import StoredObject, object_key
from entity_pipeline.domains.influencers.insights.collection import Collection
from entity_pipeline.domains.influencers.insights.submission import Submission
from entity_pipeline.resources.gemini import GeminiResource
from entity_pipeline.resources.postgres import PostgresResource, open_database
from entity_pipeline_tests.domains.influencers.insights.insight_cases import MODEL, SETTINGS, found, jpeg
from entity_pipeline_tests.fakes.instagram import FakeInstagram

NAMES = ("anna", "boris", "cholpon")
PICTURES = {f"https://a.cdninstagram.com/{name}.jpg?sig=1": found(jpeg("red")) for name in NAMES}


class FolderStore:
    """A bucket that outlives the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, prefix: str, data: bytes, content_type: str) -> StoredObject:
        sha256 = hashlib.sha256(data).hexdigest()
        key = object_key(prefix, sha256, content_type)
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return StoredObject(key, key, sha256, len(data), content_type)

    def get(self, key: str) -> bytes | None:
        path = self._folder / key
        return path.read_bytes() if path.exists() else None

    def exists(self, key: str) -> bool:
        return (self._folder / key).exists()

    def delete(self, key: str) -> None:
        (self._folder / key).unlink(missing_ok=True)


def work(order: str, database_url: str, gemini_url: str, folder: str) -> None:
    deadline = datetime.now(UTC) + timedelta(minutes=1)
    gemini = GeminiResource(
        assets_db=PostgresResource(url=database_url), api_key="any", base_url=gemini_url, model_name=MODEL
    )
    with open_database(database_url, max_connections=4, application_name="a test") as database:
        if order == "submit":
            Submission(
                database=database,
                gemini=gemini,
                session=FakeInstagram(pictures=PICTURES).session("influencers"),
                store=FolderStore(Path(folder)),
                settings=SETTINGS,
                run_id=f"run-{os.getpid()}",
                deadline=deadline,
            ).run()
        else:
            Collection(database, gemini, SETTINGS, f"run-{os.getpid()}", deadline).run()


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                work(**order)
            except BaseException as error:  # noqa: BLE001
                sys.stderr.write(f"{error!r}\n")
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        _say(pid)
        _say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import google.genai  # noqa: F401  loaded once, for every fork

    main()
