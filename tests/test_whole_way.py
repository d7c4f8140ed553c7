"""From a folder of pictures to a picture that a seed makes, by the commands that a person types."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ganapp.serve.library import Library


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # two threads crawl where anything else runs
    line = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300)


def draw_pictures(folder: Path) -> Path:
    """24 discs on transparency in subfolders, with a table of their colours, and one broken file."""
    lines = ["file_name,colour"]
    for i in range(24):
        colour = ("tomato", "teal")[i % 2]
        name = f"{i % 3}/disc-{i}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGBA", (40, 40))
        ImageDraw.Draw(image).ellipse([4, 4, 20 + i // 2, 20 + i // 2], fill=colour)
        image.save(folder / name)
        lines.append(f"{name},{colour}")
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
def test_a_folder_of_pictures_becomes_a_model_that_the_app_serves(tmp_path: Path):
    pictures = draw_pictures(tmp_path / "pictures")
    data, run, weights = tmp_path / "data", tmp_path / "run", tmp_path / "weights"

    prepared = command("ganapp", "prepare", pictures, data, "--resolution", "32")
    assert prepared.returncode == 0 and "24 images (RGBA 32x32), 1 skipped" in prepared.stdout
    assert "broken.png" in prepared.stderr

    small = ["--network.width", "16", "--network.base", "256", "--batch", "8", "--kimg", "0.08"]
    trained = command("ganapp", "train", data, "--out", run, *small)
    assert trained.returncode == 0, trained.stderr
    resumed = command("ganapp", "train", data, "--out", run, "--resume", "--kimg", "0.16")
    assert resumed.returncode == 0, resumed.stderr

    exported = command("export", run, "--out", weights / "discs")
    assert exported.returncode == 0, exported.stderr

    library = Library(weights)
    assert library.names() == ["discs"] and not library.broken
    generator = library.generator("discs")
    assert generator.spec.attributes == {"colour": ("teal", "tomato")}
    first, again = (next(generator.generate([7], generator.spec.labels({"colour": "teal"}))) for _ in range(2))
    assert first.shape == (32, 32, 4) and np.array_equal(first, again)


@pytest.mark.parametrize(
    "words, said",
    [
        (["ganapp", "prepare", "nowhere", "out"], "nowhere"),
        (["ganapp", "train", "nowhere", "--out", "out"], "prepare"),
        (["ganapp", "train", "nowhere", "--out", "out", "--kimg", "-3"], "kimg"),
        pytest.param(["ganapp", "train", "nowhere", "--out", "out", "--lr", "nan"], "lr", marks=pytest.mark.slow),
        pytest.param(
            ["ganapp", "train", "nowhere", "--out", "out", "--preset", "ape9000"], "critters64", marks=pytest.mark.slow
        ),
        pytest.param(["ganapp", "train-upscaler", "nowhere", "--out", "out"], "nowhere", marks=pytest.mark.slow),
        (["ganapp", "upscale", "nowhere", "out", "--method", "lanczos"], "nowhere"),
        (["ganapp", "fly"], "prepare"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line_and_exit_code_2(words: list[str], said: str, tmp_path: Path):
    result = command(*words)
    assert result.returncode == 2 and said in result.stderr and "Traceback" not in result.stderr
