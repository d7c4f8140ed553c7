"""Objectives against their closed forms."""

import math

import pytest
import torch
from torch import Tensor, nn

from ganapp.train.gan.losses import (
    attribute_loss,
    cross_entropy,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    noisy_targets,
)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


REAL, FAKE = torch.tensor([1.0, -0.5]), torch.tensor([0.25, 2.0])


def test_nonsaturating_losses_equal_the_papers_sums():
    expected = (softplus(0.25) + softplus(2.0)) / 2 + (softplus(-1.0) + softplus(0.5)) / 2
    assert discriminator_loss("nonsaturating", REAL, FAKE).item() == pytest.approx(expected)
    expected = (softplus(-0.25) + softplus(-2.0)) / 2
    assert generator_loss("nonsaturating", REAL, FAKE).item() == pytest.approx(expected)


def test_relativistic_losses_compare_each_real_with_its_fake():
    expected = (softplus(0.25 - 1.0) + softplus(2.0 + 0.5)) / 2
    assert discriminator_loss("relativistic", REAL, FAKE).item() == pytest.approx(expected)
    assert generator_loss("relativistic", REAL, FAKE).item() == pytest.approx(
        discriminator_loss("relativistic", FAKE, REAL).item()
    )


def test_a_relativistic_loss_does_not_see_a_shift_of_all_logits():
    before = discriminator_loss("relativistic", REAL, FAKE)
    assert discriminator_loss("relativistic", REAL + 7, FAKE + 7).item() == pytest.approx(before.item(), rel=1e-5)


def test_hinge_losses_equal_the_papers_sums_and_let_go_beyond_the_margin():
    assert discriminator_loss("hinge", REAL, FAKE).item() == pytest.approx((0 + 1.5) / 2 + (1.25 + 3.0) / 2)
    assert generator_loss("hinge", REAL, FAKE).item() == pytest.approx(-(0.25 + 2.0) / 2)
    assert discriminator_loss("hinge", torch.tensor([1.5]), torch.tensor([-2.0])).item() == 0


def test_cross_entropy_equals_its_definition_at_hard_and_soft_targets():
    for target in (0.0, 0.3, 1.0):
        p = [1 / (1 + math.exp(-x)) for x in FAKE.tolist()]
        expected = sum(-target * math.log(q) - (1 - target) * math.log(1 - q) for q in p) / 2
        assert cross_entropy(FAKE, target).item() == pytest.approx(expected, rel=1e-5)


def test_bce_with_hard_labels_is_the_nonsaturating_loss():
    assert discriminator_loss("bce", REAL, FAKE).item() == pytest.approx(
        discriminator_loss("nonsaturating", REAL, FAKE).item()
    )
    assert generator_loss("bce", REAL, FAKE) == generator_loss("nonsaturating", REAL, FAKE)


@pytest.mark.parametrize("smooth", [0.1, 0.4])
def test_smoothed_labels_are_best_met_by_a_logit_that_is_not_certain(smooth: float):
    """The loss of a real image is least at the log odds of its target, so D is never pushed to infinity."""
    logit = torch.tensor([0.0], requires_grad=True)
    best = math.log((1 - smooth) / smooth)
    with torch.no_grad():
        logit.fill_(best)
    (slope,) = torch.autograd.grad(discriminator_loss("bce", logit, torch.zeros(1), 1 - smooth, 0.0), logit)
    assert abs(slope.item()) < 1e-6


def test_noisy_labels_move_real_and_fake_by_the_same_alpha_and_are_taken_image_by_image():
    alpha = torch.tensor([0.0, 0.25])
    real, fake = noisy_targets(alpha)
    assert real.tolist() == [1.0, 0.75] and fake.tolist() == [0.0, 0.25]
    expected = sum(discriminator_loss("bce", REAL[i], FAKE[i], real[i], fake[i]).item() for i in range(2)) / 2
    assert discriminator_loss("bce", REAL, FAKE, real, fake).item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["relativistic", "nonsaturating", "hinge", "bce"])
def test_each_loss_falls_when_its_player_does_better(kind: str):
    assert discriminator_loss(kind, REAL + 0.4, FAKE) < discriminator_loss(kind, REAL, FAKE)
    assert generator_loss(kind, REAL, FAKE + 1) < generator_loss(kind, REAL, FAKE)


class Plane(nn.Module):
    """D(x) = slope * sum(x), whose gradient is `slope` at every value."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.slope * x.sum((1, 2, 3))


def test_the_penalty_of_a_plane_is_its_slope_squared_times_the_values_and_can_be_differentiated():
    D = Plane(0.5)
    penalty = gradient_penalty(D, torch.randn(3, 4, 2, 2), torch.zeros(3, 0))
    assert penalty.item() == pytest.approx(0.25 * 16)
    penalty.backward()
    assert D.slope.grad.item() == pytest.approx(2 * 0.5 * 16)


class Patches(Plane):
    """The same as four patches that each see all of it."""

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return super().forward(x, labels)[:, None].expand(-1, 4)


def test_the_penalty_does_not_grow_with_the_number_of_patches():
    x, labels = torch.randn(3, 4, 2, 2), torch.zeros(3, 0)
    assert gradient_penalty(Patches(0.5), x, labels).item() == pytest.approx(
        gradient_penalty(Plane(0.5), x, labels).item()
    )


def test_the_loss_of_attributes_is_the_mean_of_minus_the_log_of_what_is_right_over_the_known_ones():
    """Two attributes of two and three values; the second picture's second one is unknown."""
    logits = torch.tensor([[0.0, math.log(3), 0.0, 0.0, math.log(2)], [math.log(4), 0.0, 5.0, -5.0, 0.0]])
    labels = torch.tensor([[0.0, 1, 0, 0, 1], [0, 1, 0, 0, 0]])
    expected = -(math.log(3 / 4) + math.log(2 / 4) + math.log(1 / 5)) / 3
    assert attribute_loss(logits, labels, [2, 3]).item() == pytest.approx(expected)
    assert attribute_loss(logits, torch.zeros(2, 5), [2, 3]).item() == 0
