"""Processes that share a batch: together they compute what one computes alone."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_run import TINY

from ganapp.contract import CHECKPOINT
from ganapp.train.gan.checkpoint import load_checkpoint
from ganapp.train.gan.loop import Budget
from ganapp.train.gan.start import check_fits, train
from ganapp.train.parallel import GROUP, Draws, Processes


@pytest.mark.parametrize("count", [2, 4])
def test_the_shares_of_all_processes_make_the_batch(count: int):
    batch = torch.arange(32)
    shares = [Processes(count, rank).take(batch) for rank in range(count)]
    assert torch.equal(torch.cat(shares).sort().values, batch)


def test_images_that_are_compared_stay_together():
    """Group m of M is every M-th image; each is wholly in one share, as a group there."""
    batch = torch.arange(32)
    whole = batch.view(GROUP, -1).T.tolist()  # [M, GROUP]
    parts = [Processes(2, rank).take(batch).view(GROUP, -1).T.tolist() for rank in range(2)]
    assert parts[0] + parts[1] == whole


def test_random_numbers_of_two_processes_are_those_of_one():
    alone = Draws(torch.Generator().manual_seed(3), Processes()).normal(16, 5)
    halves = [Draws(torch.Generator().manual_seed(3), Processes(2, rank)).normal(8, 5) for rank in range(2)]
    for rank, half in enumerate(halves):
        assert torch.equal(half, Processes(2, rank).take(alone))


def test_a_share_of_no_columns_is_one_too():
    """As of the noise of a network without noise."""
    assert Draws(torch.Generator(), Processes(2, 1)).normal(8, 0).shape == (8, 0)


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="multiple of 8"):
        check_fits(Path("data"), 100, replace(TINY, batch=12), Processes(2, 0))


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_whole_batch(shapes: Path, tmp_path: Path):
    """Launched by torchrun over gloo, with the loss, the weights and the log of a single process."""
    settings = ["--network.width", "16", "--network.base", "256", "--network.z-dim", "16", "--network.w-dim", "16"]
    settings += [
        "--network.palette",
        "0",
        "--network.noise",
        "--batch",
        "8",
        "--precision",
        "fp32",
        "--penalty-every",
        "4",
        "--quality-count",
        "16",
    ]
    settings += ["--attribute-loss", "0", "--network.judge-units", "0"]
    settings += ["--augment", "adaptive", "--quality-kimg", "inf", "--kimg", "0.08", "--device", "cpu"]
    out = tmp_path / "two"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, "-m", "ganapp", "train", str(shapes), "--out", str(out), *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert ran.returncode == 0, ran.stderr
    train(
        shapes, tmp_path / "one", replace(TINY, augment="adaptive", quality_kimg=float("inf")),
        Budget(kimg=0.08), device="cpu",
    )  # fmt: skip
    one, two = (load_checkpoint(folder / CHECKPOINT)[0] for folder in (tmp_path / "one", out))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        if name.startswith(("G.", "D.", "G_ema.", "watch.")):
            assert torch.allclose(tensor, two[name], rtol=1e-2, atol=2e-3), name
    assert torch.equal(one["rng"], two["rng"])
    first, second = (
        json.loads((folder / "log.jsonl").read_text().splitlines()[0]) for folder in (tmp_path / "one", out)
    )
    for name in ("G", "D", "real", "fake", "penalty"):
        assert first[name] == pytest.approx(second[name], rel=1e-4, abs=1e-5), name
