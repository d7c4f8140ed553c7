"""Upscalers as bundles: equal to torch, of any size, with their story."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from test_train_upscaler import TINY
from test_upscaler import noise, untiled, worst
from tiny_run import write_dataset
from tiny_upscaler import make_tiny_upscaler

import export.upscaler
from export.upscaler import export_upscaler, is_upscaler, write_upscaler
from ganapp.contract import CARD, CHECKPOINT, SPEC_KEY, UPSCALER, UpscalerSpec
from ganapp.models.carn import CARN, CARNConfig
from ganapp.serve import session
from ganapp.serve.session import CPU, CUDA
from ganapp.serve.upscaler import CORE, open_upscaler
from ganapp.train.gan.checkpoint import BEST
from ganapp.train.upscaler.start import train_upscaler

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sr_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps on a prepared dataset."""
    data = write_dataset(tmp_path_factory.mktemp("data") / "shapes")
    out = tmp_path_factory.mktemp("runs") / "up"
    train_upscaler((data,), out, TINY, device="cpu")
    return out


@pytest.fixture(scope="module")
def bundle(sr_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("weights") / "up"
    assert "at most" in export_upscaler(sr_run, out).agreement  # it compares the graph with torch
    return out


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 9)])
def test_the_graph_takes_any_size_and_doubles_it(bundle: Path, shape: tuple[int, int, int]):
    session = ort.InferenceSession(bundle / UPSCALER)
    N, H, W = shape
    (enlarged,) = session.run(None, {"images": np.zeros((N, H, W, 3), np.uint8)})
    assert enlarged.shape == (N, 2 * H, 2 * W, 3) and enlarged.dtype == np.uint8


def test_noise_of_every_byte_comes_out_as_torch_draws_it_and_never_wraps(tmp_path: Path):
    torch.manual_seed(0)
    net = CARN(CARNConfig(width=8, blocks=1, units=1))
    torch.nn.init.normal_(net.tail.weight, std=0.5)  # far beyond black and white
    write_upscaler(tmp_path, net, UpscalerSpec("loud", 2, 4))
    images = np.random.RandomState(0).choice(np.array([0, 255], np.uint8), (1, 24, 24, 3))
    (found,) = ort.InferenceSession(tmp_path / UPSCALER).run(None, {"images": images})
    with torch.no_grad():
        x = net(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).permute(0, 2, 3, 1).numpy()
    assert x.min() < -0.5 and x.max() > 1.5
    assert np.abs(found - 255 * x.clip(0, 1)).max() <= 1


def test_it_is_judged_and_quantised_on_the_cpu_even_where_there_is_a_gpu(
    sr_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[list] = []

    def recorded(honest: type) -> Callable:
        def opened(*given, providers: list, **options) -> ort.InferenceSession:
            asked.append(providers)
            return honest(*given, providers=[CPU], **options)

        return opened

    monkeypatch.setattr(session, "Graph", recorded(session.Graph))
    monkeypatch.setattr(ort, "InferenceSession", recorded(ort.InferenceSession))
    monkeypatch.setattr(session, "cuda_devices", lambda: 1)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    export_upscaler(sr_run, tmp_path / "up")
    assert len(asked) >= 3 and all(providers == [CPU] for providers in asked)


def test_the_spec_tells_scale_radius_and_training(bundle: Path):
    model = onnx.load(bundle / UPSCALER)
    (entry,) = model.metadata_props
    spec = UpscalerSpec.from_json(entry.value)
    assert entry.key == SPEC_KEY
    assert (spec.name, spec.scale, spec.receptive_radius) == ("up", 2, 4)
    assert spec.training["architecture"] == "carn" and spec.training["kimg"] == 0.0
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_residual_blocks_compute_in_8_bits_and_nothing_else_does(bundle: Path):
    nodes = onnx.load(bundle / UPSCALER).graph.node
    by_output = {output: node for node in nodes for output in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    for at in (0, 1):  # what goes in, and the weights
        in_8_bits = [by_output.get(node.input[at], node).op_type == "DequantizeLinear" for node in convolutions]
        assert sum(in_8_bits) == 2 * TINY.network.blocks * TINY.network.units
        assert not in_8_bits[0] and not in_8_bits[-1]


def test_a_network_that_8_bits_would_spoil_is_published_in_16(
    sr_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export.upscaler, "MAX_DEVIATION", -1.0)
    with pytest.raises(ValueError, match=r"int8: 8 bits change it by .*; --precision int16 passes"):
        export_upscaler(sr_run, tmp_path / "up", "int8")
    assert not (tmp_path / "up").exists()
    taken = export_upscaler(sr_run, tmp_path / "up")
    assert taken.precision == "int16" and "not int8: 8 bits change it" in str(taken)
    nodes = onnx.load(tmp_path / "up" / UPSCALER).graph.node
    assert not any(node.op_type == "QuantizeLinear" for node in nodes)


def test_the_card_shows_and_measures_drawings_that_it_never_saw(bundle: Path):
    text = (bundle / CARD).read_text("utf-8")
    assert "pipeline_tag: image-to-image" in text and "6 others" in text
    assert (bundle / "samples.png").exists()


def test_a_run_is_known_for_what_it_trained(sr_run: Path, run: Path, tmp_path: Path):
    assert is_upscaler(sr_run) and not is_upscaler(run)
    shutil.copy(run / CHECKPOINT, tmp_path / BEST)  # all that is left of a run
    assert not is_upscaler(tmp_path)


def test_tiled_is_untiled_by_a_network_of_the_shipped_kind(tmp_path: Path):
    upscaler = open_upscaler(make_tiny_upscaler(tmp_path / "tiny"))
    image = noise(CORE + 60, 2 * CORE + 30)
    assert worst(upscaler.enlarge(image), untiled(upscaler, image)) <= 1
