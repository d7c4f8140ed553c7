"""Upscalers as bundles: equal to torch, of any size, with their story."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from test_sr import TINY
from tiny_run import write_dataset

from export.upscaler import export_upscaler, is_upscaler
from ganapp.contract import CARD, SPEC_KEY, UPSCALER, UpscalerSpec
from ganapp.train.sr_run import train_sr

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sr_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps on a prepared dataset."""
    data = write_dataset(tmp_path_factory.mktemp("data") / "shapes")
    out = tmp_path_factory.mktemp("runs") / "up"
    train_sr(data, out, TINY, device="cpu")
    return out


@pytest.fixture(scope="module")
def bundle(sr_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("weights") / "up"
    assert export_upscaler(sr_run, out) <= 1  # it compares the graph with torch
    return out


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 9)])
def test_the_graph_takes_any_size_and_doubles_it(bundle: Path, shape: tuple[int, int, int]):
    session = ort.InferenceSession(bundle / UPSCALER)
    N, H, W = shape
    (enlarged,) = session.run(None, {"images": np.zeros((N, H, W, 3), np.uint8)})
    assert enlarged.shape == (N, 2 * H, 2 * W, 3) and enlarged.dtype == np.uint8


def test_the_spec_tells_scale_radius_and_training(bundle: Path):
    model = onnx.load(bundle / UPSCALER)
    (entry,) = model.metadata_props
    spec = UpscalerSpec.from_json(entry.value)
    assert entry.key == SPEC_KEY
    assert (spec.name, spec.scale, spec.receptive_radius) == ("up", 2, 4)
    assert spec.training["architecture"] == "carn" and spec.training["kimg"] == 0.0
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_the_card_shows_and_measures_drawings_that_it_never_saw(bundle: Path):
    text = (bundle / CARD).read_text("utf-8")
    assert "pipeline_tag: image-to-image" in text and "six others" in text
    assert (bundle / "samples.png").exists()


def test_a_run_is_known_for_what_it_trained(sr_run: Path, run: Path):
    assert is_upscaler(sr_run) and not is_upscaler(run)
