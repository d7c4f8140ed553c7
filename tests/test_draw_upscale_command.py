import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from drawn_upscaler import write_graph
from PIL import Image
from tiny_bundle import FACES, write_bundle

from ganapp.cli import main
from ganapp.draw import upscale_command
from ganapp.draw.records import read_record
from ganapp.draw.upscale_command import summary
from ganapp.files import write_whole
from ganapp.pictures.load import load_image
from ganapp.pictures.png import encode_png, save_png
from ganapp.pictures.resize import upscale_nearest

ROOT = Path(__file__).resolve().parent.parent


MANY = 500  # pictures: half a minute of work, of which a busy machine may do some before the signal comes


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("weights")
    write_graph(root / "cleanup-x2")
    return root


@pytest.fixture
def upscale(weights: Path):
    """The command, with the tiny weights; returns its exit code."""

    def run(source: Path, out: Path, *options: str) -> int:
        args = [str(source), str(out), "--weights", str(weights), *options]
        return upscale_command.run("upscale", args)

    return run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """1.png, 2.png and 10.png, and deep/er/3.png: noise, which no one takes for pixel art."""
    for number, folder in ((1, ""), (2, ""), (10, ""), (3, "deep/er")):
        file = tmp_path / "in" / folder / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        save_png(file, noise(12, 9, seed=number))
    return tmp_path / "in"


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def size(path: Path) -> tuple[int, int]:
    return load_image(path).shape[1::-1]


# A picture


def test_a_picture_becomes_the_file_that_was_named_or_one_in_the_folder(upscale, pictures: Path, tmp_path: Path):
    assert upscale(pictures / "1.png", tmp_path / "large.PNG") == 0
    assert upscale(pictures / "1.png", tmp_path / "new", "--size", "31") == 0
    assert size(tmp_path / "large.PNG") == (18, 24) and size(tmp_path / "new" / "1.png") == (23, 31)


def test_another_format_than_png_is_refused_with_the_name_to_give(upscale, pictures: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"large.jpg: results are PNG files; name it large.png"):
        upscale(pictures / "1.png", tmp_path / "large.jpg")


def test_the_record_says_how_it_was_made_and_of_what(upscale, tmp_path: Path):
    save_png(tmp_path / "a.png", noise(8, 8), {"ganapp": '{"kind": "sample", "seed": 7}'})
    upscale(tmp_path / "a.png", tmp_path / "b.png", "--scale", "3", "--denoise", "0.5", "--colours", "#ff0000, #00FF00")
    record = read_record(tmp_path / "b.png")
    assert (
        record["kind"] == "cleanup"
        and record["picture"] == "a.png"
        and record["scale"] == 3
        and record["denoise"] == 0.5
    )
    assert record["method"] == "network" and record["model"] == "cleanup-x2" and "cut_out" not in record
    assert record["colours"] == ["#ff0000", "#00ff00"] and record["source"] == {"kind": "sample", "seed": 7}


def test_a_picture_that_a_pixel_art_model_made_grows_by_squares(tmp_path: Path):
    write_graph(tmp_path / "weights" / "cleanup-x2")
    write_bundle(tmp_path / "weights" / FACES.name, FACES)
    image = noise(16, 16)
    save_png(tmp_path / "a.png", image, {"ganapp": '{"kind": "sample", "model": "faces"}'})
    args = [str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--weights", str(tmp_path / "weights")]
    assert upscale_command.run("upscale", args) == 0
    assert np.array_equal(load_image(tmp_path / "b.png")[..., :3], upscale_nearest(image, 2))
    record = read_record(tmp_path / "b.png")
    assert (record["method"], record["model"], record["source"]["model"]) == ("pixel-art", "", "faces")


@pytest.mark.parametrize("record", ['{"seed": "\\ud800"}', '{"a": ' * 900 + "1" + "}" * 900, '{"a": ' + "[" * 2000])
def test_a_record_that_cannot_be_carried_on_costs_no_picture(upscale, tmp_path: Path, record: str):
    (tmp_path / "in").mkdir()
    save_png(tmp_path / "in" / "a.png", noise(4, 4), {"ganapp": record})
    assert upscale(tmp_path / "in", tmp_path / "out") == 0
    assert "source" not in read_record(tmp_path / "out" / "a.png")


def test_a_picture_is_never_its_own_result(upscale, pictures: Path):
    before = (pictures / "1.png").read_bytes()
    os.link(pictures / "1.png", pictures / "same.png")
    for out in (pictures / "1.png", pictures, pictures / "same.png"):
        with pytest.raises(ValueError, match="is the picture itself"):
            upscale(pictures / "1.png", out, "--overwrite")
    assert (pictures / "1.png").read_bytes() == before


def encoded(image: Image.Image, format: str, **options) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def colours(mode: str) -> Image.Image:
    return Image.fromarray(noise(7, 5)).convert(mode)


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(noise(1, 1)), "PNG"),
        encoded(colours("P"), "PNG"),
        encoded(colours("P"), "GIF", save_all=True, append_images=[colours("P").rotate(180)]),
        encoded(Image.fromarray(noise(7, 5)[..., 0].astype(np.uint16) * 257), "PNG"),
        encoded(colours("CMYK"), "JPEG"),
        encoded(colours("1"), "PNG"),
        encoded(colours("LA"), "PNG"),
        encoded(colours("RGB"), "WEBP", save_all=True, append_images=[colours("RGB").rotate(180)]),
    ],
    ids=["1x1", "palette", "animated gif", "16 bits", "CMYK", "1 bit", "grey with alpha", "animated webp"],
)
def test_a_picture_of_any_kind_is_enlarged(upscale, tmp_path: Path, data: bytes):
    (tmp_path / "in").write_bytes(data)
    assert upscale(tmp_path / "in", tmp_path / "out.png", "--method", "network") == 0
    assert size(tmp_path / "out.png") == tuple(2 * side for side in size(tmp_path / "in"))


