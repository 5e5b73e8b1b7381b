"""The end of a server whose handler never ends."""

import signal
import subprocess
import sys
import time
import urllib.request

from entity_pipeline_tests.domains.influencers.api.test_served import free_port

_SERVER = """
import sys, time
from fastapi import FastAPI
from entity_pipeline.admin.server import bound, run_app
from entity_pipeline.cli.interruption import take_sigterm

take_sigterm()
app = FastAPI()

@app.get("/quick")
def quick() -> str:
    return "up"

@app.get("/stuck")
def stuck() -> str:
    print("stuck", flush=True)
    time.sleep(600)
    return "late"

with bound("127.0.0.1", int(sys.argv[1]), behind_proxy=False) as listening:
    run_app(app, listening, trusted_proxies=None, stop_within_s=1)
"""


def test_a_handler_that_never_ends_does_not_keep_the_server_alive() -> None:
    port = free_port()
    ask = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/stuck')"
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        try:
            while not _is_up(port):
                assert server.poll() is None
                time.sleep(0.05)
            with subprocess.Popen([sys.executable, "-c", ask], stderr=subprocess.DEVNULL) as asking:
                assert server.stdout is not None
                while b"stuck" not in server.stdout.readline():
                    pass
                server.send_signal(signal.SIGTERM)
                assert server.wait(timeout=30) == 1
                assert asking.wait(timeout=30) != 0
        finally:
            server.kill()


def _is_up(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/quick", timeout=5).close()
    except OSError:
        return False
    return True
