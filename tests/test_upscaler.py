from pathlib import Path

import numpy as np
import onnx
import pytest
from drawn_upscaler import write_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tiny_bundle import set_spec

from ganapp.contract import UPSCALER, BundleError, UpscalerSpec
from ganapp.pictures.alpha import composite
from ganapp.serve.session import run
from ganapp.serve.upscaler import BORDER, CORE, Upscaler, open_upscaler, read_upscaler_spec, tiles

sides = st.integers(1, 40) | st.integers(CORE, CORE + 40) | st.integers(2 * CORE, 2 * CORE + 40)


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Upscaler:
    """One that looks 3 pixels away."""
    return open_upscaler(write_graph(tmp_path_factory.mktemp("weights") / "near"))


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Upscaler:
    """One that looks 21 pixels away and enlarges four times."""
    return open_upscaler(write_graph(tmp_path_factory.mktemp("weights") / "far", scale=4, reach=10))


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def untiled(upscaler: Upscaler, image: np.ndarray) -> np.ndarray:
    """The RGB image through the network in one piece."""
    padded = np.pad(image, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), "symmetric")
    large, edge = run(upscaler._session, {"images": padded[None]})[0], BORDER * upscaler.spec.scale
    return large[edge:-edge, edge:-edge]


def worst(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape and a.dtype == b.dtype == np.uint8
    return int(np.abs(a.astype(int) - b).max())


def disc(side: int, colour: tuple[int, int, int], hidden: tuple[int, int, int]) -> np.ndarray:
    """A disc with soft edges, and another colour hidden under the transparent pixels."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = np.clip(side / 2.5 - np.hypot(y, x) + 0.5, 0, 1) * 255
    image = np.dstack([np.full((side, side, 3), colour, np.uint8), alpha.astype(np.uint8)])
    image[image[..., 3] == 0, :3] = hidden
    return image


# Tiles


@settings(deadline=None, max_examples=30)
@given(height=sides, width=sides, seed=st.integers(0, 99))
def test_tiled_is_untiled(near: Upscaler, height: int, width: int, seed: int):
    image = noise(height, width, seed=seed)
    assert worst(near.enlarge(image), untiled(near, image)) <= 1


@pytest.mark.parametrize("size", [(1, 1), (CORE + 80, 130), (CORE + 1, 41), (9, 2 * CORE + 99)])
def test_tiled_is_untiled_where_the_network_looks_far(far: Upscaler, size: tuple[int, int]):
    image = noise(*size)
    assert worst(far.enlarge(image), untiled(far, image)) <= 1


@given(length=st.integers(1, 5000), radius=st.integers(0, 256))
def test_cores_make_up_the_picture_and_windows_hold_them_with_all_that_they_depend_on(length: int, radius: int):
    found = tiles(length, radius)
    assert [tile.core.start for tile in found] == [0, *[tile.core.stop for tile in found[:-1]]]
    assert found[-1].core.stop == length
    assert len({tile.window.stop - tile.window.start for tile in found}) == 1
    assert found[0].window.stop - found[0].window.start <= CORE + 2 * radius + 2 * BORDER
    for tile in found:
        first, last = max(0, tile.core.start + BORDER - radius), tile.core.stop + BORDER + radius
        assert 0 <= tile.window.start <= first
        assert min(last, length + 2 * BORDER) <= tile.window.stop <= length + 2 * BORDER


def test_pictures_of_many_sizes_need_few_sizes_of_windows():
    sizes = {tiles(length, 20)[0].window.stop for length in range(CORE + 40, 4096)}
    assert len(sizes) <= CORE // 16 and max(sizes) <= CORE + 40


def test_a_long_strip_and_a_single_pixel_are_enlarged(near: Upscaler):
    assert near.enlarge(noise(10, 5000)).shape == (20, 10000, 3)
    assert near.enlarge(noise(1, 1, 4)).shape == (2, 2, 4)


# What comes out


@settings(deadline=None, max_examples=20)
@given(colour=st.tuples(*[st.integers(0, 255)] * 3), alpha=st.integers(0, 255), height=st.integers(1, 9), width=sides)
def test_a_constant_image_stays_constant(near: Upscaler, colour: tuple, alpha: int, height: int, width: int):
    image = np.empty((height, width, 4), np.uint8)
    image[...] = (*colour, alpha)
    for picture in (image, image[..., :3]):
        assert np.ptp(near.enlarge(picture).astype(int), axis=(0, 1)).max() <= 1


@settings(deadline=None, max_examples=20)
@given(image=arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([3, 4]))))
def test_any_bytes_in_give_a_picture_out(far: Upscaler, image: np.ndarray):
    kept = image.copy()
    large = far.enlarge(image)
    assert large.dtype == np.uint8 and large.shape == (4 * image.shape[0], 4 * image.shape[1], image.shape[2])
    assert np.array_equal(image, kept)
    if image.shape[2] == 4:
        assert not large[large[..., 3] == 0].any()


def test_an_opaque_picture_is_enlarged_alike_with_and_without_alpha(near: Upscaler):
    image = noise(30, 20)
    large = near.enlarge(np.dstack([image, np.full((30, 20), 255, np.uint8)]))
    assert np.array_equal(large[..., :3], near.enlarge(image)) and (large[..., 3] == 255).all()


def test_the_inside_stays_opaque_and_the_outside_transparent(near: Upscaler):
    image = disc(64, (200, 40, 40), (0, 255, 0))
    alpha = near.enlarge(image)[..., 3]
    assert (alpha[44:84, 44:84] == 255).all()
    assert not alpha[:8, :8].any()
    assert np.array_equal(np.unique(near.enlarge(image[20:40, 20:40])[..., 3]), [255])


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255)])
def test_no_hidden_colour_shows_in_a_halo(near: Upscaler, background: tuple[int, int, int]):
    """What colour is hidden makes no difference, and a disc's edge is a mixture of its colour and the background."""
    colour = (200, 40, 120)
    pictures = [near.enlarge(disc(40, colour, hidden)) for hidden in ((0, 0, 0), (255, 255, 255), (0, 255, 0))]
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)
    plain = near.enlarge(np.full((40, 40, 3), colour, np.uint8))[0, 0]  # whatever the random network makes of it
    shown = composite(pictures[0], background).astype(int)
    low, high = np.minimum(plain, background), np.maximum(plain, background)
    assert (shown >= low.astype(int) - 2).all() and (shown <= high.astype(int) + 2).all()


