"""The built-in datasets: what the recipes promise."""

import numpy as np
import pytest

from ganapp.data.avatars import BUILTIN, COLOURS, HELD_OUT, ILLUSTRATIONS, generate


@pytest.mark.parametrize("name", BUILTIN)
def test_a_picture_depends_on_its_number_alone(name: str):
    resolution = BUILTIN[name].resolution
    first, again = list(generate(name, resolution, 4)), list(generate(name, resolution, 2))
    styles = BUILTIN[name].styles
    assert [p.source for p in first] == [f"{styles[i % len(styles)]}-{i // len(styles)}" for i in range(4)]
    for a, b in zip(first, again, strict=False):
        assert np.array_equal(a.image, b.image) and a.attributes == b.attributes
    assert not np.array_equal(first[0].image, first[1].image)


@pytest.mark.parametrize(
    "name, sizes",
    [
        ("critters", [14, 12, 12, 4, 19, 19, 16, 11, 4]),
        ("faces", [7, 3, 2, 2, 2, 8, 12]),
        ("robots", [8, 5, 7, 7, 5, 8, 7]),
    ],
)
def test_every_attribute_takes_all_its_values_within_a_few_hundred_pictures(name: str, sizes: list[int]):
    seen: dict[str, set[str]] = {}
    for picture in generate(name, 16, 400):
        for attribute, value in picture.attributes.items():
            seen.setdefault(attribute, set()).add(value)
    assert [len(values) for values in seen.values()] == sizes


def test_colour_names_are_those_of_the_picture():
    rgb = {name: tuple(bytes.fromhex(code[1:])) for code, name in COLOURS["critters.background"].items()}
    for picture in generate("critters", 64, 12):
        assert tuple(picture.image[32, 1, :3]) == rgb[picture.attributes["background"]]  # the left edge


@pytest.mark.parametrize("name", ["critters", "robots"])
def test_corners_are_rounded_away(name: str):
    image = next(generate(name, 64, 1)).image
    assert (image[[0, 0, -1, -1], [0, -1, 0, -1], 3] == 0).all()
    assert image[32, 32, 3] == 255


@pytest.mark.slow
def test_illustrations_take_turns_in_style_and_leave_some_for_measuring():
    pictures = list(generate("illustrations", 16, 2 * len(ILLUSTRATIONS)))
    assert [p.attributes["style"] for p in pictures] == [*ILLUSTRATIONS, *ILLUSTRATIONS]
    assert len({p.source for p in pictures}) == len(pictures)
    assert not set(ILLUSTRATIONS) & set(HELD_OUT)


def test_pixel_art_keeps_its_grid():
    image = next(generate("faces", 64, 1)).image
    blocks = image.reshape(16, 4, 16, 4, 4)
    assert (blocks == blocks[:, :1, :, :1]).all()
    with pytest.raises(ValueError, match="16"):
        next(generate("faces", 24, 1))
