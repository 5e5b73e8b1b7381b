"""Microseconds that tracing adds to one call: when it is off, and when it is on with a collector that takes everything.

    .venv/bin/python benchmarks/tracing_cost.py

A call here is what a look at a profile makes: one span within another with the values that it has. This counts the
calling thread's processor time, so that a busy machine does not matter. The collector is a socket on this machine in
a process of its own.
"""

import subprocess
import sys
import time
from statistics import median
from uuid import uuid4

from rich.console import Console

from entity_pipeline.core.tracing import Value
from entity_pipeline.resources.tracing import active, exported

CALLS = 1_000
ROUNDS = 7
_VALUES: dict[str, Value] = {
    "gen_ai.operation.name": "generate_content",
    "gen_ai.request.model": "gemini-2.5-flash",
    "entity_pipeline.grounded": True,
    "entity_pipeline.attempt": 1,
    "entity_pipeline.ledger_id": str(uuid4()),
}
_COLLECTOR = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
    def log_message(self, *args): pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def calls() -> float:
    """Microseconds per call."""
    began = time.thread_time()
    for _ in range(CALLS):
        with active().call("outer", _VALUES) as span:
            span.note({"entity_pipeline.outcome": "answered"})
            with active().call("inner", _VALUES) as within:
                within.note({"http.response.status_code": 200})
    return (time.thread_time() - began) / CALLS * 1e6


def main() -> None:
    console = Console(highlight=False, soft_wrap=True)
    off = median(calls() for _ in range(ROUNDS))
    with subprocess.Popen([sys.executable, "-c", _COLLECTOR], stdout=subprocess.PIPE, text=True) as collector:
        try:
            assert collector.stdout is not None
            url = f"http://127.0.0.1:{int(collector.stdout.readline())}"
            with exported(url, None, str(uuid4()), "benchmark"):
                began = time.thread_time()
                with active().call("first", {}):
                    pass
                first_ms = (time.thread_time() - began) * 1_000
                # A pause between rounds, as calls have it: the queue is emptied meanwhile.
                taken = []
                for _ in range(ROUNDS):
                    taken.append(calls())
                    time.sleep(1)
                began = time.perf_counter()
            closed_ms = (time.perf_counter() - began) * 1_000
        finally:
            collector.terminate()
    console.print(
        f"two spans: off {off:.2f} us, on {median(taken):.0f} us; the first {first_ms:.0f} ms (imports), "
        f"the end of a run {closed_ms:.0f} ms"
    )


if __name__ == "__main__":
    main()
