"""The optimiser of an upscaler's inner layers."""

import pytest
import torch
from torch import nn

from ganapp.train.upscaler.muon import RMS, Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 8), (6, 40), (40, 6)])
def test_all_directions_come_to_count_alike(shape: tuple[int, int]):
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(-1, 0, shape[1]))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.5 and values.max() < 1.3
    assert torch.allclose(orthogonal(matrix), orthogonal(5 * matrix), atol=1e-4)  # however large the gradient is


def test_an_update_has_the_size_that_the_learning_rate_says():
    torch.manual_seed(0)
    p = nn.Parameter(torch.zeros(8, 4, 3, 3))
    p.grad = torch.randn_like(p)
    Muon([p], lr=0.1).step()
    assert float(p.detach().square().mean().sqrt()) == pytest.approx(0.1 * RMS, rel=0.3)


def test_it_finds_the_bottom_of_a_bowl():
    torch.manual_seed(0)
    goal, p = torch.randn(6, 10), nn.Parameter(torch.zeros(6, 10))
    optimizer = Muon([p])
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.5 * (1 - step / 200)
        optimizer.zero_grad()
        (p - goal).square().sum().backward()
        optimizer.step()
    assert (p - goal).abs().max() < 0.05


def test_a_step_that_is_to_be_left_out_changes_neither_weight_nor_momentum():
    p = nn.Parameter(torch.ones(4, 4))
    optimizer = Muon([p])
    p.grad = torch.eye(4)
    optimizer.step()
    weight, momentum = p.detach().clone(), optimizer.state[p]["momentum"].clone()
    p.grad = torch.full((4, 4), torch.nan)
    optimizer.found_inf = torch.ones([])
    optimizer.step()
    assert torch.equal(p, weight) and torch.equal(optimizer.state[p]["momentum"], momentum)
    p.grad, optimizer.found_inf = torch.eye(4), torch.zeros([])
    optimizer.step()
    assert not torch.equal(p, weight)
