"""A run stopped, killed and resumed, and what it leaves in its folder."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import TINY, write_dataset

from ganapp.train.checkpoint import FILE, load_checkpoint, save_checkpoint
from ganapp.train.config import TrainConfig
from ganapp.train.loop import Budget, batches, crossed, find_device, train


def tensors(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run / FILE)[0]


def test_a_run_stopped_and_resumed_equals_one_never_stopped_to_the_bit(shapes: Path, run: Path, tmp_path: Path):
    out = tmp_path / "run"
    train(shapes, out, TINY, Budget(kimg=0.024), device="cpu")
    train(shapes, out, TINY, Budget(kimg=0.08), resume=True, device="cpu")
    whole, resumed = tensors(run), tensors(out)
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_run_leaves_checkpoint_samples_log_and_events(run: Path):
    assert load_checkpoint(run / FILE)[2].seen == 80
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert lines[0]["seen"] == 8 and {"G", "D", "img_per_sec"} <= lines[0].keys()
    sheet = np.asarray(Image.open(run / "samples" / "000000.png"))
    assert sheet.shape[2] == 4 and len(np.unique(sheet)) > 10
    assert list((run / "tensorboard").glob("events*"))


def test_a_second_run_does_not_overwrite_the_first(shapes: Path, run: Path):
    before = (run / FILE).read_bytes()
    with pytest.raises(ValueError, match="--resume"):
        train(shapes, run, TINY, Budget(kimg=1), device="cpu")
    assert (run / FILE).read_bytes() == before


def test_resuming_keeps_the_stored_settings_and_refuses_others_and_other_data(shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    train(shapes, out, TINY, Budget(kimg=0.016), device="cpu")
    train(shapes, out, TrainConfig(), Budget(kimg=0.024), resume=True, device="cpu")
    assert load_checkpoint(out / FILE)[1] == TINY
    with pytest.raises(ValueError, match="settings it began with"):
        train(shapes, out, replace(TINY, lr=1.0), Budget(kimg=1), resume=True, device="cpu")
    other = write_dataset(tmp_path / "other", count=24)
    with pytest.raises(ValueError, match="another dataset"):
        train(other, out, TINY, Budget(kimg=1), resume=True, device="cpu")


def test_a_resumed_run_may_reach_a_checkpoint_before_its_first_report(shapes: Path, tmp_path: Path):
    often = replace(TINY, checkpoint_kimg=0.016)
    train(shapes, tmp_path / "run", often, Budget(kimg=0.008), device="cpu")
    train(shapes, tmp_path / "run", often, Budget(kimg=0.024), resume=True, device="cpu")
    assert load_checkpoint(tmp_path / "run" / FILE)[2].seen == 24


def test_resuming_nothing_and_training_on_nothing_are_clear_errors(shapes: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="no checkpoint"):
        train(shapes, tmp_path / "none", TINY, Budget(kimg=1), resume=True, device="cpu")
    with pytest.raises(ValueError, match="prepare"):
        train(tmp_path, tmp_path / "out", TINY, Budget(kimg=1), device="cpu")


@pytest.mark.parametrize("kimg", [0.016, 10])  # before the first report of losses, and after it
def test_a_diverged_run_says_so_and_keeps_the_checkpoint_from_before(kimg: float, shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    train(shapes, out, TINY, Budget(kimg=0.008), device="cpu")
    tensors, cfg, facts = load_checkpoint(out / FILE)
    tensors["G.synthesis.const"].fill_(float("nan"))
    save_checkpoint(out / FILE, tensors, cfg, facts)
    before = (out / FILE).read_bytes()
    with pytest.raises(ValueError, match="diverged"):
        train(shapes, out, TINY, Budget(kimg=kimg), resume=True, device="cpu")
    assert (out / FILE).read_bytes() == before


def test_a_checkpoint_of_another_kind_of_device_goes_on_with_fresh_random_numbers(shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    train(shapes, out, TINY, Budget(kimg=0.008), device="cpu")
    tensors, cfg, facts = load_checkpoint(out / FILE)
    save_checkpoint(out / FILE, {**tensors, "rng": torch.zeros(16, dtype=torch.uint8)}, cfg, facts)
    train(shapes, out, TINY, Budget(kimg=0.016), resume=True, device="cpu")
    assert load_checkpoint(out / FILE)[2].seen == 16


@pytest.mark.parametrize("name", ["toaster", "cuda:99"])
def test_a_device_that_is_not_there_is_named(name: str):
    with pytest.raises(ValueError, match=name):
        find_device(name)


def test_batches_show_every_picture_once_an_epoch_and_go_on_where_they_stopped():
    stream = batches(10, 3, seed=1, seen=0)
    first = [next(stream) for _ in range(6)]
    epoch = torch.cat(first[:3])
    assert len(epoch.unique()) == 9
    assert not torch.equal(epoch, torch.cat(first[3:]))
    for step in range(6):
        assert torch.equal(next(batches(10, 3, seed=1, seen=3 * step)), first[step])


def test_a_multiple_is_crossed_once():
    steps = range(32, 100_001, 32)
    assert sum(crossed(seen, 32, 10) for seen in steps) == 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_with_a_checkpoint(number: int, shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "ganapp", "train", str(shapes), "--out", str(out), "--batch", "8"]
    small = ["--network.width", "16", "--network.base", "256", "--device", "cpu", "--threads", "1"]
    with subprocess.Popen([*command, *small, "--minutes", "5"]) as process:
        try:
            wait_for(out / "log.jsonl")
            process.send_signal(number)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert load_checkpoint(out / FILE)[2].seen > 0


def wait_for(path: Path) -> None:
    """Return once the file has a line."""
    deadline = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)
