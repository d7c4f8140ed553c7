"""One writer to a place, and a run that outlives its terminal by its last step."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_run import write_dataset

from ganapp.files import held
from ganapp.train.gan.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parent.parent
TINY = "--threads 1 --batch 4 --network.width 16 --network.base 128 --quality-kimg inf --init none"


def test_a_place_is_held_by_one_until_its_end_and_nothing_is_left(tmp_path: Path):
    out = tmp_path / "runs" / "apes"
    with held(out, "training"):
        wanted = rf"apes: process {os.getpid()} on .* \(training\) writes there now"
        with pytest.raises(ValueError, match=wanted), held(out, "export"):
            pass
        with held(tmp_path / "runs" / "others", "training"):
            pass
    with held(out, "export"):
        pass
    assert list((tmp_path / "runs").iterdir()) == []


def test_an_error_gives_the_place_back(tmp_path: Path):
    with pytest.raises(KeyError), held(tmp_path / "out", "prepare"):
        raise KeyError
    with held(tmp_path / "out", "prepare"):
        pass


def test_a_process_that_is_killed_gives_the_place_back(tmp_path: Path):
    code = "import sys, time\nfrom pathlib import Path\nfrom ganapp.files import held\n"
    code += "with held(Path(sys.argv[1]), 'training'):\n print('held', flush=True)\n time.sleep(600)"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match=f"process {other.pid} "), held(tmp_path / "out", "training"):
        pass
    other.kill()
    other.communicate()
    with held(tmp_path / "out", "training"):
        pass


def test_of_processes_that_work_together_the_first_holds_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with held(tmp_path / "out", "training"):
        monkeypatch.setenv("RANK", "1")
        with held(tmp_path / "out", "training"):
            pass


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
    process.send_signal(signal.SIGHUP)
    assert process.wait(120) == 0
    assert load_checkpoint(run / "checkpoint.safetensors")[2].seen > 0 and (run / "report.md").exists()
