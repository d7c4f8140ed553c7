"""Augmentations: what they leave alone, what they may not do, and the rule that sets their probability."""

import pytest
import torch
from torch import Tensor

from ganapp.train.gan.augment import MAX_P, POLICY, adapted, augment, colour, cutout, overfitting, translate
from ganapp.train.parallel import Draws, Processes

OPERATIONS = {"colour": colour, "translation": translate, "cutout": cutout}


def draws(seed: int = 0) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), Processes())


def pictures(N: int = 16, channels: int = 4, side: int = 16) -> Tensor:
    """Random premultiplied pictures in [-1, 1] with clear, half clear and opaque pixels."""
    rng = torch.Generator().manual_seed(1)
    u = torch.rand(N, channels, side, side, generator=rng)
    if channels == 4:
        u[:, 3:] = (u[:, 3:] * 3 - 1).clamp(0, 1)
        u[:, :3] *= u[:, 3:]
    return u * 2 - 1


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("channels", [3, 4])
def test_every_operation_changes_pictures_within_their_range(name: str, channels: int):
    x = pictures(channels=channels)
    y = OPERATIONS[name](x, draws())
    assert y.shape == x.shape and not torch.equal(x, y)
    assert y.min() >= -1 - 1e-6 and y.max() <= 1 + 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_no_colour_exceeds_its_alpha_afterwards(seed: int):
    y = augment(pictures(), 1.0, POLICY, draws(seed))
    assert (y[:, :3] <= y[:, 3:] + 1e-6).all()


def test_what_moves_in_or_is_cut_out_is_transparent():
    opaque = torch.ones(8, 4, 16, 16)
    for operation in (translate, cutout):
        y = operation(opaque, draws())
        gone = (y != 1).any(1, keepdim=True).expand_as(y)
        assert gone.any() and (y[gone] == -1).all()


def test_colour_leaves_alpha_and_what_is_clear_alone():
    x = pictures()
    y = colour(x, draws())
    assert torch.equal(x[:, 3], y[:, 3])
    clear = (x[:, 3:] == -1).expand(-1, 3, -1, -1)
    assert clear.any() and (y[:, :3][clear] == -1).all()


def test_a_translation_moves_whole_pixels_and_each_picture_by_itself():
    x = torch.full((32, 4, 16, 16), -1.0)
    x[:, :, 8, 8] = 1
    y = translate(x, draws())
    assert ((y == 1).sum((1, 2, 3)) == 4).all()
    places = (y[:, 0] == 1).flatten(1).int().argmax(1)
    rows, columns = places // 16, places % 16
    assert len(places.unique()) > 5
    assert ((rows - 8).abs() <= 2).all() and ((columns - 8).abs() <= 2).all()
    assert rows.min() == columns.min() == 6 and rows.max() == columns.max() == 10


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_gradient_reaches_the_picture_and_can_be_differentiated(name: str):
    x = pictures(4).mul(0.5).requires_grad_(True)
    y = OPERATIONS[name](x, draws())
    (gradient,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
    assert gradient.abs().sum() > 0
    gradient.square().sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad.abs().sum() > 0


def test_the_probability_is_the_share_of_pictures_changed():
    x = pictures(4000, side=4)
    for p in (0.0, 0.3, 1.0):
        y = augment(x, torch.tensor(p), ("cutout",), draws())
        changed = (x != y).any(3).any(2).any(1).float().mean()
        hit = (x != augment(x, 1.0, ("cutout",), draws(1))).any(3).any(2).any(1).float().mean()
        assert changed.item() == pytest.approx(p * hit.item(), abs=0.03)


def test_overfitting_is_zero_when_held_out_pictures_look_like_training_ones_and_one_when_like_fakes():
    assert overfitting(2.0, 2.0, -1.0) == 0
    assert overfitting(2.0, -1.0, -1.0) == 1
    # A relativistic discriminator may shift all its logits: nothing changes.
    assert overfitting(12.0, 10.5, 9.0) == pytest.approx(overfitting(2.0, 0.5, -1.0))


def test_p_follows_overfitting_and_never_leaves_its_range():
    p = torch.tensor(0.5)
    assert adapted(p, torch.tensor(0.9), 0.5, 0.1).item() == pytest.approx(0.6)
    assert adapted(p, torch.tensor(0.1), 0.5, 0.1).item() == pytest.approx(0.4)
    assert adapted(p, torch.tensor(float("nan")), 0.5, 0.1) == p
    assert adapted(torch.tensor(MAX_P), torch.tensor(1.0), 0.5, 0.1).item() == pytest.approx(MAX_P)
    assert adapted(torch.tensor(0.05), torch.tensor(0.0), 0.5, 0.1) == 0
