import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_run import write_dataset

from ganapp.metrics.command import run


def report(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    run("metrics", [str(arg) for arg in args])
    return capsys.readouterr().out


def values(text: str, row: str) -> list[str]:
    """The cells of the row of the report that begins so."""
    [line] = [line for line in text.splitlines() if line.startswith(f"| {row}")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_a_dataset_against_itself_has_no_distance_and_is_nothing_but_copies(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = report(capsys, shapes, shapes, "--held-out", 0, "--json", tmp_path / "m.json", "--sheet", tmp_path / "s.png")
    assert "40 samples and 40 training pictures" in text
    found = json.loads((tmp_path / "m.json").read_text())
    samples = found["samples"]
    assert samples["frechet"] == pytest.approx(0, abs=0.01)
    assert (samples["precision"], samples["recall"], samples["nearest"]) == (1, 1, 0)
    assert samples["kid"] < 0.01 and found["held_out"] is None
    assert [row["name"] for row in found["attributes"]] == ["colour", "shape"]
    assert all(row["samples"] > 0.9 > row["majority"] for row in found["attributes"])
    with Image.open(tmp_path / "s.png") as sheet:
        pictures = np.asarray(sheet)
    assert np.array_equal(pictures[:64, :64], pictures[:64, 66:130])  # the first sample, and its nearest beside it
    assert pictures[:64, :64].any()


def test_only_inceptions_distance_is_called_fid(weights_dir: Path, shapes: Path, capsys: pytest.CaptureFixture[str]):
    text = report(capsys, weights_dir / "faces", shapes)
    assert "Fréchet distance (EfficientNet-Lite0 features)" in text
    assert "FID" not in text and "KID" not in text


def test_random_pictures_are_farther_away_than_real_ones_held_out(
    weights_dir: Path, shapes: Path, capsys: pytest.CaptureFixture[str]
):
    text = report(capsys, weights_dir / "faces", shapes, "--held-out", "0.5", "--count", "10")
    assert "10 samples and 20 training pictures, beside 10 real pictures" in text
    for row in ("Fréchet distance", "Kernel distance", "distance to the nearest training picture"):
        _, samples, held_out = values(text, row)
        assert float(samples) > 2 * abs(float(held_out)), row
    _, precision, of_held_out = values(text, "precision")
    assert float(precision) == 0 and float(of_held_out) > 0.5


def test_opaque_pictures_are_measured_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data = write_dataset(tmp_path / "rgb", channels=3)
    text = report(capsys, data, data)
    assert "4 samples and 36 training pictures" in text and "black" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--count", "1"], "--count must be at least 2, not 1"),
        (["--held-out", "1"], "--held-out must be between 0 and 0.9"),
        (["--held-out", "0.03"], "--held-out 0.03: 1 of the 40 pictures"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--device", "tpu"], "--device tpu cannot be used here"),
        (["--weights", "x.pth"], "--weights is for --features inception"),
        (["--features", "inception", "--weights", "no.pth"], "--weights no.pth: there is no such file"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(shapes: Path, options: list[str], message: str):
    with pytest.raises(ValueError) as error:
        run("metrics", [str(shapes), str(shapes), *options])
    assert message in str(error.value)


def test_data_that_was_not_prepared_is_named(weights_dir: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"dataset\.json: missing; make the dataset with `python -m ganapp prepare`"):
        run("metrics", [str(weights_dir / "faces"), str(tmp_path)])


def test_a_single_picture_cannot_be_measured(shapes: Path, tmp_path: Path):
    one = write_dataset(tmp_path / "one", count=1)
    with pytest.raises(ValueError, match="1 pictures against 36"):
        run("metrics", [str(one), str(shapes)])


def test_who_does_not_measure_does_not_import_torch_fidelity():
    script = (
        "import sys, ganapp.__main__, ganapp.data.command, export.bundle; assert 'torch_fidelity' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
