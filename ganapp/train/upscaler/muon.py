"""Muon: momentum whose every direction counts alike, for the inner convolutions of a network."""

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
RMS = 0.2  # of an update at a learning rate of 1, about as in Adam, so that one scale of rates suits both


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal, for weights of two and more dimensions.

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". A convolution counts as the
    matrix [c_out, c_in * kernel]. The size of an update is that of Liu et al. 2025, arXiv:2502.16982, eq. 4.
    A step changes nothing while the tensor `found_inf` is not 0, as in fused Adam.
    """

    found_inf: Tensor | None = None

    def __init__(self, parameters: list[nn.Parameter], lr: float = 1e-3):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
                momentum = self.state[p]["momentum"]
                new = MOMENTUM * momentum + p.grad
                update = orthogonal((p.grad + MOMENTUM * new).flatten(1))  # Nesterov's
                moved = p - (group["lr"] * RMS * max(update.shape) ** 0.5 * update).view_as(p)
                put(p, moved, self.found_inf)
                put(momentum, new, self.found_inf)


def put(old: Tensor, new: Tensor, unless: Tensor | None) -> None:
    """Copy `new` over `old` unless the 0-d tensor `unless` is not 0, which the host need not wait to know."""
    old.copy_(new if unless is None else torch.where(unless == 0, new, old))


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """The matrix [m, n] with its singular values brought near 1 by Newton-Schulz steps of degree five."""
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T, steps).T
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x
