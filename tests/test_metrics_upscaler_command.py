import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ganapp.contract import SPEC_KEY, UPSCALER, UpscalerSpec
from ganapp.cpus import usable_cpus
from ganapp.metrics.upscaler_command import run


@pytest.fixture(autouse=True)
def on_few_drawings(few_drawings: None) -> Iterator[None]:
    """The fixed sets cut short; the CPUs of this process given back."""
    cpus = os.sched_getaffinity(0) if sys.platform == "linux" else set()
    yield
    if cpus:
        os.sched_setaffinity(0, cpus)


def nearest_upscaler(folder: Path, scale: int) -> Path:
    """An upscaler whose graph repeats every pixel, made by hand: exporting a network takes seconds."""
    scales = numpy_helper.from_array(np.array([1, scale, scale, 1], np.float32), "scales")
    nodes = [
        helper.make_node("Cast", ["images"], ["x"], to=TensorProto.FLOAT),
        helper.make_node(
            "Resize", ["x", "", "scales"], ["y"], mode="nearest", coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node("Cast", ["y"], ["enlarged"], to=TensorProto.UINT8),
    ]  # fmt: skip
    tensors = [
        [helper.make_tensor_value_info(name, TensorProto.UINT8, ["N", f"{name}_h", f"{name}_w", 3])]
        for name in ("images", "enlarged")
    ]
    graph = helper.make_graph(nodes, "upscaler", *tensors, [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {SPEC_KEY: UpscalerSpec(folder.name, scale, 1).to_json()})
    folder.mkdir(parents=True)
    onnx.save(model, folder / UPSCALER)
    return folder


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table, the method first; without the heads."""
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return [row for row in table if row[0] not in ("method", "---")]


def test_every_upscaler_is_measured_at_its_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    two, four = (nearest_upscaler(tmp_path / f"tiny-x{scale}", scale) for scale in (2, 4))
    run("x", [str(four), str(two), "--sides", "16", "24", "--no-peers", "--json", str(tmp_path / "found.json")])
    text = capsys.readouterr().out
    assert text.index("x2 on 5 illustrations, 4 of them of styles") < text.index("tiny-x2") < text.index("x4 on 5")
    methods = [row[0] for row in rows(text)]
    filters = ["nearest", "bicubic", "Lanczos", "median 3x3, Lanczos", "bilateral, Lanczos"]
    assert methods == [*filters, "tiny-x2"] * 4 + [*filters, "tiny-x4"] * 4
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert [(task["kind"], task["scale"], task["side"]) for task in found] == [
        (kind, scale, side)
        for scale in (2, 4)
        for kind, side in [(k, s) for s in (16, 24) for k in ("degraded", "clean", "strangers")] + [("rgba", 16)] * 2
    ]
    for task in found[:6]:  # all in RGB
        ours, same = (task["scores"][name]["all"] for name in ("tiny-x2", "nearest"))
        assert (ours["psnr"], ours["ssim"]) == (same["psnr"], same["ssim"])
    scores = found[0]["scores"]["bicubic"]
    assert f"{scores['all']['psnr']:.2f} / {scores['all']['ssim']:.4f}" == rows(text)[1][1]
    assert "2 drawings by other artists" in text and found[2]["scores"]["bicubic"]["all"]["count"] == 2
    assert scores["all"]["count"] == 5 and found[-1]["scores"]["bicubic"]["cut-outs"]["count"] == 2


def test_without_weights_and_without_some_methods_the_rest_is_measured(capsys: pytest.CaptureFixture[str]):
    run("x", ["--sides", "16", "--no-peers", "--without", "Lanczos", "nearest"])
    assert [row[0] for row in rows(capsys.readouterr().out)] == ["bicubic"] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to CPUs")
def test_all_methods_have_as_many_cpus(capsys: pytest.CaptureFixture[str]):
    run("x", ["--sides", "16", "--no-peers", "--without", "Lanczos"])
    assert usable_cpus() == 1


@pytest.mark.parametrize(
    "args, wrong",
    [
        (["--threads", "0"], "--threads must be at least 1, not 0"),
        (["--sides", "8"], "--sides must be between 16 and 512, not 8"),
        (["--without", "e", "i", "L", "--no-peers", "--sides", "16"], "--without leaves nothing to measure"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_named(args: list[str], wrong: str):
    with pytest.raises(ValueError, match=wrong):
        run("x", args)


def test_two_upscalers_of_one_name_are_refused(tmp_path: Path):
    folders = [nearest_upscaler(tmp_path / place / "tiny", 2) for place in ("a", "b")]
    with pytest.raises(ValueError, match="the same name"):
        run("x", [str(folder) for folder in folders])