def test_a_long_strip_is_enlarged(upscale, tmp_path: Path):
    save_png(tmp_path / "in.png", noise(10, 5000))
    upscale(tmp_path / "in.png", tmp_path / "out.png")
    assert size(tmp_path / "out.png") == (10000, 20)


def test_what_is_no_picture_is_named_with_the_reason(upscale, tmp_path: Path):
    (tmp_path / "notes.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(encode_png(noise(20, 20))[:300])
    for name, reason in (("notes.png", "is not an image"), ("cut.png", "is truncated")):
        with pytest.raises(ValueError, match=f"{name}: {reason}"):
            upscale(tmp_path / name, tmp_path / "out")
    with pytest.raises(ValueError, match="nothing: there is no such file or folder"):
        upscale(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_never_waited_for(upscale, tmp_path: Path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="not a regular file"):
        upscale(tmp_path / "a.png", tmp_path / "out")


def test_a_result_too_large_is_refused_in_a_line(upscale, tmp_path: Path):
    save_png(tmp_path / "in.png", noise(20, 3000))
    with pytest.raises(ValueError, match=r"in.png: 3000x20 pixels would become 60000x6000, over the limit"):
        upscale(tmp_path / "in.png", tmp_path / "out", "--size", "60000x6000")


# Options


@pytest.mark.parametrize(
    "options, said",
    [
        (["--scale", "2", "--size", "631"], "give one of them"), (["--scale", "0"], "scale must be"),
        (["--size", "huge"], "size must be"), (["--model", "waifu"], "choose one of: cleanup-x2"),
        (["--denoise", "2"], "denoise must be"), (["--colours", "red"], "colours must be"),
        (["--corners", "80"], "corners must be"), (["--flat", "-1"], "flat must be"),
    ],
)  # fmt: skip
def test_a_bad_option_is_named_before_anything_is_made(upscale, pictures: Path, tmp_path: Path, options, said: str):
    with pytest.raises(ValueError, match=said):
        upscale(pictures, tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_without_an_upscaler_it_says_what_to_do_and_other_methods_work(pictures: Path, tmp_path: Path):
    (tmp_path / "none").mkdir()
    args = [str(pictures), str(tmp_path / "out"), "--weights", str(tmp_path / "none")]
    with pytest.raises(ValueError, match=r"no usable upscaler; train and export one, or name another .* --weights"):
        upscale_command.run("upscale", args)
    assert upscale_command.run("upscale", [*args, "--method", "lanczos"]) == 0


def test_the_cut_out_of_another_picture_is_copied(upscale, pictures: Path, tmp_path: Path):
    cut = np.full((8, 8, 4), 255, np.uint8)
    cut[:4, :, 3] = 0
    save_png(tmp_path / "cut.png", cut)
    upscale(pictures, tmp_path / "out", "--cut-out", str(tmp_path / "cut.png"))
    alpha = load_image(tmp_path / "out" / "1.png")[..., 3]
    assert not alpha[:9].any() and (alpha[15:] == 255).all()
    assert read_record(tmp_path / "out" / "1.png")["cut_out"] == "cut.png"
    with pytest.raises(ValueError, match=r"1\.png: the picture to cut out like has no transparency"):
        upscale(pictures, tmp_path / "out", "--cut-out", str(pictures / "1.png"))


# Folders


def test_a_folder_keeps_its_names_at_any_depth_and_ends_with_a_summary(upscale, pictures: Path, tmp_path: Path, capsys):
    assert upscale(pictures, tmp_path / "out") == 0
    assert files(tmp_path / "out") == ["1.png", "10.png", "2.png", "deep/er/3.png"]
    assert capsys.readouterr().out == "4 pictures made\n"


def test_a_second_run_makes_only_what_is_missing(upscale, pictures: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    upscale(pictures, out)
    (out / "2.png").unlink()
    (out / "1.png").write_bytes(b"mine")
    assert upscale(pictures, out) == 0
    assert "1 picture made, 3 there already (--overwrite makes them anew)" in capsys.readouterr().out
    assert (out / "1.png").read_bytes() == b"mine" and size(out / "2.png") == (18, 24)
    upscale(pictures, out, "--overwrite")
    assert size(out / "1.png") == (18, 24)


def test_a_second_run_with_other_options_says_so(upscale, pictures: Path, tmp_path: Path, caplog):
    upscale(pictures, tmp_path / "out", "--scale", "3", "--colours", "#102030,#ffffff")
    upscale(pictures, tmp_path / "out", "--scale", "3", "--colours", "#102030, #FFFFFF")
    assert not caplog.text
    assert upscale(pictures, tmp_path / "out", "--scale", "3", "--corners", "30") == 0
    assert "4 of those that are there already were made with other options" in caplog.text


def test_a_picture_that_comes_later_is_not_taken_for_the_one_whose_result_has_its_name(
    upscale, tmp_path: Path, caplog, capsys
):
    (tmp_path / "in").mkdir()
    Image.fromarray(noise(4, 4)).save(tmp_path / "in" / "a.jpg")
    assert upscale(tmp_path / "in", tmp_path / "out") == 0
    Image.fromarray(noise(9, 9)).save(tmp_path / "in" / "a.png")
    assert upscale(tmp_path / "in", tmp_path / "out") == 1
    assert "a.png was made of a.jpg" in caplog.text
    assert upscale(tmp_path / "in", tmp_path / "out", "--overwrite") == 0
    assert size(tmp_path / "out" / "a.png") == (18, 18) and size(tmp_path / "out" / "a.jpg.png") == (8, 8)


def test_bad_files_are_named_and_the_others_made(upscale, pictures: Path, tmp_path: Path, caplog, capsys):
    (pictures / "broken\n.png").write_bytes(encode_png(noise(20, 20))[:300])
    (pictures / "link.png").symlink_to(pictures / "1.png")
    with caplog.at_level("WARNING", "ganapp"):
        assert upscale(pictures, tmp_path / "out") == 1
    said = [record.getMessage() for record in caplog.records]
    assert said == ["skipped link.png: is a link", r"skipped broken\n.png: is truncated"]
    assert capsys.readouterr().out == "4 pictures made, 2 skipped\n" and len(files(tmp_path / "out")) == 4


def test_other_files_beside_pictures_are_no_failure(upscale, pictures: Path, tmp_path: Path):
    (pictures / "metadata.csv").write_text("file_name\n")
    assert upscale(pictures, tmp_path / "out") == 0


def test_a_folder_without_a_picture_is_an_error(upscale, tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("no")
    with pytest.raises(ValueError, match=r"in: no usable picture in it \(1 skipped\)"):
        upscale(tmp_path / "in", tmp_path / "out")


def test_results_within_the_folder_are_not_enlarged_again(upscale, pictures: Path, capsys):
    upscale(pictures, pictures / "large")
    upscale(pictures, pictures / "large")
    assert len(files(pictures)) == 8 and "0 pictures made, 4 there already" in capsys.readouterr().out


@pytest.mark.parametrize("out", ["in", "in/deep/..", "link", "file"])
def test_a_place_that_cannot_be_is_refused(upscale, pictures: Path, tmp_path: Path, out: str):
    (tmp_path / "link").symlink_to(pictures)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"choose another"):
        upscale(pictures, tmp_path / out, "--overwrite")
    assert len(files(pictures)) == 4 and (tmp_path / "file").read_text() == "mine"


def test_no_result_is_written_over_a_picture(upscale, pictures: Path, tmp_path: Path, caplog):
    (pictures / "in").mkdir()
    save_png(pictures / "in" / "1.png", noise(5, 5))  # in the folder above, its result would be another picture
    before = (pictures / "1.png").read_bytes()
    assert upscale(pictures, tmp_path, "--overwrite") == 1
    assert (pictures / "1.png").read_bytes() == before and "in/1.png: its place" in caplog.text


def test_no_result_is_written_through_a_link(upscale, pictures: Path, tmp_path: Path, caplog):
    for folder in ("out", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "out" / "deep").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "mine").write_text("mine")
    (tmp_path / "out" / "1.png").symlink_to(tmp_path / "elsewhere" / "mine")
    assert upscale(pictures, tmp_path / "out", "--overwrite") == 1
    assert "deep/er/3.png: a link leads" in caplog.text and files(tmp_path / "elsewhere") == ["mine"]
    assert (tmp_path / "elsewhere" / "mine").read_text() == "mine" and size(tmp_path / "out" / "1.png") == (18, 24)


def test_pictures_that_differ_in_their_suffix_have_results_of_their_own(upscale, tmp_path: Path):
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "a.png", "b.jpg", "A.webp"):
        Image.fromarray(noise(4, 4)).save(tmp_path / "in" / name)
    assert upscale(tmp_path / "in", tmp_path / "out") == 0
    assert files(tmp_path / "out") == ["A.webp.png", "a.jpg.png", "a.png", "b.png"]


def test_a_result_that_two_pictures_would_have_belongs_to_the_first(upscale, tmp_path: Path, caplog):
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "a.png", "a.jpg.png"):
        Image.fromarray(noise(4, 4)).save(tmp_path / "in" / name)
    assert upscale(tmp_path / "in", tmp_path / "out") == 1
    assert "rename it" in caplog.text and files(tmp_path / "out") == ["a.jpg.png", "a.png"]


def test_a_name_too_long_for_a_result_is_skipped(upscale, pictures: Path, tmp_path: Path, caplog):
    save_png(pictures / "b.png", noise(4, 4))
    (pictures / "b.png").rename(pictures / ("b" * 251 + ".png"))
    assert upscale(pictures, tmp_path / "out") == 1
    assert "too long a name" in caplog.text and len(files(tmp_path / "out")) == 4


# Whole files


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path):
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(OSError, match=r"a.png: cannot be written \(.*\); mend that"):
        write_whole(tmp_path / "out" / "a.png", b"data")
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(OSError, match="cannot be written"):
        write_whole(tmp_path / "taken.png", b"data")
    assert files(tmp_path) == ["out"]


