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


class Given:
    """Draws of known numbers, each call's in turn: one for every image, or a row of them."""

    def __init__(self, *values: float | list[float]):
        self.values = list(values)
        self.shapes: list[tuple[int, ...]] = []

    def uniform(self, N: int, *shape: int) -> Tensor:
        self.shapes.append((N, *shape))
        value = torch.tensor(self.values.pop(0))
        return value.expand(N, *shape).clone() if value.ndim < 2 else value


def pale(alpha: float = 1.0, channels: int = 4) -> Tensor:
    """Two pictures of colours so near to grey that no change reaches black or white; premultiplied, in [0, 1]."""
    rng = torch.Generator().manual_seed(2)
    u = torch.full((2, channels, 4, 4), alpha)
    u[:, :3] = alpha * (0.45 + 0.1 * torch.rand(2, 3, 4, 4, generator=rng))
    return u


def coloured(u: Tensor, brightness: float, saturation: float, contrast: float) -> Tensor:
    return (colour(u * 2 - 1, Given(brightness, saturation, contrast)) + 1) / 2


def test_colours_stay_at_the_middle_of_each_change():
    for u in (pale(), pale(0.4), pale(channels=3)):
        assert torch.allclose(coloured(u, 0.5, 0.5, 0.5), u, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 0.4])
@pytest.mark.parametrize("brightness", [0.3, 0.6])
def test_brightness_adds_the_same_to_every_colour_in_proportion_to_alpha(brightness: float, alpha: float):
    u = pale(alpha)
    moved = coloured(u, brightness, 0.5, 0.5) - u
    assert torch.allclose(moved[:, :3], torch.tensor((brightness - 0.5) * alpha), atol=1e-6)


@pytest.mark.parametrize("saturation", [0.0, 0.25, 1.0])
def test_saturation_moves_each_pixel_between_its_grey_and_twice_its_colour(saturation: float):
    u = pale()
    grey = u[:, :3].mean(1, keepdim=True)
    found = coloured(u, 0.5, saturation, 0.5)[:, :3] - grey
    assert torch.allclose(found, 2 * saturation * (u[:, :3] - grey), atol=1e-6)


@pytest.mark.parametrize("contrast", [0.0, 0.25, 1.0])
def test_contrast_moves_colours_from_half_to_one_and_a_half_times_as_far_from_the_mean_of_the_picture(contrast: float):
    for u in (pale(), pale(channels=3)):
        mean = u[:, :3].mean((1, 2, 3), keepdim=True)
        found = coloured(u, 0.5, 0.5, contrast)[:, :3] - mean
        assert torch.allclose(found, (contrast + 0.5) * (u[:, :3] - mean), atol=1e-6)


def test_the_mean_of_a_picture_is_that_of_what_shows_of_it():
    """A flat picture is its own mean wherever it shows, so its contrast changes nothing."""
    u = torch.full((1, 4, 4, 4), 0.6)
    u[:, 3], u[:, :, 2:] = 1.0, 0.0
    assert torch.allclose(coloured(u, 0.5, 0.5, 0.1), u, atol=1e-6)


def test_what_does_not_show_at_all_stays_as_it_is():
    nothing = torch.zeros(1, 4, 4, 4)
    assert torch.equal(coloured(nothing, 0.9, 0.9, 0.9), nothing)


def test_colours_end_at_black_and_at_their_alpha():
    u = pale(0.4)
    assert (coloured(u, -9.0, 0.5, 0.5)[:, :3] == 0).all()
    assert torch.allclose(coloured(u, 9.0, 0.5, 0.5)[:, :3], torch.tensor(0.4), atol=1e-6)


def test_each_picture_has_draws_of_its_own():
    for operation, shapes in ((colour, [(2, 1, 1, 1)] * 3), (translate, [(2, 2)]), (cutout, [(2, 2)])):
        given = Given(0.5, 0.5, 0.5)
        operation(pale() * 2 - 1, given)
        assert given.shapes == shapes


@pytest.mark.parametrize("side, reach", [(16, 2), (24, 3), (4, 1)])
def test_a_translation_goes_from_an_eighth_back_to_an_eighth_forth_and_a_pixel_at_least(side: int, reach: int):
    x = torch.full((2, 3, side, side), 0.0)
    x[:, :, side // 2, side // 2 - 1] = 0.5
    for down, across, by in ((0.0, 0.999, (reach, -reach)), (0.5, 0.5, (0, 0)), (1.0, 0.0, (-reach, reach))):
        y = translate(x, Given([[down, across]] * 2))
        assert torch.equal(y, x.roll(by, (2, 3)))


def test_a_translation_makes_whole_pixels_of_a_chance_in_equal_shares():
    x = torch.full((5, 3, 16, 16), 0.0)
    x[:, :, 8, 8] = 0.5
    y = translate(x, Given([[share, 0.5] for share in (0.1, 0.3, 0.5, 0.7, 0.9)]))
    assert (y[:, 0] == 0.5).flatten(1).int().argmax(1).tolist() == [16 * row + 8 for row in (10, 9, 8, 7, 6)]


@pytest.mark.parametrize("channels, empty", [(4, -1.0), (3, 0.0)])
@pytest.mark.parametrize(
    "centre, rows, columns",
    [([0.5, 0.5], (4, 12), (4, 12)), ([0.5, 0.75], (4, 12), (8, 16)), ([0.0, 1.0], (0, 4), (12, 16))],
)
def test_a_hole_is_half_the_side_around_its_centre(channels: int, empty: float, centre, rows, columns):
    x = torch.full((2, channels, 16, 16), 0.5)
    y = cutout(x, Given([centre, centre]))
    wanted = x.clone()
    wanted[:, :, slice(*rows), slice(*columns)] = empty
    assert torch.equal(y, wanted)


def test_every_augmentation_is_chosen_for_each_picture_anew():
    x = pictures(4)
    chances = [[[[value]]] for value in (0.1, 0.29, 0.3, 0.9)]
    y = augment(x, 0.3, ("cutout",), Given(chances, [[0.5, 0.5]] * 4))
    changed = (x != y).flatten(1).any(1).tolist()
    assert changed == [True, True, False, False]
    assert torch.equal(augment(x, 1.0, (), Given()), x)
    assert torch.equal(augment(x, 0.0, POLICY, draws()), x)


@pytest.mark.parametrize("name", POLICY)
def test_a_policy_names_what_is_done(name: str):
    x = pictures(4)
    values = {"colour": [0.3, 0.3, 0.3], "translation": [0.1], "cutout": [0.4]}[name]
    assert torch.allclose(augment(x, 1.0, (name,), Given(0.0, *values)), OPERATIONS[name](x, Given(*values)), atol=1e-6)


def test_at_its_target_overfitting_leaves_p_alone():
    assert adapted(torch.tensor(0.5), torch.tensor(0.25), 0.25, 0.1) == 0.5
    assert adapted(torch.tensor(0.5), torch.tensor(float("inf")), 0.25, 0.1) == 0.5
