import numpy as np
import pytest
from PIL import Image

from ganapp.pictures.planes import STRIP, draw_planes, enlargement, interpolation, linear, spline
from ganapp.pictures.resize import resize

SIDE = 32


def smooth(count: int, seed: int = 0, knots: int = 6) -> np.ndarray:
    """Smooth random planes float32 [count, SIDE, SIDE], steep enough that mostly one wins."""
    few = np.random.default_rng(seed).normal(size=(count, knots, knots)).astype(np.float32)
    enlarging = interpolation(knots, SIDE, spline)
    return enlarging @ few @ enlarging.T * 30


def colours(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(count, 3)).astype(np.float32)


def premultiplied(image: np.ndarray) -> np.ndarray:
    return image[..., :3] * (image[..., 3:] / 255) if image.shape[2] == 4 else image.astype(float)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.square(premultiplied(a) - premultiplied(b)).mean())


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize(("large", "small"), [(512, 256), (256, 128), (256, 64), (96, 48), (64, 32), (32, 16)])
def test_any_two_sizes_agree_when_the_larger_is_reduced(large: int, small: int, alpha: int):
    planes, paints = smooth(5 + alpha), colours(5)
    images = [draw_planes(planes, paints, size, supersample=2) for size in (large, small)]
    assert psnr(resize(images[0], (small, small), Image.Resampling.BOX), images[1]) > 30


@pytest.mark.parametrize(("supersample", "plane_scale"), [(1, 2), (2, 2), (1, 4)])
def test_at_its_own_size_a_picture_of_coarser_planes_is_that_of_planes_enlarged_bilinearly(
    supersample: int, plane_scale: int
):
    planes, paints = smooth(4), colours(3)
    own = SIDE * plane_scale
    enlarging = interpolation(SIDE, own * supersample, linear)
    fine = (enlarging @ planes @ enlarging.T).astype(np.float32)
    wanted = draw_planes(fine, paints, own * supersample)
    if supersample > 1:
        wanted = resize(wanted, (own, own), Image.Resampling.BOX)
    found = draw_planes(planes, paints, own, supersample, plane_scale)
    assert np.abs(premultiplied(found) - premultiplied(wanted)).max() <= 2
    other = draw_planes(planes, paints, own * 2, supersample, plane_scale)
    assert psnr(resize(other, (own, own), Image.Resampling.BOX), found) > 29


def test_sizes_of_another_picture_do_not_agree():
    one, other = (draw_planes(smooth(5, seed), colours(5), 64) for seed in (0, 2))
    assert psnr(one, other) < 20


def test_a_picture_of_planes_that_learnt_at_its_size_is_their_softmax():
    planes, paints = smooth(4), colours(3)
    shares = np.exp(planes[:3] - planes[:3].max(0))
    shares /= shares.sum(0)
    expected = np.einsum("khw,kc->hwc", shares, paints) * 255
    image = draw_planes(planes, paints, SIDE)
    assert np.abs(image[..., :3] - expected)[image[..., 3] > 0].max() <= 0.51
    assert np.abs(image[..., 3] - 255 / (1 + np.exp(-planes[3]))).max() <= 0.51


def test_edges_are_as_steep_at_every_size():
    """An edge of a softmax whose planes stayed as they are would be four times as wide at four times the size."""
    planes = np.stack([np.tile(np.linspace(-3, 3, SIDE, dtype=np.float32) * sign, (SIDE, 1)) for sign in (1, -1)])
    planes *= SIDE / 6
    black_and_white = np.array([[0, 0, 0], [1, 1, 1]], np.float32)

    def steepest(size: int) -> float:
        return np.abs(np.diff(draw_planes(planes, black_and_white, size)[size // 2, :, 0].astype(int))).max()

    assert steepest(256) == pytest.approx(steepest(1024), rel=0.1)
    assert steepest(256) > 60


def test_a_large_picture_is_drawn_in_strips_that_do_not_show(monkeypatch: pytest.MonkeyPatch):
    planes, paints = smooth(5), colours(4)
    for size in (20, 64, 301):
        whole = draw_planes(planes, paints, size, supersample=2)
        monkeypatch.setattr("ganapp.pictures.planes.STRIP", 1)  # one row at a time
        assert np.abs(draw_planes(planes, paints, size, supersample=2).astype(int) - whole).max() <= 1
        monkeypatch.setattr("ganapp.pictures.planes.STRIP", STRIP)


def test_no_colour_hides_where_nothing_shows():
    planes = smooth(4)
    planes[3] = -30
    assert not draw_planes(planes, colours(3), 64).any()
    planes[3] = 1e6  # and no logit is too large
    assert (draw_planes(planes, colours(3), 64)[..., 3] == 255).all()


def test_colours_of_an_edge_to_nothing_are_those_beside_it():
    """Reduced by area, the colour that hides under transparency must not mix in."""
    planes = np.full((3, SIDE, SIDE), -9.0, np.float32)
    planes[0, :, : SIDE // 2], planes[1, :, SIDE // 2 :] = 9, 9
    planes[2] = np.where(np.arange(SIDE) < SIDE // 2 + 1, 9, -9)  # alpha ends one pixel beside the edge of colours
    image = draw_planes(planes, np.array([[1, 0, 0], [0, 0, 1]], np.float32), SIDE // 4)
    edge = image[4, 4]
    assert 0 < edge[3] < 255 and edge[2] > 200 and edge[0] < 60


def test_interpolation_keeps_what_is_flat_and_what_rises_evenly():
    for enlarging in (interpolation(8, 40, linear), interpolation(8, 40, spline), enlargement(8, 16, 40)):
        assert np.allclose(enlarging.sum(1), 1, atol=1e-6)
        assert enlarging.min() >= 0  # so that nothing swings over
        rising = enlarging @ np.arange(8)
        assert np.allclose(np.diff(rising)[10:-10], 0.2, atol=1e-5)
    assert np.array_equal(interpolation(8, 8, linear), np.eye(8))
    assert np.array_equal(enlargement(8, 16, 16), interpolation(8, 16, linear))


def test_a_straight_edge_between_steep_planes_stays_straight_when_it_is_drawn_large():
    """A cubic through the samples wavers by 5.5 pixels here, and a bilinear enlargement by 7."""
    y, x = np.indices((SIDE, SIDE))
    far = (x - SIDE / 2) * 3 - (y - SIDE / 2)
    plane = np.where(far > 0, far * 40, far).astype(np.float32)  # steeper on one side, as a network's are
    image = draw_planes(np.stack([plane, -plane]), np.array([[0, 0, 0], [1, 1, 1]], np.float32), 16 * SIDE, 2)
    edge = (image[..., 0] > 127).argmin(1)[64:-64].astype(float)
    steps = np.arange(len(edge))
    off = edge - np.polyval(np.polyfit(steps, edge, 1), steps)
    assert np.abs(off).max() < 4
