"""Both stand-ins in one process, as ``python -m entity_pipeline.sandbox.standins --directory DIR``.

Ends on SIGTERM or Ctrl-C. Its addresses are in ``standins.json`` of the directory while it runs, so that port 0 (any
free port) can be used too. The caller names the samples; nothing here knows a domain.
"""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from entity_pipeline.sandbox.gemini_standin import GeminiStandin
from entity_pipeline.sandbox.instagram_standin import InstagramStandin
from entity_pipeline.sandbox.sample import samples_at


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it; returns 1 with a sentence on stderr when a port is taken."""
    options = _parser().parse_args(arguments)
    samples = samples_at(options.samples)
    try:
        gemini = GeminiStandin(
            [sample.gemini for sample in samples if sample.gemini is not None],
            port=options.gemini_port,
            latency_ms=options.latency_ms,
            chaos=options.chaos,
        )
    except OSError:
        return _port_taken("--gemini-port", options.gemini_port)
    try:
        instagram = InstagramStandin(
            (account for sample in samples for account in sample.instagram_accounts()),
            {tag: posts for sample in samples for tag, posts in sample.hashtags().items()},
            port=options.instagram_port,
            latency_ms=options.latency_ms,
            chaos=options.chaos,
        )
    except OSError:
        gemini.close()
        return _port_taken("--instagram-port", options.instagram_port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with gemini, instagram:
        notice = _announce(options.directory, gemini.url, instagram.url)
        stop.wait()
        notice.unlink(missing_ok=True)
    return 0


def _announce(directory: Path, gemini_url: str, instagram_url: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "standins.json"
    unfinished = path.with_suffix(".json.new")
    unfinished.write_text(
        json.dumps({"gemini_url": gemini_url, "instagram_url": instagram_url, "pid": os.getpid()}),
        encoding="utf-8",
    )
    unfinished.replace(path)  # a reader never sees half a file
    return path


def _port_taken(option: str, port: int) -> int:
    sys.stderr.write(f"Port {port} on 127.0.0.1 is taken: free it, or give another one with {option}.\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Local stand-ins for Gemini and Instagram, from the sample data of domains."
    )
    parser.add_argument("--directory", type=Path, required=True, help="where standins.json is written")
    parser.add_argument(
        "--sample",
        action="append",
        dest="samples",
        default=[],
        metavar="MODULE:FUNCTION",
        help="gives a `sandbox.sample.Sample`; may be repeated",
    )
    parser.add_argument("--gemini-port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--instagram-port", type=int, default=0, help="0 takes a free port")
    parser.add_argument(
        "--chaos", type=int, metavar="SEED", help="random trouble; the same seed gives the same trouble"
    )
    parser.add_argument("--latency-ms", type=int, default=20, help="the least delay of an answer")
    return parser


if __name__ == "__main__":
    sys.exit(main())
