"""Directions of a style space: what pictures differ by, and what the layers answer to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.bundle import export_bundle
from export.directions import answered, directions, unique
from ganapp.contract import GeneratorSpec
from ganapp.directions import Direction
from ganapp.draw.explore import Explore, image
from ganapp.models.stylegan import StyleGANConfig
from ganapp.models.stylegan import Synthesis as StyleGANSynthesis
from ganapp.models.stylegan2 import StyleGAN2Config, Synthesis
from ganapp.serve.library import Library

SPEC = GeneratorSpec(
    "made",
    16,
    3,
    4,
    4,
    6,
    0,
    {"colour": ("red", "green"), "hat": ("no", "yes")},
    examples=((0, 0), (1, 0), (0, 1), (1, 1)),
)


class Made(nn.Module):
    """Styles whose first number is mostly the colour, and layers of which the middle ones see the last number alone."""

    z_dim = w_dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.synthesis = self

    def mapping(self, z: Tensor, labels: Tensor) -> Tensor:
        w = z * torch.tensor([0.1, 1.0, 0.5, 0.2])
        return w + torch.stack([8 * (labels[:, 1] - labels[:, 0]), *[torch.zeros(len(z))] * 3], 1)

    def affines(self) -> list[list[Tensor]]:
        last = torch.diag(torch.tensor([0.0, 0.1, 0.2, 3.0]))
        return [[torch.eye(4)], [torch.eye(4)], [last], [last], [torch.eye(4)], []]


def vectors(found: tuple[Direction, ...]) -> dict[str, np.ndarray]:
    return {direction.name: np.array(direction.numbers()) for direction in found}


def test_the_direction_along_which_an_attribute_lies_has_its_name_and_its_ends():
    found = directions(Made(), SPEC)
    first = found[0]
    assert first.name in ("colour: red – green", "colour: green – red")
    assert abs(first.numbers()[0]) == pytest.approx(8, rel=0.05)  # a step of 1 is the styles' own deviation
    towards = 1 if first.name.endswith("green") else -1
    assert first.numbers()[0] * towards > 0
    assert first.layers == tuple(range(6))


def test_a_third_of_the_layers_has_the_directions_that_these_answer_to():
    found = [direction for direction in directions(Made(), SPEC) if direction.layers == (2, 3)]
    assert len(found) == 2
    assert np.abs(found[0].numbers()).argmax() == 3 and np.abs(found[1].numbers()).argmax() == 2
    assert found[0].name == "parts 1"


def test_without_labels_directions_have_plain_names():
    names = [
        direction.name for direction in directions(Made(), replace(SPEC, attributes={"a": ("x", "y")}, examples=()))
    ]
    assert names[:2] == ["style 1", "style 2"] and len(set(names)) == len(names)


def test_a_plain_generator_has_none():
    assert directions(nn.Identity(), replace(SPEC, num_ws=0)) == ()


def test_a_name_that_is_taken_gets_a_number_and_a_long_one_an_end():
    made = [Direction.of("hat", (0,), [1.0])]
    assert unique("hat", made) == "hat 2" and len(unique("x" * 500, made)) < 80 and unique("a\nb", made) == "ab"


def test_what_the_layers_answer_to_most_comes_first():
    stretched = torch.diag(torch.tensor([1.0, 5.0, 2.0]))
    assert np.abs(answered([[stretched]], [0])).argmax(1).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "synthesis",
    [
        Synthesis(StyleGAN2Config(w_dim=40, width=8, base=32, noise=False), 16, 4),
        StyleGANSynthesis(StyleGANConfig(w_dim=40, width=8, base=32), 16, 4),
    ],
)
def test_a_style_works_by_the_maps_of_its_layer_and_by_nothing_else(synthesis: nn.Module):
    affines = synthesis.affines()
    assert len(affines) == synthesis.num_ws
    synthesis.requires_grad_(False)
    noise = torch.zeros(1, synthesis.noise_dim)
    ws = torch.randn(1, synthesis.num_ws, 40, generator=torch.Generator().manual_seed(0))

    def changed(layer: int, by: Tensor) -> float:
        moved = ws.clone()
        moved[:, layer] += by
        return float((synthesis.logits(moved, noise) - synthesis.logits(ws, noise)).abs().max())

    for layer, matrices in enumerate(affines):
        seen = torch.cat([matrix.detach() for matrix in matrices])
        directions = torch.linalg.svd(seen)[2]
        assert len(seen) < 40 and changed(layer, 3 * directions[-1]) < 1e-4 < changed(layer, 3 * directions[0])


def test_an_exported_run_has_directions_and_they_move_its_pictures(run: Path, tmp_path: Path):
    export_bundle(run, tmp_path / "weights" / "shapes")
    library = Library(tmp_path / "weights")
    known = library.spec("shapes").directions
    assert len(known) == 10 and len({direction.name for direction in known}) == 10
    still = image(library, Explore.checked(library)).astype(int)
    there = image(library, Explore.checked(library, moves={known[0].name: 4})).astype(int)
    assert np.abs(still - there).max() > 2
