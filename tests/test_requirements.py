"""The lists of packages agree: versions stand in requirements.txt alone, and every other list names what is in it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
TORCH_SIDE = {"torch", "onnx", "onnxscript", "safetensors", "matplotlib"}  # of what the page must not install


def lines(name: str) -> list[Requirement]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return [Requirement(line) for line in text.splitlines() if line.strip() and line[0] not in "#-"]


ALL = lines("requirements.txt")
SERVING = lines("requirements-serving.txt")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, PACKAGE_DATA = SETTINGS["project"], SETTINGS["tool"]["setuptools"]["package-data"]["ganapp"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]
TRAIN = [Requirement(line) for line in PROJECT["optional-dependencies"]["train"]]
MACHINES = [
    ("linux", "x86_64", "onnxruntime-gpu"),
    ("linux", "aarch64", "onnxruntime"),
    ("win32", "AMD64", "onnxruntime-gpu"),
    ("win32", "ARM64", "onnxruntime"),
    ("darwin", "arm64", "onnxruntime"),
]


def on(system: str, machine: str, wanted: list[Requirement]) -> list[str]:
    """The names that a machine gets."""
    here = {"sys_platform": system, "platform_machine": machine}
    return [item.name for item in wanted if item.marker is None or item.marker.evaluate(here)]


@pytest.mark.parametrize("wanted", [ALL, SERVING, NEEDED], ids=["all", "serving", "project"])
@pytest.mark.parametrize(("system", "machine", "runtime"), MACHINES)
def test_every_machine_gets_one_onnx_runtime(system: str, machine: str, runtime: str, wanted: list[Requirement]):
    assert [name for name in on(system, machine, wanted) if name.startswith("onnxruntime")] == [runtime]


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.name)
def test_every_requirement_is_one_version(item: Requirement):
    [pin] = item.specifier
    assert pin.operator == "==" and "*" not in pin.version


def test_the_serving_list_takes_its_versions_from_the_whole_one():
    assert (ROOT / "requirements-serving.txt").read_text(encoding="utf-8").count("-c requirements.txt\n") == 1
    assert not any(item.specifier for item in SERVING)
    pinned = {(item.name, str(item.marker)) for item in ALL}
    assert {(item.name, str(item.marker)) for item in SERVING} <= pinned
    assert not TORCH_SIDE & {item.name for item in SERVING}


def test_the_project_names_what_the_lists_name_and_its_ranges_hold_the_versions():
    assert {item.name for item in NEEDED} == {item.name for item in SERVING}
    assert {item.name for item in NEEDED + TRAIN} == {item.name for item in ALL}
    versions = {item.name: next(iter(item.specifier)).version for item in ALL}
    for item in NEEDED + TRAIN:
        assert item.specifier.contains(versions[item.name]), item
        assert not item.specifier.contains(str(Version(versions[item.name]).major + 1)), f"{item} has no upper end"


def test_the_package_has_every_file_of_the_tree_that_is_not_python():
    top = ROOT / "ganapp"
    others = {path for path in top.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert others == {path for pattern in PACKAGE_DATA for path in top.glob(pattern)}


def test_a_space_runs_the_gradio_that_is_pinned():
    [gradio] = [item for item in ALL if item.name == "gradio"]
    front = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    [version] = re.findall(r"^sdk_version: (.+)$", front, re.MULTILINE)
    assert gradio.specifier == Requirement(f"gradio=={version}").specifier
