"""Labels as networks get them in training: some of them hidden, so that a request may leave them open."""

from functools import lru_cache

import torch
from torch import Tensor

from ganapp.train.parallel import Draws

ALL_HIDDEN = 1 / 3  # share of the label-dropped images that lose every attribute


def drop_labels(labels: Tensor, sizes: list[int], share: float, draws: Draws) -> Tensor:
    """`labels` [N, num_labels] with the blocks (of `sizes`) of some attributes zeroed, which reads as "any".

    In a `share` of the rows each attribute is hidden with a chance that is drawn for the row. A further
    `share` * ALL_HIDDEN / (1 - ALL_HIDDEN) of the rows loses all attributes, like a request that chooses none.
    """
    if not sizes or not share:
        return labels
    N, device = len(labels), labels.device
    kind, chance = draws.uniform(N, 1), draws.uniform(N, 1)
    hide = draws.uniform(N, len(sizes)) < chance
    partly = kind < share
    all_of_them = (kind >= share) & (kind < share / (1 - ALL_HIDDEN))
    keep = ~((hide & partly) | all_of_them)  # [N, len(sizes)]
    return labels * keep[:, attribute_of(tuple(sizes), device)]


@lru_cache(maxsize=4)
def attribute_of(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """int64 [num_labels]: the attribute that each label is a value of, kept because making it holds up a GPU."""
    return torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)).to(device)