def test_transparent_tiles_need_no_network_and_change_nothing(near: Upscaler):
    image = np.zeros((400, 400, 4), np.uint8)
    image[180:190, 20:30] = noise(10, 10, 4)
    large = near.enlarge(image)
    assert np.array_equal(large[340:400, 20:80], near.enlarge(image[170:200, 10:40]))
    large[340:400, 20:80] = 0
    assert not large.any()


def test_alpha_is_the_mean_of_the_three_greys_that_the_network_makes_of_it(near: Upscaler):
    alpha = np.random.default_rng(0).integers(1, 255, (20, 30, 1), dtype=np.uint8)
    grey = near.enlarge(alpha.repeat(3, 2)).mean(2)
    assert np.ptp(near.enlarge(alpha.repeat(3, 2)).astype(int), axis=2).max() > 2  # or else there is nothing to tell
    assert np.abs(near.enlarge(np.dstack([noise(20, 30), alpha]))[..., 3] - grey).max() <= 0.5


@pytest.mark.parametrize("channels", [3, 4])
def test_a_batch_is_its_images_one_by_one(near: Upscaler, channels: int):
    images = np.stack([noise(9, 7, channels, seed) for seed in range(3)])
    shares: list[float] = []
    large = near.enlarge(images, shares.append)
    assert large.shape == (3, 18, 14, channels) and shares == sorted(shares) and shares[-1] == 1
    assert all(np.array_equal(large[i], near.enlarge(images[i])) for i in range(3))


def test_progress_rises_to_one_and_may_end_the_work(near: Upscaler):
    shares: list[float] = []
    near.enlarge(noise(CORE + 80, CORE + 80, 4), shares.append)
    assert shares == sorted(shares) and shares[0] > 0 and shares[-1] == 1 and len(shares) > 4

    def stop(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        near.enlarge(noise(300, 300), stop)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 4, 3), np.uint8),
        np.zeros((1, 1, 4, 4, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(near: Upscaler, image: np.ndarray):
    with pytest.raises(ValueError, match="an image must be"):
        near.enlarge(image)


# Files


def edited(folder: Path, change) -> Path:
    made = onnx.load(folder / UPSCALER)
    change(made)
    onnx.save(made, folder / UPSCALER)
    return folder


def test_the_spec_is_read_without_opening_the_model(tmp_path: Path):
    assert read_upscaler_spec(write_graph(tmp_path / "tiny", 4, 10)) == UpscalerSpec("tiny", 4, 21)


def test_a_damaged_file_is_named(tmp_path: Path):
    folder = write_graph(tmp_path / "tiny")
    data = (folder / UPSCALER).read_bytes()
    for damaged in (b"", data[:200], b"version https://git-lfs.github.com/spec/v1"):
        (folder / UPSCALER).write_bytes(damaged)
        with pytest.raises(BundleError, match=rf"tiny.{UPSCALER}: .*(export|copy|git lfs)"):
            open_upscaler(folder)


def rename_output(made: onnx.ModelProto) -> None:
    made.graph.output[0].name = made.graph.node[-1].output[0] = "images2"


def fix_the_size(made: onnx.ModelProto) -> None:
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 64


def break_the_operator(made: onnx.ModelProto) -> None:
    made.graph.node[3].input.append("nothing")


def drop_the_spec(made: onnx.ModelProto) -> None:
    del made.metadata_props[:]


def be_a_generator(made: onnx.ModelProto) -> None:
    set_spec(made, '{"kind": "generator", "version": 1}')


@pytest.mark.parametrize(
    "change, said",
    [
        (rename_output, "has tensors"), (fix_the_size, "64, W"), (break_the_operator, "ONNX Runtime refuses"),
        (drop_the_spec, "no ganapp.spec"), (be_a_generator, "an upscaler"),
    ],
)  # fmt: skip
def test_a_model_that_is_no_upscaler_is_refused(tmp_path: Path, change, said: str):
    with pytest.raises(BundleError, match=rf"{UPSCALER}: .*{said}"):
        open_upscaler(edited(write_graph(tmp_path / "tiny"), change))


def test_a_model_that_draws_another_size_than_it_says_is_an_error(tmp_path: Path):
    folder = write_graph(tmp_path / "tiny")
    edited(folder, lambda made: set_spec(made, UpscalerSpec("tiny", 4, 3).to_json()))
    with pytest.raises(BundleError, match=r"which is not what its ganapp\.spec says"):
        open_upscaler(folder).enlarge(noise(4, 4))
