"""The machine a benchmark ran on, in a line. Figures of two machines are not comparable; ratios nearly are."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil


def described() -> str:
    """Cores, memory, system, versions, and how busy the machine is with other work."""
    processor = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or platform.machine(),
    )
    return (
        f"{os.cpu_count()} x {processor}, {psutil.virtual_memory().total / 2**30:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}, Dagster {version('dagster')}, psycopg {version('psycopg')}, "
        f"load {os.getloadavg()[0]:.1f}"
    )
