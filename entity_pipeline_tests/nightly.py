"""Cases of a slow test: a few for every change, the rest for the night."""

from collections.abc import Sequence
from typing import Any

import pytest


def mostly_nightly(cases: Sequence[tuple[Any, ...]], *, always: int) -> list[Any]:
    """The parameters of a test: the first `always` cases run with every change, the others where NIGHTLY is set."""
    return [*cases[:always], *(pytest.param(*case, marks=pytest.mark.nightly) for case in cases[always:])]
