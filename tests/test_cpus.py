"""How many CPUs and threads there are to use, on machines made of files."""

import os
import sys
from pathlib import Path

import pytest

from ganapp import cpus
from ganapp.cpus import MOST_THREADS, threads, usable_cpus


def version_2(folder: Path, quota: str) -> Path:
    (folder / "cpu.max").write_text(quota)
    return folder


def version_1(folder: Path, quota: str, period: str) -> Path:
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu" / "cpu.cfs_period_us").write_text(period)
    return folder


@pytest.fixture(autouse=True)
def _sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 16 CPUs, all of which this process may use."""
    if sys.platform == "linux":
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)))
    monkeypatch.setattr(os, "cpu_count", lambda: 16)


@pytest.mark.parametrize(
    ("quota", "usable"),
    [
        ("max 100000\n", 16),
        ("50000 100000\n", 1),
        ("100000 100000\n", 1),
        ("350000 100000\n", 3),
        ("99900000 100000\n", 16),  # beyond the machine
        ("", 16),
        ("1 0", 16),
    ],
)
def test_no_more_cpus_are_used_than_a_container_is_given_time_for(quota: str, usable: int, tmp_path: Path):
    assert usable_cpus(tmp_path / "missing") == 16
    assert usable_cpus(version_2(tmp_path, quota)) == usable


@pytest.mark.parametrize(
    ("quota", "period", "usable"),
    [
        ("-1\n", "100000\n", 16),
        ("50000\n", "100000\n", 1),
        ("400000\n", "100000\n", 4),
        ("400000\n", "0\n", 16),
        ("\n", "\n", 16),
    ],
)
def test_the_quota_of_an_older_kernel_counts_too(quota: str, period: str, usable: int, tmp_path: Path):
    assert usable_cpus(version_1(tmp_path, quota, period)) == usable


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to some CPUs")
def test_a_process_held_to_some_cpus_uses_those(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5})
    assert usable_cpus(tmp_path) == 2
    assert usable_cpus(version_2(tmp_path, "100000 100000\n")) == 1


@pytest.mark.parametrize("usable", [1, 2, MOST_THREADS, 64])
def test_there_are_as_many_threads_as_cpus_up_to_a_limit(usable: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cpus, "usable_cpus", lambda: usable)
    assert threads() == min(usable, 8)
