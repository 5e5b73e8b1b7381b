"""An object store that refuses in the middle of a run: profiles are kept, pictures come later."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from entity_pipeline.resources.r2 import R2Resource
from entity_pipeline_tests.databases import ClonedDatabase, DatabaseServer
from entity_pipeline_tests.domains.entities.graph import MONDAY, TUESDAY, Graph, graph, table
from entity_pipeline_tests.reliability.cut_proxy import CutProxy
from entity_pipeline_tests.reliability.final_rows import final_rows, paid
from entity_pipeline_tests.reliability.reached import Undisturbed, run_undisturbed, sample

_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>made up</Message></Error>"
_CODES = {403: "AccessDenied", 500: "InternalError"}


class Bucket(ThreadingHTTPServer):
    """The least of an S3 server; `status` is what it answers instead while it is in trouble."""

    daemon_threads = True

    def __init__(self) -> None:
        self.status: int | None = None
        self.objects: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), _Answering)


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def _answer(self) -> None:
        key = self.path.split("/", 2)[2]
        sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        if self.server.status is not None:
            status, body = self.server.status, _ERROR.format(code=_CODES[self.server.status]).encode()
        elif self.command == "PUT":
            status, self.server.objects[key] = 200, sent
        else:
            status, body = (200, self.server.objects[key]) if key in self.server.objects else (404, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_PUT = _answer  # noqa: N815  the names BaseHTTPRequestHandler looks up

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
        """Silent: what was stored is in `objects`."""


@contextmanager
def storing(
    assets_db: ClonedDatabase, operation_db: ClonedDatabase
) -> Iterator[tuple[Graph, Bucket, CutProxy]]:
    with Bucket() as bucket:
        Thread(target=bucket.serve_forever, args=(0.05,), daemon=True).start()
        proxy = CutProxy(bucket.server_address[1])
        r2 = R2Resource(
            endpoint_url=f"http://127.0.0.1:{proxy.port}",
            access_key_id="made-up",
            secret_access_key="made-up",
            bucket="pictures",
            public_base_url="https://img.example",
        )
        with graph(assets_db, operation_db, r2=r2) as installation:
            yield installation, bucket, proxy
        proxy.close()
        bucket.shutdown()


@pytest.fixture(scope="module")
def undisturbed(database_server: DatabaseServer) -> Undisturbed:
    return run_undisturbed(database_server)


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (403, r"The object store at 127\.0\.0\.1 refused the key \(AccessDenied\): check R2_ACCESS_KEY_ID.*"),
        (500, r"The object store at 127\.0\.0\.1 is busy or broken \(HTTP 500, .*\); try again later\."),
        (
            None,
            r"The object store at 127\.0\.0\.1 did not answer \(EndpointConnectionError\); try again later\.",
        ),
    ],
    ids=["403", "500", "refused"],
)
def test_a_refusing_store_holds_back_no_profile_and_gets_its_pictures_later(
    assets_db: ClonedDatabase,
    operation_db: ClonedDatabase,
    undisturbed: Undisturbed,
    trouble: int | None,
    sentence: str,
) -> None:
    with storing(assets_db, operation_db) as (installation, bucket, proxy):
        sample(installation)
        if trouble is None:
            proxy.cut()
        bucket.status = trouble
        installation.run_all(MONDAY, TUESDAY)
        pictures = table(installation.observed("instagram_profiles", MONDAY), "pictures")
        told = [name.removeprefix("not_stored:") for name in pictures if name.startswith("not_stored:")]
        assert all(re.fullmatch(sentence, each) for each in told), told
        assert sum(pictures.values()) == len(undisturbed.rows["pictures"])
        assert paid(installation) == undisturbed.paid
        with operation_db.connection() as connection:
            (bios,) = connection.execute(
                "select count(*) from instagram_accounts where display_name is not null"
            ).fetchone() or (0,)
            connection.execute(
                "update instagram_accounts set metadata = jsonb_set(metadata, "
                "'{entity_enrichment,profile_backfill,next_attempt_at}', '\"2026-01-01T00:00:00+00:00\"') "
                "where metadata #>> '{entity_enrichment,profile_backfill,outcome}' = 'found'"
            )
        assert bios == len(undisturbed.rows["pictures"])
        bucket.status = None
        if trouble is None:
            proxy.restore()
        installation.run_all(MONDAY, TUESDAY)
        rows = final_rows(installation)
        assert set(bucket.objects) == undisturbed.rows["pictures"]
        for what in ("tagged", "accounts", "entities"):
            assert rows[what] == undisturbed.rows[what]
        assert paid(installation) == undisturbed.paid
