"""How many threads torch computes with, and what becomes of its memory."""

import platform
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

import ganapp.cpus
from ganapp.models.device import use_threads


@pytest.fixture(autouse=True)
def _one_again() -> Iterator[None]:
    """The thread that the other tests compute with, given back."""
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize(("usable", "allowed", "used"), [(64, 64, 8), (2, 64, 2), (64, 1, 1)])
def test_all_cpus_are_used_but_few_of_many_and_no_more_than_omp_num_threads_says(
    usable: int, allowed: int, used: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ganapp.cpus, "usable_cpus", lambda: usable)
    torch.set_num_threads(allowed)
    use_threads(None)
    assert torch.get_num_threads() == used


def test_the_number_that_is_asked_for_is_used_and_none_refused():
    use_threads(3)
    assert torch.get_num_threads() == 3
    with pytest.raises(ValueError, match="--threads must be at least 1, not 0"):
        use_threads(0)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_memory_that_a_tensor_freed_serves_the_next_one_without_being_cleared_by_the_system():
    """In a process of its own, whose memory nothing else has cut into pieces."""
    code = """
import resource, torch
from ganapp.models.device import keep_freed_memory
keep_freed_memory()
for _ in range(12):
    torch.zeros(16 << 20, dtype=torch.uint8)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
    cleared = []
    for _ in range(3):  # a busy system takes memory back by itself, but not each time
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        faults = [int(line) for line in done.stdout.split()]
        cleared.append(
            (faults[-1] - faults[3]) / ((16 << 20) / resource.getpagesize())
        )  # tensors' worth of pages, of 8
    assert min(cleared) < 4
