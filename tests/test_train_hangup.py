"""A run whose terminal closes."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_run import write_dataset

from ganapp.train.gan.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parent.parent
TINY = "--threads 1 --batch 4 --network.width 16 --network.base 128 --quality-kimg inf --init none"


def wait_for(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no hangups")
def test_a_terminal_that_closes_leaves_a_checkpoint_and_meanwhile_nobody_else_writes(tmp_path: Path):
    data, run = write_dataset(tmp_path / "data"), tmp_path / "run"
    command = [sys.executable, "-m", "ganapp", "train", str(data), "--out", str(run), *TINY.split()]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    wait_for(run / "log.jsonl", process)
    second = subprocess.run([*command, "--kimg", "0.05"], cwd=ROOT, capture_output=True, text=True)
    assert second.returncode == 2 and f"process {process.pid}" in second.stderr
    os.close(ours)  # the terminal goes: what is written there fails from now on
    for _ in range(2):  # a shell and the system may both say so
        process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    assert process.wait(120) == 0
    assert load_checkpoint(run / "checkpoint.safetensors")[2].seen > 0 and (run / "report.md").exists()
