"""`sample`, `mix` and `walk` draw byte for byte what the page and the API draw."""

from pathlib import Path

import pytest

from ganapp.draw.command import run_mix, run_sample, run_walk, spans
from ganapp.draw.mix import Mix, grid
from ganapp.draw.options import pairs
from ganapp.draw.sample import MAX_COUNT, Sample, pictures
from ganapp.draw.walk import FORMATS, Walk, film
from ganapp.serve.library import Library


def test_samples_are_those_of_the_page(library: Library, weights_dir: Path, tmp_path: Path, capsys):
    words = ["critters", str(tmp_path), "--seeds", "3-7,40", "--psi", "0.5", "--noise-seed", "2"]
    run_sample("sample", [*words, "--labels", "eyes=two", "body_color=red", "--weights", str(weights_dir)])
    labels = {"eyes": "two", "body_color": "red"}
    wanted = [
        *pictures(library, Sample("critters", 3, 5, 0.5, 2, labels)),
        *pictures(library, Sample("critters", 40, 1, 0.5, 2, labels)),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(picture.name for picture in wanted)
    assert all((tmp_path / picture.name).read_bytes() == picture.data for picture in wanted)
    assert "6 images" in capsys.readouterr().out


def test_a_grid_is_that_of_the_page(library: Library, weights_dir: Path, tmp_path: Path):
    out = tmp_path / "new" / "grid.png"
    run_mix("mix", ["faces", str(out), "--source-seeds", "1-3", "--layers", "0,2", "--weights", str(weights_dir)])
    record = Mix.checked(library, model="faces", source_seeds=[1, 2, 3], layers="0,2")
    assert out.read_bytes() == grid(library, record).picture().data


@pytest.mark.parametrize("format", FORMATS)
def test_a_walk_is_that_of_the_page_in_the_format_of_its_name(
    library: Library, weights_dir: Path, tmp_path: Path, format: str
):
    out = tmp_path / f"walk.{format}"
    words = ["faces", str(out), "--frames", "3", "--loop", "False", "--seeds", "4,2", "--weights", str(weights_dir)]
    run_walk("walk", words)
    record = Walk.checked(library, model="faces", frames=3, loop=False, seeds=[4, 2], format=format)
    assert out.read_bytes() == film(library, record).file


def test_what_is_there_is_replaced_only_when_asked(weights_dir: Path, tmp_path: Path):
    (tmp_path / "critters-seed5.png").write_bytes(b"mine")
    words = ["critters", str(tmp_path), "--seeds", "4-6", "--weights", str(weights_dir)]
    with pytest.raises(ValueError, match=r"critters-seed5\.png: is there already; add --overwrite"):
        run_sample("sample", words)
    assert [path.name for path in tmp_path.iterdir()] == ["critters-seed5.png"]  # nothing was drawn in vain
    run_sample("sample", [*words, "--overwrite"])
    assert (tmp_path / "critters-seed5.png").read_bytes() != b"mine" and len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("run", "words", "message"),
    [
        (run_sample, ["critters", "{}", "--seeds", "x"], "seeds must be a whole number"),
        (run_sample, ["nobody", "{}"], "there is no model 'nobody'; choose one of: critters, faces, plain"),
        (run_sample, ["critters", "{}", "--labels", "red"], "--labels are given as attribute=value"),
        (run_sample, ["critters", "{}", "--labels", "eyes=six"], "eyes cannot be 'six'"),
        (run_sample, ["critters", "{}", "--psi", "9"], "psi must be a number from -2 to 2"),
        (run_mix, ["plain", "{}/a.png"], "plain has no style space to mix in"),
        (run_mix, ["critters", "{}/a.jpg"], "a grid is a PNG file; name it a.png"),
        (run_mix, ["critters", "{}"], "is a folder; name a file"),
        (run_walk, ["critters", "{}/a.gif"], "a walk is a file of .mp4, .webp, .png; name it a.mp4"),
        (run_walk, ["critters", "{}/a.mp4", "--frames", "600"], "critters can have 600"),
    ],
)
def test_a_bad_word_is_named(run, words: list[str], message: str, weights_dir: Path, tmp_path: Path):
    with pytest.raises(ValueError) as caught:
        run("command", [word.format(tmp_path) for word in words] + ["--weights", str(weights_dir)])
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_seeds_are_drawn_in_runs_no_longer_than_a_sample_once_each():
    assert list(spans([5, 6, 7, 2, 3, 9, 6])) == [(5, 3), (2, 2), (9, 1)]
    assert list(spans(range(10, 10 + 2 * MAX_COUNT + 1))) == [
        (10, MAX_COUNT),
        (10 + MAX_COUNT, MAX_COUNT),
        (10 + 2 * MAX_COUNT, 1),
    ]


def test_labels_may_hold_an_equals_sign():
    assert pairs(("a=b=c", "d=")) == {"a": "b=c", "d": ""}


def test_a_size_and_svg_are_options_of_samples(painting: Library, tmp_path: Path):
    words = ["painted", str(tmp_path), "--seeds", "3", "--weights", str(painting.weights_dir)]
    run_sample("sample", [*words, "--size", "svg"])
    run_sample("sample", [*words, "--size", "40"])
    [drawn] = pictures(painting, Sample.checked(painting, seed=3, count=1, size="svg"))
    assert (tmp_path / "painted-seed3.svg").read_bytes() == drawn.data
    [drawn] = pictures(painting, Sample.checked(painting, seed=3, count=1, size=40))
    assert (tmp_path / "painted-seed3.png").read_bytes() == drawn.data
