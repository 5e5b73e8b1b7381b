"""Both stand-ins as the process that the sandbox starts."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from entity_pipeline.sandbox import standins
from entity_pipeline_tests.standins import GeminiStandin


def test_the_process_serves_both_until_it_is_stopped(tmp_path: Path) -> None:
    notice = tmp_path / "state" / "standins.json"
    command = [sys.executable, "-m", standins.__name__, "--directory", str(notice.parent)]
    with subprocess.Popen(command, cwd=Path(standins.__file__).parents[2]) as process:
        try:
            deadline = time.monotonic() + 20
            while not notice.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            told = json.loads(notice.read_text())
            # A connection that stays open must not keep the process alive.
            with requests.Session() as session:
                for key in ("gemini_url", "instagram_url"):
                    assert session.get(f"{told[key]}/_standin/health", timeout=5).json() == {"status": "ok"}
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=10) == 0
        finally:
            process.kill()
    assert told["pid"] == process.pid
    assert not notice.exists()


@pytest.mark.parametrize("option", ["--gemini-port", "--instagram-port"])
def test_a_taken_port_is_named_in_a_sentence(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with GeminiStandin() as other:
        port = other.url.rsplit(":", 1)[1]
        assert standins.main(["--directory", str(tmp_path), option, port]) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert capsys.readouterr().err == (
        f"Port {port} on 127.0.0.1 is taken: free it, or give another one with {option}.\n"
    )
