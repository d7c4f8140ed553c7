import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from drawn_upscaler import write_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from tiny_bundle import FACES, write_bundle

from ganapp.contract import UpscalerSpec
from ganapp.draw.cleanup import Cleanup
from ganapp.draw.enlarge import MAX_MADE, Result, choose_upscalers, clean_up, enlarge, finish, is_pixel_art
from ganapp.draw.records import read_record
from ganapp.pictures.alpha import composite
from ganapp.pictures.png import encode_png
from ganapp.pictures.resize import resize, upscale_nearest
from ganapp.serve.library import Library


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """With upscalers by 2 and by 4."""
    root = tmp_path_factory.mktemp("weights")
    for scale in (2, 4):
        write_graph(root / f"cleanup-x{scale}", scale)
    return Library(root, need="upscaler")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """With no upscaler."""
    root = tmp_path_factory.mktemp("bare")
    write_bundle(root / "faces", FACES)
    return Library(root)


def noise(height: int, width: int, channels: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def sprite(side: int) -> np.ndarray:
    """Ten colours at random, and holes."""
    palette = noise(1, 10, 4, seed=2)[0]
    palette[:, 3] = [0] + [255] * 9
    return palette[np.random.default_rng(3).integers(0, 10, (side, side))]


def spec(scale: int) -> UpscalerSpec:
    return UpscalerSpec(f"x{scale}", scale, 3)


# The record


@pytest.mark.parametrize(
    "name, value",
    [
        ("scale", 0), ("scale", 17), ("scale", "2.5"), ("scale", True), ("size", "0"), ("size", "631x"), ("size", 1.5),
        ("size", "x2"), ("size", "99999"), ("size", [1]), ("model", "../cleanup-x2"), ("model", 3),
        ("method", "magic"), ("method", None), ("denoise", 1.1), ("denoise", float("nan")), ("flat", -1),
        ("colours", 257), ("colours", "red"), ("colours", "#ff00"), ("colours", ["#ff0000", 8]), ("colours", {}),
        ("corners", 51), ("corners", "round"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_the_name_of_its_parameter(library: Library, name: str, value: object):
    with pytest.raises(ValueError, match="there is no upscaler" if name == "model" else name):
        Cleanup.checked(library, **{name: value})


def test_values_are_taken_as_a_page_or_a_command_line_spells_them(library: Library):
    given_as_text = Cleanup.checked(
        library,
        scale="4",
        size=" 631 × 400 ",
        model="cleanup-x2",
        method="network",
        denoise="0.5",
        flat="1",
        colours="#FF0000, #00ff00",
    )
    assert given_as_text == Cleanup(4, "631x400", "cleanup-x2", "network", 0.5, 1.0, ("#ff0000", "#00ff00"))
    assert Cleanup.checked(library, size=631, colours="8").size == "631"
    assert Cleanup.checked(library, colours="8").palette() == 8
    assert Cleanup.checked(library, colours=["#102030"]).palette() == [(16, 32, 48)]
    assert Cleanup.checked(library, scale=2, size=None, model=None, colours=None) == Cleanup()


def test_a_record_makes_the_same_record_again(library: Library):
    asked = Cleanup.checked(library, size="40x30", denoise=0.5, colours="#ff0000,#00ff00", corners=12)
    values = json.loads(asked.record({"kind": "sample", "seed": 7}))
    assert values.pop("kind") == "cleanup" and values.pop("source") == {"kind": "sample", "seed": 7}
    assert Cleanup.checked(library, **values) == asked
    assert "source" not in json.loads(asked.record())


@pytest.mark.parametrize(
    "asked, size, target",
    [
        (Cleanup(), (30, 20), (60, 40)), (Cleanup(scale=1), (3, 5), (3, 5)),
        (Cleanup(size="631"), (512, 512), (631, 631)),
        (Cleanup(size="631"), (64, 32), (631, 316)), (Cleanup(size="100"), (1000, 1), (100, 1)),
        (Cleanup(size="631x400"), (64, 64), (631, 400)),
    ],
)  # fmt: skip
def test_the_shape_is_kept_unless_both_sides_are_given(asked: Cleanup, size: tuple, target: tuple):
    assert asked.target(*size) == target


def test_a_result_too_large_is_refused_before_anything_is_made(library: Library):
    with pytest.raises(ValueError, match="32000x32000, over the limit of 67,108,864 pixels; take a smaller scale"):
        enlarge(library, np.zeros((2000, 2000, 3), np.uint8), Cleanup(scale=16))


def test_a_method_without_a_network_is_refused_where_there_is_none(bare: Library):
    with pytest.raises(ValueError, match="has no upscaler for method network; choose auto, pixel-art, lanczos"):
        Cleanup.checked(bare, method="network")
    assert enlarge(bare, noise(70, 70), Cleanup()).method == "lanczos"


# Sizes


@pytest.mark.parametrize(
    "known, factor, taken",
    [
        ((2, 4), 1, [2]), ((2, 4), 2, [2]), ((2, 4), 2.01, [4]), ((2, 4), 4, [4]), ((2, 4), 5, [4, 2]),
        ((2, 4), 9.9, [4, 4]), ((2, 4), 50, [4, 4]), ((2,), 3, [2, 2]), ((2,), 7, [2, 2]), ((4,), 1.5, [4]),
        ((2, 3), 5, [3, 2]),
    ],
)  # fmt: skip
def test_networks_enlarge_by_as_little_as_reaches_the_size(known: tuple, factor: float, taken: list):
    upscalers = {f"x{scale}": spec(scale) for scale in known}
    assert choose_upscalers(upscalers, factor, 64 * 64) == [f"x{scale}" for scale in taken]


def test_a_chain_that_would_make_too_many_pixels_gives_way_to_a_shorter_one():
    upscalers = {"x2": spec(2), "x4": spec(4)}
    assert choose_upscalers(upscalers, 3, MAX_MADE // 15) == ["x2"]
    assert choose_upscalers(upscalers, 1, 64_000_000) == ["x2"]
    with pytest.raises(ValueError, match="too many for x4; take method lanczos"):
        choose_upscalers({"x4": spec(4)}, 1, MAX_MADE // 15)


def test_a_scale_has_the_first_upscaler_that_has_it():
    assert choose_upscalers({"cleanup": spec(2), "anime": spec(2)}, 2, 1) == ["cleanup"]


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100) | st.just(631), st.sampled_from([3, 4]))
def test_every_size_gives_the_size_that_was_asked_for(
    library: Library, height: int, width: int, longer: int, channels: int
):
    asked = Cleanup(size=str(longer), method="network")
    result = enlarge(library, noise(height, width, channels), asked)
    assert result.cleaned.shape[1::-1] == asked.target(width, height)
    assert max(result.cleaned.shape[:2]) == longer
    assert result.plain.shape == result.cleaned.shape


def test_a_whole_scale_is_what_the_network_draws(library: Library):
    image = noise(70, 70, 3)
    large = enlarge(library, image, Cleanup(scale=8, method="network")).cleaned
    four = library.upscaler("cleanup-x4").enlarge(image)
    assert np.array_equal(large, library.upscaler("cleanup-x2").enlarge(four))
    assert np.array_equal(
        enlarge(library, image, Cleanup(scale=2, method="network", model="cleanup-x4")).cleaned,
        resize(four, (140, 140)),
    )


def test_progress_rises_to_one_over_all_passes(library: Library):
    shares: list[float] = []
    enlarge(library, noise(80, 80), Cleanup(scale=8), progress=shares.append)
    assert shares == sorted(shares) and 0 < shares[0] < 0.1 and shares[-1] == pytest.approx(1)


def test_a_side_that_shall_be_shorter_is_reduced_before_the_network(library: Library):
    made = []
    upscaler = library.upscaler("cleanup-x2")
    original, upscaler._run = upscaler._run, lambda window: made.append(window.size) or original(window)
    try:
        result = enlarge(library, noise(2000, 90, 3), Cleanup(size="100x5", method="network", model="cleanup-x2"))
    finally:
        del upscaler._run
    assert result.cleaned.shape == (5, 100, 3) and sum(made) < 10 * 90 * 100


def test_what_the_network_may_make_is_bounded(library: Library):
    image = noise(60, 60)
    assert enlarge(library, image, Cleanup(scale=4, method="network"), most=240 * 240).model == "cleanup-x4"
    assert enlarge(library, image, Cleanup(scale=4, method="network"), most=239 * 240).model == "cleanup-x2"
    with pytest.raises(ValueError, match="3,600 pixels are too many for cleanup-x4"):
        enlarge(library, image, Cleanup(method="network", model="cleanup-x4"), most=10_000)


# Methods


def test_few_colours_in_squares_are_pixel_art_and_smooth_or_large_pictures_are_not():
    art = sprite(8)
    assert is_pixel_art(art) and is_pixel_art(upscale_nearest(art, 16)) and is_pixel_art(art[:, :, :3])
    assert is_pixel_art(np.zeros((300, 300, 4), np.uint8)) and is_pixel_art(art[:1, :1])
    assert not is_pixel_art(noise(64, 64)) and not is_pixel_art(resize(art, (128, 128)))
    line = np.zeros((200, 200, 3), np.uint8)
    line[np.arange(200), np.arange(200)] = 255  # one pixel wide, as a scan of a drawing
    assert not is_pixel_art(line)


def test_what_is_hidden_does_not_make_a_sprite_less_of_pixel_art():
    art = upscale_nearest(sprite(16), 8)
    art[..., 3] = 255 * (np.indices(art.shape[:2]) >= 32).all(0)
    hidden = np.where(art[..., 3:] == 0, noise(128, 128, 4) * np.array([1, 1, 1, 0], np.uint8), art)
    assert is_pixel_art(art) and is_pixel_art(hidden)


def drawn(side: int, *discs: tuple[float, float, float, str]) -> np.ndarray:
    """Flat discs (x, y, radius in shares of the side, colour) with smooth edges, as vector art is drawn."""
    picture = Image.new("RGBA", (side * 8, side * 8))
    for x, y, radius, colour in discs:
        box = [side * 8 * at for at in (x - radius, y - radius, x + radius, y + radius)]
        ImageDraw.Draw(picture).ellipse(box, colour)
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX))


FACE = [(0.5, 0.5, 0.45, "#f2c9a0"), (0.35, 0.4, 0.06, "#1a181c"), (0.65, 0.4, 0.06, "#1a181c"), (0.5, 0.7, 0.1, "red")]


@pytest.mark.parametrize("discs", [FACE[:1], FACE])
@pytest.mark.parametrize("side", [40, 64])
def test_small_vector_art_goes_to_the_network(library: Library, side: int, discs: list):
    image = drawn(side, *discs)
    assert not is_pixel_art(image) and not is_pixel_art(composite(image, (255, 255, 255)))
    assert enlarge(library, image, Cleanup()).method == "network"


@pytest.mark.parametrize("side", [16, 24, 32])
def test_sprites_and_what_is_drawn_in_squares_go_by_squares(side: int):
    assert is_pixel_art(sprite(side))
    for factor in (2, 3, 8):
        assert is_pixel_art(upscale_nearest(sprite(side), factor))


def test_pixel_art_grows_by_squares_and_knows_no_blend(library: Library):
    art = sprite(6)
    result = enlarge(library, art, Cleanup(scale=5))
    assert result.method == "pixel-art" and np.array_equal(result.cleaned, upscale_nearest(art, 5))
    assert np.array_equal(result.blend(0), result.cleaned)


def test_lanczos_is_the_plain_enlargement(library: Library):
    image = noise(20, 30)
    assert np.array_equal(enlarge(library, image, Cleanup(method="lanczos")).blend(1), resize(image, (60, 40)))


def test_an_opaque_picture_gives_three_channels_and_corners_a_fourth(library: Library):
    image = np.dstack([noise(20, 20, 3), np.full((20, 20), 255, np.uint8)])
    assert clean_up(library, image, Cleanup(method="network"))[0].shape == (40, 40, 3)
    rounded, _ = clean_up(library, image, Cleanup(method="network", corners=50))
    assert rounded.shape == (40, 40, 4) and rounded[0, 0, 3] == 0 and rounded[20, 20, 3] == 255


# The dial


def test_the_dial_goes_from_the_plain_enlargement_to_the_network_and_runs_nothing(library: Library):
    image = noise(24, 24)
    result = enlarge(library, image, Cleanup(method="network"))
    assert np.array_equal(result.blend(0), resize(image, (48, 48)))
    assert np.array_equal(result.blend(1), library.upscaler("cleanup-x2").enlarge(image))
    ends = composite(result.plain, (255, 255, 255)).astype(int), composite(result.cleaned, (255, 255, 255)).astype(int)
    for denoise in (0.25, 0.5, 0.75):
        between = composite(result.blend(denoise), (255, 255, 255))
        assert np.abs(between - ((1 - denoise) * ends[0] + denoise * ends[1])).max() <= 2


def test_a_blend_of_a_colour_with_nothing_keeps_the_colour():
    plain = np.zeros((4, 4, 4), np.uint8)
    cleaned = np.full((4, 4, 4), (200, 100, 50, 255), np.uint8)
    result = Result(plain, cleaned, "network")
    assert np.abs(result.blend(0.5).astype(int) - (200, 100, 50, 128)).max() <= 1


@pytest.mark.parametrize("channels", [3, 4])
def test_a_blend_by_strips_is_the_blend_of_the_whole(monkeypatch: pytest.MonkeyPatch, channels: int):
    result = Result(noise(9, 7, channels), noise(18, 14, channels, seed=1), "network")
    whole = result.blend(0.3)
    monkeypatch.setattr("ganapp.draw.enlarge.STRIP", 30)
    assert np.array_equal(result.blend(0.3), whole)


@pytest.mark.parametrize("asked", [Cleanup(), Cleanup(scale=7), Cleanup(method="lanczos"), Cleanup(scale=3)])
@pytest.mark.parametrize("image", [sprite(8), noise(40, 30)], ids=["sprite", "noise"])
def test_what_was_asked_for_is_resolved_to_what_makes_it_again(library: Library, image: np.ndarray, asked: Cleanup):
    out, resolved = clean_up(library, image, asked)
    assert resolved.method != "auto" and bool(resolved.model) == (resolved.method == "network")
    values = json.loads(resolved.record())
    assert values.pop("kind") == "cleanup"
    again, same = clean_up(library, image, Cleanup.checked(library, **values))
    assert np.array_equal(again, out) and same == resolved


def test_a_record_names_the_networks_that_were_passed(library: Library):
    assert clean_up(library, noise(40, 40), Cleanup(scale=8))[1].model == "cleanup-x4, cleanup-x2"
    assert clean_up(library, noise(40, 40), Cleanup(scale=16))[1].model == "cleanup-x4"
    with pytest.raises(ValueError, match="there is no upscaler 'x9'"):
        Cleanup.checked(library, model="cleanup-x4, x9")


def test_a_record_names_the_picture_that_a_cut_out_is_of():
    assert json.loads(Cleanup().record(cut_out="mask.png"))["cut_out"] == "mask.png"
    assert "cut_out" not in json.loads(Cleanup().record())
    Cleanup().record(cut_out="m\udcff.png").encode()  # a file name that is no UTF-8


# Finishing


def test_nothing_asked_for_is_nothing_done():
    image = noise(10, 10)
    assert np.array_equal(finish(image, Cleanup()), image)


def test_a_palette_holds_after_all_that_comes_before_it(library: Library):
    asked = Cleanup(method="network", denoise=0.5, flat=0.5, colours=("#000000", "#ffffff", "#ff0000"))
    out, _ = clean_up(library, noise(20, 20, 3), asked)
    assert {tuple(pixel) for pixel in out.reshape(-1, 3).tolist()} <= {(0, 0, 0), (255, 255, 255), (255, 0, 0)}


def test_the_cut_out_of_a_reference_is_copied_at_the_new_size(library: Library):
    cut_out = np.full((10, 10, 4), 255, np.uint8)
    cut_out[:5, :, 3] = 0
    out, _ = clean_up(library, noise(20, 20, 3), Cleanup(size="63", method="network"), cut_out)
    assert out.shape == (63, 63, 4) and not out[:25, :, 3].any() and (out[40:, :, 3] == 255).all()
    with pytest.raises(ValueError, match="no transparency"):
        clean_up(library, noise(20, 20, 3), Cleanup(), noise(4, 4, 3))


# The record in a file


def test_a_record_is_read_from_a_png_and_from_nothing_else(tmp_path: Path):
    image = noise(4, 4)
    (tmp_path / "a.png").write_bytes(encode_png(image, {"ganapp": '{"kind": "sample", "name": "Ä"}'}))
    assert read_record(tmp_path / "a.png") == {"kind": "sample", "name": "Ä"}
    for data in (
        encode_png(image), encode_png(image, {"ganapp": "no"}), encode_png(image, {"ganapp": "[1]"}), b"", b"no",
        encode_png(image, {"ganapp": '"' + "x" * 20_000 + '"'}), encode_png(image, {"ganapp": "[" * 9000}),
        encode_png(image, {"ganapp": "{}"})[:60], encode_png(image, {"ganapp": '{"seed": "\\ud800"}'}),
        encode_png(image, {"ganapp": '{"a": ' * 300 + "1" + "}" * 300}),
    ):  # fmt: skip
        assert not read_record(BytesIO(data))
    assert read_record(tmp_path / "missing.png") is None
