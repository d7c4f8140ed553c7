"""What only a CUDA device can show; without one, everything here is skipped."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_train_upscaler import TINY as TINY_UPSCALER
from test_train_upscaler import some_pairs
from tiny_run import ARCHITECTURES, TINY

from ganapp.contract import CHECKPOINT
from ganapp.data.dataset import load_dataset
from ganapp.serve.generator import open_generator
from ganapp.serve.library import Library
from ganapp.serve.session import CPU, CUDA, wanted_providers
from ganapp.serve.upscaler import open_upscaler
from ganapp.train.gan.checkpoint import load_checkpoint
from ganapp.train.gan.config import DEFAULT, TrainConfig
from ganapp.train.gan.loop import Budget
from ganapp.train.gan.start import facts_of, train
from ganapp.train.gan.state import TrainState, new_state
from ganapp.train.gan.step import Batch, train_step
from ganapp.train.upscaler.step import UpscalerState
from ganapp.train.upscaler.step import train_step as upscaler_step

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
GPU, HOST = torch.device("cuda"), torch.device("cpu")
SIZES = [2, 2]

pytestmark = pytest.mark.gpu
on_torch = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
on_onnx = pytest.mark.skipif(wanted_providers()[0] != CUDA, reason="ONNX Runtime finds no CUDA device")


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Whatever keeps the host waiting for the device raises RuntimeError, from when the test asks for it."""
    yield
    torch.cuda.set_sync_debug_mode("default")


def state_and_batch(shapes: Path, cfg: TrainConfig) -> tuple[TrainState, Batch]:
    dataset = load_dataset(shapes).near(GPU)
    held_out = dataset.batch(torch.arange(8, 16), GPU)
    return new_state(cfg, facts_of(load_dataset(shapes)), GPU), Batch(*dataset.batch(torch.arange(8), GPU), held_out)


@on_onnx
@pytest.mark.parametrize("name", sorted(Library(WEIGHTS, need=None).names()))
def test_a_seed_is_the_same_picture_as_on_the_cpu_and_a_gpu_says_how_fast(name: str):
    served, alone = open_generator(WEIGHTS / name), open_generator(WEIGHTS / name, [CPU])
    assert (served._synthesis if served.spec.num_ws else served._session).get_providers()[0] == CUDA
    images, expected = (np.stack(list(each.generate(range(75)))).astype(int) for each in (served, alone))
    assert np.abs(images - expected).max() <= 1
    began = time.perf_counter()
    count = sum(1 for _ in served.generate(range(640)))
    print(f"{name}: {count / (time.perf_counter() - began):.0f} images a second")


@on_onnx
@pytest.mark.parametrize("name", sorted(Library(WEIGHTS, need=None).upscalers))
def test_a_picture_is_enlarged_as_on_the_cpu(name: str):
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 4), np.uint8)
    served, alone = open_upscaler(WEIGHTS / name), open_upscaler(WEIGHTS / name, [CPU])
    assert served._session.get_providers()[0] == CUDA
    assert np.abs(served.enlarge(image).astype(int) - alone.enlarge(image)).max() <= 1


@on_torch
def test_batches_are_the_same_from_the_memory_of_the_device_and_of_the_host(shapes: Path):
    dataset = load_dataset(shapes)
    near, index = dataset.near(GPU), torch.tensor([3, 1, 2])
    assert near.pixels.device.type == near.labels.device.type == "cuda"
    every = (near.batch(index, GPU), dataset.batch(index, GPU), dataset.batch(index, HOST))
    for there, here, expected in zip(*every, strict=True):
        assert there.device.type == here.device.type == "cuda"
        assert torch.equal(there, here) and torch.allclose(there.cpu(), expected)


@on_torch
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_trains_in_bf16_without_waiting_for_the_device(name: str, shapes: Path, no_waiting: None):
    cfg = replace(ARCHITECTURES[name], precision="bf16", augment="adaptive", flip=True, penalty="r1r2")
    state, batch = state_and_batch(shapes, cfg)
    dataset = load_dataset(shapes)
    before = [p.detach().clone() for p in state.G.parameters()]
    for _ in range(4):  # libraries are loaded, and what is made once is made
        train_step(state, batch, SIZES, cfg)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    for source in (dataset, dataset.near(GPU)):
        for step in range(4):
            index = torch.arange(8) + step
            train_step(state, Batch(*source.batch(index, GPU), source.batch(index, GPU)), SIZES, cfg)
    torch.cuda.set_sync_debug_mode("default")
    assert state.finite() and not int(state.skipped)
    assert any(not torch.equal(old, p) for old, p in zip(before, state.G.parameters(), strict=True))


@on_torch
def test_an_upscaler_trains_in_bf16_without_waiting_for_the_device(no_waiting: None):
    cfg = replace(TINY_UPSCALER, precision="bf16")
    state = UpscalerState.new(cfg, GPU)
    for _ in range(4):
        upscaler_step(state, some_pairs(), cfg)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    losses = [upscaler_step(state, some_pairs(), cfg) for _ in range(4)]
    torch.cuda.set_sync_debug_mode("default")
    assert all(torch.isfinite(loss) for loss in losses)


@on_torch
def test_a_run_goes_on_from_one_kind_of_device_to_the_other_and_back(shapes: Path, tmp_path: Path):
    cfg = replace(TINY, augment="adaptive", quality_kimg=float("inf"))
    for i, device in enumerate(("cuda", "cpu", "cuda")):
        train(shapes, tmp_path / "run", cfg, Budget(kimg=0.04 * (i + 1)), resume=i > 0, device=device)
        tensors, _, facts = load_checkpoint(tmp_path / "run" / CHECKPOINT)
        assert facts.seen == 40 * (i + 1)
        assert all(tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point())
        assert int(tensors["opt_G.0.step"]) == 5 * (i + 1)


@on_torch
def test_memory_stays_flat_over_200_steps_and_a_gpu_says_how_fast_the_default_is(shapes: Path):
    cfg = replace(DEFAULT, batch=8, precision="bf16")
    state, batch = state_and_batch(shapes, cfg)

    def steps(count: int) -> int:
        torch.cuda.reset_peak_memory_stats()
        for _ in range(count):
            train_step(state, batch, SIZES, cfg)
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()

    steps(2 * cfg.penalty_every)  # the moments are there, and a penalty was computed
    first = steps(2 * cfg.penalty_every)
    began = time.perf_counter()
    assert steps(200) <= 1.01 * first
    print(f"{200 * cfg.batch / (time.perf_counter() - began):.0f} images a second in training, at 16 px")
