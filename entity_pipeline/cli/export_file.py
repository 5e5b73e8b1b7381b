"""The file that an export writes: its format by its name, and under that name only when it is complete."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from entity_pipeline.core.failures import InputRejected

Form = Literal["csv", "jsonl"]
_ENDINGS: Mapping[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def form_of(file: Path | None) -> Form:
    """CSV for standard output, and the form named by the ending of a file. Raises `InputRejected` for other endings."""
    if file is None:
        return "csv"
    known = _ENDINGS.get(file.suffix.lower())
    if known is None:
        raise InputRejected(
            f"{file.name} ends neither in .csv nor in .jsonl: add --format csv or --format jsonl."
        )
    return known


@contextmanager
def opened(file: Path | None) -> Iterator[BinaryIO]:
    """The file, or standard output when it is None. Raises `InputRejected` if it can't be written."""
    if file is None:
        with _standard_output() as out:
            yield out
        return
    unfinished = file.with_name(f"{file.name}.unfinished-{os.getpid()}")
    try:
        with open(unfinished, "xb") as out:
            yield out
        os.replace(unfinished, file)
    except OSError as error:
        raise InputRejected(f"{file} can't be written ({error.strerror}).") from None
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Standard output, whose reader may stop early: `export | head` is not a failure."""
    out: Any = sys.stdout.buffer
    try:
        yield out
        out.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would report the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
