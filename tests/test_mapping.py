"""Truncation: towards the mean style of the labels that are chosen."""

import pytest
import torch

from ganapp.models.mapping import MEAN_OF, Mapping, mean_latents, mean_style, truncated

LABELS = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]])
LATENTS = mean_latents(16)


@pytest.fixture(scope="module")
def mapping() -> Mapping:
    torch.manual_seed(0)
    return Mapping(16, 16, 2, 0.1, 4).requires_grad_(False)


def styles(mapping: Mapping, labels: torch.Tensor, count: int) -> torch.Tensor:
    z = torch.randn(count, 16, generator=torch.Generator().manual_seed(1))
    return mapping(z, labels.expand(count, -1))


def test_at_psi_0_a_style_is_the_mean_of_the_styles_of_its_labels(mapping: Mapping):
    z = torch.randn(3, 16)
    found = truncated(mapping, z, LABELS, torch.zeros(3), LATENTS)
    for w, labels in zip(found, LABELS, strict=True):
        many = styles(mapping, labels, 20_000)
        spread = (many - many.mean(0)).norm(dim=1).mean()
        assert (w - many.mean(0)).norm() < 0.12 * spread
        assert (w - styles(mapping, LABELS[0] + LABELS[1], 20_000).mean(0)).norm() > 0.3 * spread


def test_at_psi_a_half_a_style_is_half_as_far_from_the_mean_of_its_labels(mapping: Mapping):
    z = torch.randn(3, 16)
    psi = torch.tensor([0.5, -1.0, 1.0])
    away = truncated(mapping, z, LABELS, psi, LATENTS) - mean_style(mapping, LABELS, LATENTS)
    whole = mapping(z, LABELS) - mean_style(mapping, LABELS, LATENTS)
    assert torch.allclose(away, psi[:, None] * whole, atol=1e-5)
    assert torch.allclose(truncated(mapping, z, LABELS, torch.ones(3), LATENTS), mapping(z, LABELS), atol=1e-5)


def test_without_labels_the_mean_is_the_one_that_training_tracked():
    mapping = Mapping(16, 16, 2, 0.1, 0).requires_grad_(False)
    mapping.w_avg.copy_(torch.arange(16.0))
    w = truncated(mapping, torch.randn(3, 16), torch.zeros(3, 0), torch.zeros(3), LATENTS)
    assert torch.equal(w, mapping.w_avg.expand(3, -1))


def test_the_mean_of_opposites_is_nearer_than_that_of_as_many_others(mapping: Mapping):
    assert torch.equal(LATENTS[: MEAN_OF // 2], -LATENTS[MEAN_OF // 2 :])
    true = styles(mapping, LABELS[1], 50_000).mean(0)
    apart = [
        (mean_style(mapping, LABELS[1:2], z) - true).norm()
        for z in (LATENTS, torch.randn(MEAN_OF, 16, generator=torch.Generator().manual_seed(2)))
    ]
    assert apart[0] < apart[1]
