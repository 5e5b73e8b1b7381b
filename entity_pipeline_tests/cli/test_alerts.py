"""`entity-pipeline alerts test` and `--version` as a person runs them."""

import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from entity_pipeline_tests.cli.command import Command


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[str]]]:
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/secret", received
        server.shutdown()
        thread.join()


def test_a_test_message_goes_out_by_each_channel(
    tmp_path: Path, database_variables: Mapping[str, str], webhook: tuple[str, list[str]]
) -> None:
    address, received = webhook
    command = Command(tmp_path, database_variables)
    ended = command("alerts", "test", ALERT_WEBHOOK_URL=address)
    assert ended.code == 0, ended.said
    assert ended.out == "Sent by webhook.\n"
    assert "Test of the alerts" in received[0]
    refused = command("alerts", "test", ALERT_WEBHOOK_URL=address, ALERT_SMTP_URL="smtp://127.0.0.1:1")
    assert refused.failure == (
        "ALERT_SMTP_URL is set without ALERT_EMAIL_FROM and ALERT_EMAIL_TO: set all three."
    )
    assert len(received) == 2
    assert command("alerts", "test").failure.startswith("No channel is configured: set ALERT_WEBHOOK_URL")


def test_the_command_says_its_version(tmp_path: Path) -> None:
    assert Command(tmp_path, {})("--version").out.startswith("entity-pipeline ")
