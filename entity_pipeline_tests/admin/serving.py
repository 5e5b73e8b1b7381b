"""The application on a port of loopback, for a real browser."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

_START_LIMIT_S = 20.0


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve the application until the end of the block; gives its address, ``http://127.0.0.1:PORT``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        serving.start()
        deadline = time.monotonic() + _START_LIMIT_S
        while not server.started:
            if time.monotonic() > deadline:
                raise TimeoutError("The page did not start.")
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            serving.join(10)
