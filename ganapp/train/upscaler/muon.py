"""Muon: momentum whose every direction counts alike, for the inner convolutions of a network."""

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
RMS = 0.2  # of an update at a learning rate of 1, as Adam's updates have: one scale for both


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal, for weights of two and more dimensions.

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". A convolution counts as the
    matrix [c_out, c_in * kernel]. The size of an update is that of Liu et al. 2025, arXiv:2502.16982, eq. 4.
    """

    def __init__(self, parameters: list[nn.Parameter], lr: float = 1e-3):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
                momentum = self.state[p]["momentum"].mul_(MOMENTUM).add_(p.grad)
                update = orthogonal((p.grad + MOMENTUM * momentum).flatten(1))  # Nesterov's
                p.sub_((group["lr"] * RMS * max(update.shape) ** 0.5 * update).view_as(p))


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """The matrix [m, n] with its singular values brought near 1 by Newton-Schulz steps of degree five."""
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T, steps).T
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x
