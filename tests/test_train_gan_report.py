"""What a run leaves is whole, tells what its log tells, and can be made again."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_train_gan_timeline import write_grids

from ganapp.train.gan.monitor import RULES
from ganapp.train.gan.report import ENDS, RunAbout, report_text, write_report
from ganapp.train.gan.runlog import read_log

ROOT = Path(__file__).resolve().parent.parent
ABOUT = RunAbout(
    dataset="shapes", count=90, held_out=10, resolution=16, channels=4, architecture="stylegan2",
    settings=("preset: few-pictures", "gamma: 2.0"), device="cpu", seen=200_000, seconds=7200.0, ended="finished",
)  # fmt: skip
FALLING = [2.0, 1.5, 1.2, 1.0, 0.8, 0.7, 0.6, 0.5]
LEVEL = [2.0, 1.5, 0.8, 0.5, 0.5, 0.501, 0.499, 0.5]
RISING = [2.0, 1.5, 0.8, 0.5, 0.7, 0.7, 0.75, 0.8]


def write_log(
    run: Path, kids: list[float], findings: tuple[str, ...] = (), shares: float = 0.5, ahead: float = 0.9
) -> Path:
    run.mkdir(exist_ok=True)
    lines = [
        {
            "seen": 1000 * i,
            "G": 1.0 + i % 3,
            "D": 0.5,
            "img_per_sec": 30.0,
            "r_v": 0.2,
            "ahead": ahead,
            "augment_p": 0.0,
        }
        for i in range(1, 200)
    ]
    for i, kid in enumerate(kids, 1):
        rest = {
            "frechet": 300 * kid,
            "precision": shares,
            "recall": shares / 2,
            "spread_fake": 9.0,
            "spread_real": 10.0,
        }
        lines.append({"seen": 20_000 * i, "kid": kid, **rest, "nearest_fake": 6.0, "nearest_held_out": 5.0})
    for i, name in enumerate(findings, 1):
        lines.append({"seen": 30_000 * i, "finding": name, "evidence": f"evidence {i}", "remedy": f"remedy {i}."})
    lines.sort(key=lambda line: line["seen"])
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def told(run: Path, about: RunAbout = ABOUT) -> str:
    """The words of the report alone."""
    return report_text(run, about, read_log(run / "log.jsonl"), {"curves.png"}, None)


def report(run: Path, about: RunAbout = ABOUT) -> str:
    write_report(run, about)
    return (run / "report.md").read_text()


def test_a_run_leaves_a_whole_report_whose_links_lead_to_files_in_it(tmp_path: Path):
    run = write_log(tmp_path / "run", FALLING)
    write_grids(run / "samples", (0, 100, 200))
    text = report(run)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert set(links) == {"curves.png", "samples/000200.png", "timeline.mp4"}
    assert all((run / link).stat().st_size > 0 for link in links)
    assert not list(run.rglob("*.part"))


def test_the_columns_are_the_logs_numbers(tmp_path: Path):
    run = write_log(tmp_path / "run", FALLING, ("divergence",))
    report(run)
    columns = json.loads((run / "curves.json").read_text())
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert columns["quality"]["kid"] == FALLING
    assert columns["training"]["G"] == [line["G"] for line in lines if "G" in line]
    assert columns["training"]["seen"] == [line["seen"] for line in lines if "G" in line]
    assert columns["findings"] == [line for line in lines if "finding" in line]


def test_every_finding_is_told_with_its_time_evidence_and_remedy(tmp_path: Path):
    names = tuple(rule.name for rule in RULES)
    text = told(write_log(tmp_path / "run", FALLING, names))
    for i, name in enumerate(names, 1):
        found = re.search(rf"{i}\. \*\*{name}\*\*, at (.+?) kimg: evidence {i}\..*?remedy {i}\.", text, re.S)
        assert found and float(found[1]) == 30 * i
    assert "None" in told(write_log(tmp_path / "fine", FALLING))


@pytest.mark.parametrize(
    ("kids", "story", "longer"),
    [
        (FALLING, "fell from 2 at 20 kimg to 0.5 at 160 kimg, its lowest, and was still falling", True),
        (LEVEL, "fell from 2 at 20 kimg to 0.499 at 140 kimg, its lowest; it has been level since 80 kimg", False),
        (RISING, "to 0.5 at 80 kimg, its lowest, and has risen since: it ended at 0.8", False),
        ([0.5], "measured once: 0.5 at 20 kimg", True),
        ([0.5, 0.6], "lowest at the first measurement, 0.5 at 20 kimg", True),
        ([], "No quality was measured", True),
    ],
    ids=["falling", "level", "rising", "once", "twice", "never"],
)
def test_the_story_of_kid_is_told_and_what_follows_from_it(kids: list[float], story: str, longer: bool, tmp_path: Path):
    text = told(write_log(tmp_path / "run", kids))
    assert story in text
    assert ("so train longer" in text) == longer
    assert "python -m export" in text and "--out weights/run`" in text


def test_the_features_are_named_and_no_number_is_called_what_it_is_not(tmp_path: Path):
    text = told(write_log(tmp_path / "run", FALLING))
    assert "KID (EfficientNet-Lite0 features" in text and "Fréchet distance" in text
    assert not re.search(r"\bFID\b", text)


@pytest.mark.parametrize("ended", ENDS)
def test_the_report_says_what_was_trained_on_and_how_it_ended(ended: str, tmp_path: Path):
    text = told(write_log(tmp_path / "run", FALLING), replace(ABOUT, ended=ended))
    for part in ("90 pictures of shapes", "10 more", "RGBA 16x16", "200 kimg", "2 h 00 min", "27.8 images/s", "cpu"):
        assert part in text
    assert ENDS[ended] in text and "- gamma: 2.0" in text


def test_a_run_that_shows_a_failure_is_not_told_to_go_on_past_its_best(tmp_path: Path):
    text = told(write_log(tmp_path / "run", FALLING, ("past its best", "memorisation")))
    assert "so train longer" not in text and "First what the findings say, for a next run: memorisation." in text


def test_a_run_of_no_step_leaves_a_report_too(tmp_path: Path):
    text = report(tmp_path, replace(ABOUT, seen=0, seconds=0.0, ended="stopped"))
    assert text.startswith("# shapes, 0 kimg\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.json", "report.md"]


def test_a_resumed_run_writes_its_report_over_the_one_before(tmp_path: Path):
    run = write_log(tmp_path / "run", FALLING[:4], ("divergence",))
    write_grids(run / "samples", (0, 100, 200))
    first = report(run, replace(ABOUT, seen=100_000))
    before = {name: (run / name).read_bytes() for name in ("curves.png", "timeline.mp4", "curves.json")}
    assert "000100.png" in first and "000200.png" not in first
    write_log(run, FALLING)
    second = report(run)
    assert "000200.png" in second and "divergence" not in second
    assert all((run / name).read_bytes() != data for name, data in before.items())


def test_the_same_run_gives_the_same_report_to_the_byte(tmp_path: Path):
    run = write_log(tmp_path / "run", RISING, ("past its best",))
    report(run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    report(run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_broken_grid_costs_the_timeline_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    run = write_log(tmp_path / "run", FALLING)
    write_grids(run / "samples", (0, 100))
    report(run)
    (run / "samples" / "000100.png").write_bytes(b"")
    text = report(run)
    assert "000100.png is empty" in caplog.text
    assert "timeline.mp4" not in text and not (run / "timeline.mp4").exists() and "curves.png" in text


def test_a_name_from_outside_stays_on_its_line_and_a_path_with_a_space_in_its_quotes(tmp_path: Path):
    run = write_log(tmp_path / "my run", FALLING)
    text = told(run, replace(ABOUT, dataset="shapes\n# Injected"))
    assert "\n# Injected" not in text
    assert f"python -m export '{run}' --out 'weights/my run'" in text


def test_a_report_needs_no_display_no_pyplot_and_no_torch_and_keeps_out_of_the_home_directory(tmp_path: Path):
    run, home = write_log(tmp_path / "run", FALLING), tmp_path / "home"
    write_grids(run / "samples", (0, 100))
    home.mkdir()
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from ganapp.train.gan import monitor
from ganapp.train.gan.report import RunAbout, write_report
about = {ABOUT!r}
write_report(Path({str(run)!r}), about)
found = {{"torch", "tkinter", "matplotlib.pyplot"}} & sys.modules.keys()
assert not found, found
"""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MPLCONFIGDIR", "MPLBACKEND", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    clean = {name: value for name, value in os.environ.items() if name not in hidden}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT, env=clean | {"HOME": str(home)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert (run / "report.md").exists()
    written = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert all(path.startswith((".cache/matplotlib/", ".config/matplotlib/")) for path in written), written


@pytest.mark.parametrize(
    ("kids", "shares", "ahead", "said"),
    [
        (FALLING, 0.01, 0.99, "Too early"),
        (FALLING[:2], 0.0, 0.9, "Too early"),
        (LEVEL, 0.01, 0.995, "Too strong"),
        (RISING, 0.01, 0.995, "Too strong"),
        (LEVEL, 0.01, 0.9, ""),  # something else, which the findings name
        (FALLING, 0.2, 0.999, ""),
        (LEVEL, 0.2, 0.999, ""),
        ([], 0.0, 0.999, ""),
    ],
)
def test_a_run_without_a_real_looking_sample_is_told_whether_it_is_young_or_outplayed(
    kids: list[float], shares: float, ahead: float, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    text = report(write_log(tmp_path / "run", kids, shares=shares, ahead=ahead))
    lines = [line for line in ("Too early", "Too strong") if f"**{line}" in text]
    assert lines == ([said] if said else [])
    assert ("--init" in text) == bool(said)
    assert [line.split(":")[0].removesuffix(" a discriminator") for line in caplog.messages] == lines
