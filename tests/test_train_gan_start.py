"""A run stopped, killed and resumed, and what it leaves in its folder."""

import itertools
import json
import math
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
from tiny_run import ARCHITECTURES, TINY, write_dataset

import ganapp.train.gan.loop
from ganapp.contract import CHECKPOINT
from ganapp.models.device import find_device
from ganapp.train.gan.checkpoint import BEST, load_checkpoint, save_checkpoint
from ganapp.train.gan.config import DEFAULT
from ganapp.train.gan.loop import Budget, Run, batch_at
from ganapp.train.gan.quality import Judge
from ganapp.train.gan.start import train
from ganapp.train.gan.state import TrainState
from ganapp.train.gan.step import Batch, Losses, train_step
from ganapp.train.pace import crossed


class Poison:
    """Makes the real images of the given calls NaN, counted from 0 over the whole test."""

    def __init__(self) -> None:
        self.steps: set[int] = set()
        self.calls = 0

    def __call__(self, state: TrainState, batch: Batch, *rest) -> Losses:
        if self.calls in self.steps:
            batch = replace(batch, real=torch.full_like(batch.real, torch.nan))
        self.calls += 1
        return train_step(state, batch, *rest)


def tensors(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run / CHECKPOINT)[0]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_run_stopped_and_resumed_equals_one_never_stopped_to_the_bit(name: str, shapes: Path, tmp_path: Path):
    """With all that a step draws: dropout, augmentation whose probability moves, mirrored pictures, growth."""
    cfg = replace(ARCHITECTURES[name], augment="adaptive", adapt_kimg=0.5, flip=True, quality_kimg=math.inf)
    for out, parts in ((tmp_path / "whole", [0.08]), (tmp_path / "parts", [0.024, 0.08])):
        for i, kimg in enumerate(parts):
            train(shapes, out, cfg, Budget(kimg=kimg), resume=i > 0, device="cpu")
    whole, resumed = tensors(tmp_path / "whole"), tensors(tmp_path / "parts")
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


