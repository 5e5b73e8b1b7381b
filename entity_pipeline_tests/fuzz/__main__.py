"""Coverage-guided fuzzing of the same targets: ``python -m entity_pipeline_tests.fuzz reply -runs=100000``.

The first argument is a target of `targets.py`; the others are those of libFuzzer (``-runs``, ``-seed``,
``-max_total_time``). Needs the package atheris, which nothing else here does.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["entity_pipeline"]):
    from entity_pipeline_tests.fuzz.targets import Target, targets


def corpus(target: Target, folder: Path) -> None:
    """The valid inputs as files, for libFuzzer to start from."""
    for number, seed in enumerate(target.seeds):
        folder.joinpath(str(number)).write_bytes(as_bytes(seed))


def as_bytes(seed: Any) -> bytes:
    """The seed as `from_bytes` reads it."""
    if isinstance(seed, bytes):
        return seed
    return (seed if isinstance(seed, str) else json.dumps(seed, ensure_ascii=False)).encode("utf-8", "ignore")


def main(name: str, options: list[str]) -> None:
    """Fuzz until libFuzzer ends the process; non-zero when a promise is broken."""
    target = targets()[name]
    with tempfile.TemporaryDirectory() as folder:
        corpus(target, Path(folder))
        atheris.Setup(["fuzz", *options, folder], lambda data: target.check(target.from_bytes(data)))
        atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in targets():
        sys.exit(f"Name a target: {' '.join(targets())}")
    main(sys.argv[1], sys.argv[2:])
