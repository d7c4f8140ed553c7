"""One command given again and again, settings that differ, and a disk that is full."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_run import ARCHITECTURES, TINY, write_dataset

import ganapp.files
from ganapp.contract import CHECKPOINT
from ganapp.files import append_line, write_whole
from ganapp.train.gan.checkpoint import load_checkpoint
from ganapp.train.gan.command import run
from ganapp.train.gan.config import DEFAULT, PRESETS
from ganapp.train.gan.loop import Budget, Run
from ganapp.train.gan.start import train
from ganapp.train.resume import kept, others, resumes, with_value
from ganapp.train.upscaler.config import UpscalerConfig

SMALL = ["--network.width", "16", "--network.base", "256", "--batch", "8", "--precision", "fp32", "--threads", "1"]


def test_resume_stands_alone_or_has_a_value():
    assert with_value(["d", "--resume", "--out", "o"]) == ["d", "--resume", "yes", "--out", "o"]
    assert with_value(["--out", "o", "--resume"]) == ["--out", "o", "--resume", "yes"]
    for value in ("no", "yes", "auto"):
        assert with_value(["--resume", value, "d"]) == ["--resume", value, "d"]
    assert with_value(["--resume", "data"]) == ["--resume", "yes", "data"]


def test_auto_goes_on_where_there_is_a_checkpoint(tmp_path: Path):
    assert [resumes(asked, tmp_path) for asked in ("no", "yes", "auto")] == [False, True, False]
    (tmp_path / CHECKPOINT).touch()
    assert [resumes(asked, tmp_path) for asked in ("no", "yes", "auto")] == [False, True, True]


def test_one_command_begins_a_run_and_goes_on_with_it(shapes: Path, tmp_path: Path):
    out = tmp_path / "run"
    command = [str(shapes), "--out", str(out), *SMALL, "--device", "cpu", "--resume", "auto", "--init", "none"]
    for kimg in (0.016, 0.032):
        run("train", [*command, "--kimg", str(kimg)])
        assert load_checkpoint(out / CHECKPOINT)[2].seen == kimg * 1000
    first = tmp_path / "other"
    begun_with = [str(shapes), "--out", str(first), *SMALL, "--device", "cpu", "--resume", "auto", "--init", str(out)]
    for kimg in (0.008, 0.016):  # a run that has begun does not begin with other weights again
        run("train", [*begun_with, "--kimg", str(kimg)])
    assert load_checkpoint(first / CHECKPOINT)[2].init and load_checkpoint(first / CHECKPOINT)[2].seen == 16


def test_the_setting_that_differs_is_named_by_its_option():
    wider = replace(DEFAULT, network=replace(DEFAULT.network, width=64))
    assert (
        others(wider, DEFAULT, DEFAULT) == "--network.width is 96 there, not 64; leave that out, or start a new --out"
    )
    few = PRESETS["few-pictures"]  # and the run began with it: what the default says of augmentation was not asked for
    assert others(replace(DEFAULT, lr=1.0), few, DEFAULT).startswith("--lr is 0.0025 there, not 1.0;")
    assert "another architecture" in others(ARCHITECTURES["dcgan"], DEFAULT, DEFAULT)
    upscaler = UpscalerConfig()
    assert others(replace(upscaler, patch=32), upscaler, upscaler).startswith(f"--patch is {upscaler.patch} there")


def test_too_few_pictures_for_a_batch_are_refused_with_the_batch_that_fits(tmp_path: Path):
    data = write_dataset(tmp_path / "few", count=7)
    with pytest.raises(ValueError, match=r"7 pictures to train on, fewer than one batch of 8; .*--batch 4"):
        train(data, tmp_path / "run", replace(TINY, holdout=0.0), Budget(kimg=1), device="cpu")
    data = write_dataset(tmp_path / "fewer", count=3)
    with pytest.raises(ValueError, match=r"add pictures: 4 at least"):
        train(data, tmp_path / "run", replace(TINY, holdout=0.0), Budget(kimg=1), device="cpu")


def test_nothing_held_out_is_said_with_what_it_means(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    data = write_dataset(tmp_path / "few", count=12)
    with caplog.at_level("WARNING", logger="ganapp"):
        train(data, tmp_path / "run", replace(TINY, holdout=0.05), Budget(kimg=0.008), device="cpu")
    assert "no picture is held out" in caplog.text and "whether it copies cannot be told" in caplog.text


class Disk:
    """A disk that is full for as long as it is said to be: nothing is written by `write_whole` and `append_line`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        opened = Path.open

        def refusing(path: Path, mode: str = "r", *rest: object, **options: object):
            if self.full and set(mode) & set("wxa"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return opened(path, mode, *rest, **options)

        monkeypatch.setattr(Path, "open", refusing)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_a_run_outlasts_a_full_disk(
    shapes: Path, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    out, honest = tmp_path / "run", Run.save
    cfg = replace(TINY, checkpoint_kimg=0.016, grid_kimg=0.016, quality_kimg=0.024)

    def save(state: Run) -> None:
        disk.full = 16 < state.state.seen < 80
        honest(state)

    monkeypatch.setattr(Run, "save", save)
    with caplog.at_level("WARNING", logger="ganapp"):
        train(shapes, out, cfg, Budget(kimg=0.096), device="cpu")
    assert load_checkpoint(out / CHECKPOINT)[2].seen == 96
    assert caplog.text.count("is full") == 1 and "make room" in caplog.text and str(out) in caplog.text
    assert not [path.name for path in out.rglob("*.part")] and (out / "report.md").exists()


def test_a_run_that_ends_on_a_full_disk_says_what_it_keeps(
    shapes: Path, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
):
    out, honest = tmp_path / "run", Run.save
    train(shapes, out, TINY, Budget(kimg=0.016), device="cpu")

    def save(state: Run) -> None:
        disk.full = True
        honest(state)

    monkeypatch.setattr(Run, "save", save)
    with pytest.raises(
        OSError, match=rf"{out / CHECKPOINT}: cannot be written \(No space.*make room.*--resume goes on"
    ):
        train(shapes, out, TINY, Budget(kimg=0.032), resume=True, device="cpu")
    disk.full = False
    assert load_checkpoint(out / CHECKPOINT)[2].seen == 16


def test_what_a_full_disk_refuses_leaves_the_file_as_it_was(tmp_path: Path, disk: Disk):
    path = tmp_path / "log.jsonl"
    append_line(path, "one")
    disk.full = True
    for write in (append_line, write_whole):
        with pytest.raises(OSError, match="make room there and run the same command again") as caught:
            write(path, "two")
        assert ganapp.files.is_full(caught.value)
    assert os.listdir(tmp_path) == ["log.jsonl"]
    disk.full = False
    append_line(path, "three")
    assert path.read_text() == "one\nthree\n"


def test_what_is_kept_is_said_only_where_it_is(tmp_path: Path):
    assert kept(tmp_path / CHECKPOINT) == "no checkpoint was written"