def test_what_lies_beside_a_result_is_not_written_to(tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a.png.part").write_text("a download")
    (tmp_path / ".a.png.part").symlink_to(tmp_path / "mine")
    (tmp_path / "b.png.part").symlink_to(tmp_path / "mine")
    (tmp_path / ".c.png.part").write_text("left by a run that was killed")
    for name in ("a.png", "b.png", "c.png"):
        write_whole(tmp_path / name, b"data")
        assert (tmp_path / name).read_bytes() == b"data"
    assert (tmp_path / "mine").read_text() == "mine" and (tmp_path / "a.png.part").read_text() == "a download"
    assert not (tmp_path / ".c.png.part").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_leaves_whole_files_and_a_second_run_goes_on(weights: Path, tmp_path: Path):
    (tmp_path / "in").mkdir()
    save_png(tmp_path / "in" / "0.png", noise(200, 200))
    for number in range(1, MANY):
        os.link(tmp_path / "in" / "0.png", tmp_path / "in" / f"{number}.png")
    command = [sys.executable, "-m", "ganapp", "upscale", str(tmp_path / "in"), str(tmp_path / "out")]
    process = subprocess.Popen([*command, "--weights", str(weights)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / "1.png").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in said
    made = files(tmp_path / "out")
    assert 0 < len(made) < MANY and all(name.endswith(".png") for name in made)
    assert all(size(tmp_path / "out" / name) == (400, 400) for name in made)


def test_the_command_line_has_the_command_and_needs_no_torch(weights: Path, pictures: Path, tmp_path: Path):
    script = """
import sys
from ganapp.cli import main
sys.argv = ["ganapp", "upscale", *sys.argv[1:]]
code = main()
assert not {"torch", "onnx", "gradio"} & sys.modules.keys()
sys.exit(code)
"""
    args = [str(pictures / "1.png"), str(tmp_path / "out.png"), "--weights", str(weights)]
    command = [sys.executable, "-c", script, *args]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1 picture made\n", "")


def test_what_cannot_be_used_is_one_line_and_exit_code_2(weights: Path, tmp_path: Path, monkeypatch, capsys):
    args = ["upscale", str(tmp_path / "no"), str(tmp_path / "out"), "--weights", str(weights)]
    monkeypatch.setattr(sys, "argv", ["ganapp", *args])
    assert main() == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'no'}: there is no such file or folder\n"


@pytest.mark.parametrize(
    "counts, line",
    [
        ((1, 0, 0), "1 picture made"), ((0, 2, 0), "0 pictures made, 2 there already (--overwrite makes them anew)"),
        ((1200, 0, 3), "1,200 pictures made, 3 skipped"),
    ],
)  # fmt: skip
def test_the_summary_names_what_there_was(counts: tuple, line: str):
    assert summary(*counts) == line
