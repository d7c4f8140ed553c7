"""One writer to a place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganapp.files import held

ROOT = Path(__file__).resolve().parent.parent


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
