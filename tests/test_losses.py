"""Objectives against their closed forms."""

import math

import pytest
import torch
from torch import Tensor, nn

from ganapp.train.losses import discriminator_loss, generator_loss, gradient_penalty


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


@pytest.mark.parametrize("kind", ["relativistic", "nonsaturating"])
def test_each_loss_falls_when_its_player_does_better(kind: str):
    assert discriminator_loss(kind, REAL + 1, FAKE) < discriminator_loss(kind, REAL, FAKE)
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
