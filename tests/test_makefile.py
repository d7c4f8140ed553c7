"""What `make` installs, told by a stand-in for python that notes what pip is asked for."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PIP = f"""#!{sys.executable}
import json
import shutil
import sys
from pathlib import Path

here, args = Path(__file__).resolve(), sys.argv[1:]


def named(path):
    from packaging.requirements import Requirement

    lines = [line for line in Path(path).read_text().splitlines() if line and line[0] not in "#-"]
    return [item.name for item in map(Requirement, lines) if item.marker is None or item.marker.evaluate()]


if args[:2] == ["-m", "venv"]:
    (Path(args[2]) / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(here, Path(args[2]) / "bin" / "python")
elif args[0] == "-c":  # is there a driver?
    sys.exit(not here.with_name("driver").exists())
elif args[:2] == ["-m", "pip"]:
    notes = here.parent.parent / "installed.json"
    installed = set(json.loads(notes.read_text())) if notes.exists() else set()
    command, rest, wanted = args[2], args[3:], []
    while rest:
        arg = rest.pop(0)
        if arg in ("-r", "-c"):
            path = rest.pop(0)
            wanted += named(path) if arg == "-r" else []
        elif arg[0] != "-":
            wanted.append(arg.partition("==")[0])
    if command == "install" and here.parent.parent.with_name("cut-off").exists():
        sys.exit(1)
    installed = installed | set(wanted) if command == "install" else installed - set(wanted)
    notes.write_text(json.dumps(sorted(installed)))
"""

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


class Machine:
    """A folder with a python and an environment; `make` is run on the project's own Makefile."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.venv = folder, folder / "venv"
        self.python = folder / "python"
        self.python.write_text(PIP)
        self.python.chmod(0o755)

    def make(self, target: str, fails: bool = False) -> set[str]:
        """The names that are installed after it."""
        command = ["make", target, f"PYTHON={self.python}", f"VENV={self.venv}"]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert (ran.returncode != 0) == fails, ran.stderr
        return set(json.loads((self.venv / "installed.json").read_text()))

    def set(self, fact: str, true: bool) -> None:
        """`driver`: one for NVIDIA's cards is there. `cut-off`: pip reaches no index."""
        path = self.folder / fact
        path.touch() if true else path.unlink(missing_ok=True)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def runtimes(installed: set[str]) -> set[str]:
    return {name for name in installed if name.startswith("onnxruntime")}


def test_the_demo_installs_the_serving_list_with_the_runtime_for_cpus_where_no_driver_answers(machine: Machine):
    installed = machine.make("demo")
    assert {"gradio", "numpy", "pillow", "av", "contourpy", "filelock", "tqdm", "tyro", "onnxruntime"} == installed


def test_the_demo_installs_nothing_into_an_environment_that_has_everything(machine: Machine):
    everything = machine.make("setup")
    assert {"torch", "gradio", "onnx"} <= everything
    machine.set("cut-off", True)
    assert machine.make("demo") == everything


def test_an_environment_has_one_runtime_whatever_was_made_in_it_before(machine: Machine):
    for driver, target in [(False, "demo"), (True, "demo"), (False, "setup"), (False, "demo"), (True, "setup")]:
        machine.set("driver", driver)
        for stamp in (".ready", ".serving"):  # as if the lists had changed since
            (machine.venv / stamp).unlink(missing_ok=True)
        assert len(runtimes(machine.make(target))) == 1, f"{target}, driver {driver}"


def test_an_install_that_was_cut_off_is_begun_again(machine: Machine):
    machine.make("demo")
    machine.set("cut-off", True)
    machine.make("setup", fails=True)
    machine.make("demo", fails=True)  # the runtime is gone, and the page cannot be served without one
    machine.set("cut-off", False)
    assert runtimes(machine.make("demo"))
