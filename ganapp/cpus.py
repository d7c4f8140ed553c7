"""The CPUs that this process may use, and how many threads are worth having on them."""

import os
import sys
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")  # of the container that this runs in, if it runs in one
MOST_THREADS = 8  # small networks cut their work no finer


def threads() -> int:
    """How many threads a computation should have here."""
    return min(MOST_THREADS, usable_cpus())


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """The CPUs that this process may use, which in a container are fewer than the machine has.

    A container is held to some CPUs or, by a quota, to a share of the time of all CPUs. More threads than that would
    spend most of each period stopped.
    """
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        share, period = _quota(cgroup)
        return max(1, min(cpus, share // period)) if share > 0 else cpus
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or no limit
        return cpus


def _quota(cgroup: Path) -> tuple[int, int]:
    """The CPU time in each period and the period, in microseconds.

    Version 2 has "200000 100000", or "max 100000" for no limit, in one file; version 1 has a file for each, and -1
    for no limit. Raises OSError or ValueError if there is no file, or no number in it.
    """
    if (cgroup / "cpu.max").exists():
        share, period = (cgroup / "cpu.max").read_text().split()
        return int(share), int(period)
    folder = cgroup / "cpu"
    return int((folder / "cpu.cfs_quota_us").read_text()), int((folder / "cpu.cfs_period_us").read_text())