@pytest.fixture(scope="module")
def measured(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 10 steps that measured its quality four times, resumed once."""
    out = tmp_path_factory.mktemp("runs") / "measured"
    cfg = replace(TINY, quality_kimg=0.02, grid_kimg=0.04)
    train(shapes, out, cfg, Budget(kimg=0.048), device="cpu")
    train(shapes, out, cfg, Budget(kimg=0.08), resume=True, device="cpu")
    return out


def quality_lines(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "kid" in line]


def test_quality_is_measured_at_its_intervals_and_the_best_state_by_kid_is_kept(measured: Path):
    lines = quality_lines(measured)
    assert [line["seen"] for line in lines] == [24, 40, 64, 80]
    best = min(lines, key=lambda line: line["kid"])
    facts = load_checkpoint(measured / BEST)[2]
    assert facts.seen == best["seen"]
    assert load_checkpoint(measured / CHECKPOINT)[2].seen == 80


def test_a_run_leaves_a_report_in_words_curves_and_a_timeline(measured: Path):
    text = (measured / "report.md").read_text()
    assert "KID" in text and "FID" not in text and "python -m export" in text
    curves = json.loads((measured / "curves.json").read_text())
    assert curves["quality"]["kid"] == [line["kid"] for line in quality_lines(measured)]
    for name in ("curves.png", "timeline.mp4"):
        assert (measured / name).stat().st_size > 1000


def test_patience_ends_a_run_whose_best_is_long_past(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    worse = itertools.count(1)
    honest = Judge.measure
    monkeypatch.setattr(Judge, "measure", lambda judge, state: replace(honest(judge, state), kid=float(next(worse))))
    out = tmp_path / "run"
    train(shapes, out, replace(TINY, quality_kimg=0.016), Budget(kimg=0.4, patience=0.048), device="cpu")
    assert load_checkpoint(out / CHECKPOINT)[2].seen == 64  # the best at 16 images, and 48 more without a better one
    assert load_checkpoint(out / BEST)[2].seen == 16
    assert "patience" in (out / "report.md").read_text()


def test_patience_shorter_than_a_measurement_is_refused(shapes: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="--quality-kimg"):
        train(shapes, tmp_path / "run", TINY, Budget(kimg=1, patience=10), device="cpu")


def test_a_run_that_fails_for_another_reason_is_not_called_diverged(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Run, "report", full)
    with pytest.raises(OSError, match="no space"):
        train(shapes, tmp_path / "run", TINY, Budget(kimg=1), device="cpu")
    text = (tmp_path / "run" / "report.md").read_text()
    assert "cut off" in text and "diverged" not in text


def test_the_best_of_a_run_without_a_checkpoint_is_not_written_over(shapes: Path, tmp_path: Path):
    (tmp_path / BEST).write_bytes(b"another model")
    with pytest.raises(ValueError, match=rf"holds the best state of a run.*--init {tmp_path / BEST}"):
        train(shapes, tmp_path, TINY, Budget(kimg=0.008), device="cpu")
    assert (tmp_path / BEST).read_bytes() == b"another model"


def test_a_run_that_has_a_best_state_has_a_checkpoint(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "run"
    monkeypatch.setattr(Run, "say", lambda *_: (_ for _ in ()).throw(MemoryError))  # killed thereafter
    cfg = replace(TINY, quality_kimg=0.016, checkpoint_kimg=0.024)
    with pytest.raises(MemoryError):
        train(shapes, out, cfg, Budget(kimg=1), device="cpu")
    assert load_checkpoint(out / BEST)[2].seen == 16
    train(shapes, out, cfg, Budget(kimg=0.024), resume=True, device="cpu")


def test_a_few_bad_steps_are_left_out_and_named(shapes: Path, tmp_path: Path, poison: Poison):
    poison.steps = {3, 4}
    train(shapes, tmp_path / "run", TINY, Budget(kimg=0.32), device="cpu")
    tensors, _, facts = load_checkpoint(tmp_path / "run" / CHECKPOINT)
    assert facts.seen == 320
    assert all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())
    assert found(tmp_path / "run") == ["divergence"]


def test_many_bad_steps_in_a_row_bring_the_last_checkpoint_back_and_the_run_goes_on(
    shapes: Path, tmp_path: Path, poison: Poison, caplog: pytest.LogCaptureFixture
):
    poison.steps = set(range(6, 20))
    cfg = replace(TINY, checkpoint_kimg=0.032)
    with caplog.at_level("WARNING", logger="ganapp"):
        train(shapes, tmp_path / "run", cfg, Budget(kimg=0.16), device="cpu")
    assert "divergence" in caplog.text
    tensors, _, facts = load_checkpoint(tmp_path / "run" / CHECKPOINT)
    assert facts.seen == 160
    assert all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())
    assert "divergence" in found(tmp_path / "run")
    seen = [json.loads(line)["seen"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert seen == sorted(seen)


def found(run: Path) -> list[str]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line["finding"] for line in lines if "finding" in line]


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    poison = Poison()
    monkeypatch.setattr(ganapp.train.gan.loop, "train_step", poison)
    return poison


def test_a_run_leaves_checkpoint_samples_log_and_events(run: Path):
    assert load_checkpoint(run / CHECKPOINT)[2].seen == 80
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert lines[0]["seen"] == 8 and {"G", "D", "img_per_sec"} <= lines[0].keys()
    sheet = np.asarray(Image.open(run / "samples" / "000000.png"))
    assert sheet.shape[2] == 4 and len(np.unique(sheet)) > 10
    assert list((run / "tensorboard").glob("events*"))


def test_a_second_run_does_not_overwrite_the_first(shapes: Path, run: Path):
    before = (run / CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match="--resume"):
        train(shapes, run, TINY, Budget(kimg=1), device="cpu")
    assert (run / CHECKPOINT).read_bytes() == before


def test_resuming_keeps_the_stored_settings_and_refuses_others_and_other_data(shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    train(shapes, out, TINY, Budget(kimg=0.016), device="cpu")
    train(shapes, out, DEFAULT, Budget(kimg=0.024), resume=True, device="cpu")
    assert load_checkpoint(out / CHECKPOINT)[1] == TINY
    with pytest.raises(ValueError, match=r"settings it began with: --lr is 0\.\d+ there, not 1\.0; leave that out"):
        train(shapes, out, replace(TINY, lr=1.0), Budget(kimg=1), resume=True, device="cpu")
    other = write_dataset(tmp_path / "other", count=24)
    with pytest.raises(ValueError, match="another dataset"):
        train(other, out, TINY, Budget(kimg=1), resume=True, device="cpu")


def test_a_resumed_run_may_reach_a_checkpoint_before_its_first_report(shapes: Path, tmp_path: Path):
    often = replace(TINY, checkpoint_kimg=0.016)
    train(shapes, tmp_path / "run", often, Budget(kimg=0.008), device="cpu")
    train(shapes, tmp_path / "run", often, Budget(kimg=0.024), resume=True, device="cpu")
    assert load_checkpoint(tmp_path / "run" / CHECKPOINT)[2].seen == 24


def test_resuming_nothing_and_training_on_nothing_are_clear_errors(shapes: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="no checkpoint"):
        train(shapes, tmp_path / "none", TINY, Budget(kimg=1), resume=True, device="cpu")
    with pytest.raises(ValueError, match="prepare"):
        train(tmp_path, tmp_path / "out", TINY, Budget(kimg=1), device="cpu")


def test_a_diverged_run_says_so_and_keeps_the_checkpoint_from_before(shapes: Path, tmp_path: Path, poison: Poison):
    out = tmp_path / "run"
    train(shapes, out, TINY, Budget(kimg=0.008), device="cpu")
    before = (out / CHECKPOINT).read_bytes()
    poison.steps = set(range(1000))
    with pytest.raises(ValueError, match=r"diverged.*is from before, and --resume goes on from it"):
        train(shapes, out, TINY, Budget(kimg=10), resume=True, device="cpu")
    assert (out / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("damage", ["nan", "shape", "missing", "rng", "optimiser", "kind", "facts", "attributes"])
def test_a_checkpoint_that_somebody_changed_is_named(damage: str, shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    train(shapes, out, TINY, Budget(kimg=0.008), device="cpu")
    tensors, cfg, facts = load_checkpoint(out / CHECKPOINT)
    const = tensors["G.synthesis.const"]
    if damage == "nan":
        const.fill_(float("nan"))
    elif damage == "shape":
        tensors["G.synthesis.const"] = const[:, :2]
    elif damage == "kind":
        tensors["opt_G.first.exp_avg"] = torch.zeros(3)
    elif damage in ("facts", "attributes"):
        facts = replace(facts, **{"facts": {"seen": "many"}, "attributes": {"attributes": {"hat": (1, 2)}}}[damage])
    else:
        name = {"missing": "D.out.weight", "rng": "rng", "optimiser": "opt_G.0.exp_avg"}[damage]
        tensors["opt_G.999.exp_avg" if damage == "optimiser" else "unknown"] = tensors.pop(name)
    save_checkpoint(out / CHECKPOINT, tensors, cfg, facts)
    before = (out / CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match=f"{out / CHECKPOINT}"):
        train(shapes, out, TINY, Budget(kimg=0.016), resume=True, device="cpu")
    assert (out / CHECKPOINT).read_bytes() == before


def test_a_checkpoint_of_another_kind_of_device_goes_on_with_fresh_random_numbers(shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    train(shapes, out, TINY, Budget(kimg=0.008), device="cpu")
    tensors, cfg, facts = load_checkpoint(out / CHECKPOINT)
    save_checkpoint(out / CHECKPOINT, {**tensors, "rng": torch.zeros(16, dtype=torch.uint8)}, cfg, facts)
    train(shapes, out, TINY, Budget(kimg=0.016), resume=True, device="cpu")
    assert load_checkpoint(out / CHECKPOINT)[2].seen == 16


@pytest.mark.parametrize("name", ["toaster", "cuda:99"])
def test_a_device_that_is_not_there_is_named(name: str):
    with pytest.raises(ValueError, match=name):
        find_device(name)


def test_batches_show_every_picture_once_an_epoch_in_an_order_of_its_own():
    first, second = ([batch_at(10, 3, seed=1, seen=seen) for seen in range(start, start + 9, 3)] for start in (0, 9))
    assert len(torch.cat(first).unique()) == 9
    assert not torch.equal(torch.cat(first), torch.cat(second))
    assert torch.equal(batch_at(10, 3, seed=1, seen=3), first[1])


def test_a_multiple_is_crossed_once():
    steps = range(32, 100_001, 32)
    assert sum(crossed(seen, 32, 10) for seen in steps) == 10


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_stops_the_run_with_a_checkpoint(number: int, shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "ganapp", "train", str(shapes), "--out", str(out), "--batch", "8"]
    small = ["--network.width", "16", "--network.base", "256", "--device", "cpu", "--threads", "1"]
    with subprocess.Popen([*command, *small, "--minutes", "5"]) as process:
        try:
            wait_for(out / "log.jsonl")
            process.send_signal(number)
            assert process.wait(300) == 0
        finally:
            process.kill()
    assert load_checkpoint(out / CHECKPOINT)[2].seen > 0


def wait_for(path: Path) -> None:
    """Return once the file has a line."""
    deadline = time.monotonic() + 300
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def test_a_palette_of_pixel_art_is_not_drawn_larger(tmp_path: Path):
    """Reduced by area, the squares would have soft edges, which theirs have not."""
    data = write_dataset(tmp_path / "data")
    chosen = ARCHITECTURES["stylegan2-supersampled"]
    soft = replace(chosen, network=replace(chosen.network, supersample=0, plane_scale=0))
    record = json.loads((data / "dataset.json").read_text())
    for pixel_size, supersample in ((1, 2), (2, 1)):
        (data / "dataset.json").write_text(json.dumps({**record, "pixel_size": pixel_size}))
        out = tmp_path / f"run{pixel_size}"
        train(data, out, soft, Budget(kimg=0.008), device="cpu")
        network = load_checkpoint(out / CHECKPOINT)[1].network
        assert (network.supersample, network.plane_scale) == (supersample, 1)
        train(data, out, soft, Budget(kimg=0.016), resume=True, device="cpu")  # the same settings go on
        assert load_checkpoint(out / CHECKPOINT)[2].seen == 16
