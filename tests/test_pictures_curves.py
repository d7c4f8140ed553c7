import re

import numpy as np
import pytest

from ganapp.pictures.curves import path_data

SIZE = (256, 256)


def circle(radius: float, points: int = 400) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, points + 1)
    return 128 + radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def polygon(*corners: tuple[float, float]) -> np.ndarray:
    return np.array([*corners, corners[0]], float)


def drawn(data: str) -> list[np.ndarray]:
    """The curves [4, 2] of path data; a line is a curve too."""
    start, *steps = re.findall(r"([Mcl])([^Mclz]*)", data)
    at = np.array(numbers(start[1]))
    curves = []
    for letter, text in steps:
        points = at + np.array(numbers(text)).reshape(-1, 2)
        curves.append(np.stack([at, at, points[0], points[0]] if letter == "l" else [at, *points]))
        at = curves[-1][-1]
    return curves


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d*\.?\d+", text)]


def along(curve: np.ndarray) -> np.ndarray:
    """Points [50, 2] of a curve."""
    u = np.linspace(0, 1, 50)[:, None]
    return np.concatenate([(1 - u) ** 3, 3 * u * (1 - u) ** 2, 3 * u**2 * (1 - u), u**3], 1) @ curve


@pytest.mark.parametrize("radius", [3, 20, 100])
@pytest.mark.parametrize("tolerance", [0.05, 0.5])
def test_a_circle_stays_within_the_tolerance(radius: float, tolerance: float):
    [data] = path_data([circle(radius)], SIZE, tolerance)
    points = np.concatenate([along(curve) for curve in drawn(data)])
    assert np.abs(np.hypot(*(points - 128).T) - radius).max() < tolerance + 0.02
    assert len(drawn(data)) <= 12


def test_neighbouring_curves_of_a_circle_go_on_in_the_same_direction():
    [data] = path_data([circle(50)], SIZE, 0.05)
    curves = drawn(data)
    for one, next_one in zip(curves, curves[1:] + curves[:1], strict=True):
        ahead, on = one[3] - one[2], next_one[1] - next_one[0]
        assert ahead @ on > 0.9995 * np.hypot(*ahead) * np.hypot(*on)


def test_a_path_ends_exactly_where_it_begins():
    for data in path_data([circle(30), circle(77.7), polygon((3, 4), (90, 20), (50, 120))], SIZE, 0.2):
        curves = drawn(data)
        assert np.abs(curves[-1][-1] - curves[0][0]).max() < 1e-9 and data.endswith("z")


def test_a_rectangle_that_fills_the_picture_is_its_four_corners():
    [data] = path_data([polygon((100.2, 0), (256, 0), (256, 256), (0, 256), (0, 0))], SIZE, 0.25)
    corners = [tuple(curve[0].tolist()) for curve in drawn(data)]
    assert "c" not in data and set(corners) == {(0, 0), (256, 0), (256, 256), (0, 256)} and len(corners) == 4


def test_the_corners_of_a_triangle_stay_sharp():
    corners = ((40, 40), (200, 60), (90, 190))
    [data] = path_data([polygon(*corners)], SIZE, 3)
    points = np.concatenate([along(curve) for curve in drawn(data)])
    for corner in corners:
        assert np.hypot(*(points - corner).T).min() < 0.3


def test_a_shape_that_reaches_the_frame_is_straight_along_it():
    half = circle(60)
    half[:, 0] = np.maximum(half[:, 0] - 128, 0)
    [data] = path_data([half], SIZE, 0.25)
    points = np.concatenate([along(curve) for curve in drawn(data)])
    side = points[np.abs(points[:, 1] - 128) < 59]
    side = side[side[:, 0] < 10]
    assert len(side) and (side[:, 0] == 0).all()


def test_a_wide_tolerance_takes_fewer_curves():
    wave = circle(80)
    wave[:-1] += 3 * np.sin(np.arange(400) / 8)[:, None]
    wave[-1] = wave[0]
    counts = [len(drawn(path_data([wave], SIZE, tolerance)[0])) for tolerance in (0.02, 0.3, 5)]
    assert counts[0] > counts[1] > counts[2]


def test_several_outlines_are_drawn_as_they_are_alone():
    loops = [circle(20), polygon((3, 4), (90, 20), (50, 120)), circle(99)]
    assert path_data(loops, SIZE, 0.25) == [path_data([loop], SIZE, 0.25)[0] for loop in loops]
    assert path_data([], SIZE, 0.25) == []
