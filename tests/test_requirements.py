from pathlib import Path

import pytest
from packaging.requirements import Requirement

TEXT = (Path(__file__).resolve().parent.parent / "requirements.txt").read_text(encoding="utf-8")
LINES = [line for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize(
    ("system", "machine", "runtime"),
    [
        ("linux", "x86_64", "onnxruntime-gpu"),
        ("linux", "aarch64", "onnxruntime"),
        ("win32", "AMD64", "onnxruntime-gpu"),
        ("win32", "ARM64", "onnxruntime"),
        ("darwin", "arm64", "onnxruntime"),
    ],
)
def test_every_machine_gets_one_onnx_runtime(system: str, machine: str, runtime: str):
    here = {"sys_platform": system, "platform_machine": machine}
    wanted = [item.name for item in map(Requirement, LINES) if item.marker is None or item.marker.evaluate(here)]
    assert [name for name in wanted if name.startswith("onnxruntime")] == [runtime]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.partition("=")[0])
def test_every_requirement_is_one_version(line: str):
    [pin] = Requirement(line).specifier
    assert pin.operator == "==" and "*" not in pin.version
