"""Distances between two sets of features [N, F], by torch-fidelity's arithmetic in double precision."""

import torch
from torch import Tensor

from ganapp.metrics.fidelity import (
    KEY_METRIC_FID,
    KEY_METRIC_KID_MEAN,
    KEY_METRIC_PRECISION,
    KEY_METRIC_RECALL,
    fid_features_to_statistics,
    fid_statistics_to_metric,
    kid_features_to_metric,
    prc_features_to_metric,
)

KID_SUBSET = 1000  # at most; the sizes of small sets are the limit
KID_SUBSETS = 10


def frechet(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance between the Gaussians fitted to both (Heusel et al. 2017, arXiv:1706.08500, eq. 6).

    It shrinks as the sets grow, so only sets of the same sizes compare. Raises ValueError for sets of one picture.
    """
    _check(real, fake)
    sets = [real.double(), fake.double()]
    if len(real) + len(fake) < real.shape[1]:
        # Few pictures span few dimensions. Turned into these, distances stay, and eigenvalues take a fraction.
        basis = torch.linalg.qr(torch.cat(sets).T).Q  # [F, len(real) + len(fake)]
        sets = [x @ basis for x in sets]
    statistics = [fid_features_to_statistics(x) for x in sets]
    return fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]


def kid(real: Tensor, fake: Tensor, seed: int = 0) -> float:
    """Kernel distance, unbiased: about 0, maybe below, for sets of one distribution (arXiv:1801.01401, section 4).

    The mean over subsets drawn by `seed` where a set is larger than KID_SUBSET. Raises ValueError as `frechet`.
    """
    _check(real, fake)
    size = min(len(real), len(fake), KID_SUBSET)
    subsets = 1 if len(real) == len(fake) == size else KID_SUBSETS
    found = kid_features_to_metric(
        real.double(), fake.double(), kid_subset_size=size, kid_subsets=subsets, rng_seed=seed, verbose=False
    )
    return found[KEY_METRIC_KID_MEAN]


def precision_recall(real: Tensor, fake: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Shares 0-1: of fakes near to some real picture, and of reals near to some fake (arXiv:1904.06991, eq. 2).

    Near is what lies no farther than that picture's own neighbour of this rank, or the farthest it has.
    Raises ValueError as `frechet`.
    """
    _check(real, fake)
    rank = min(neighbours, len(real) - 1, len(fake) - 1)
    found = prc_features_to_metric(fake.double(), real.double(), prc_neighborhood=rank, verbose=False)
    return found[KEY_METRIC_PRECISION], found[KEY_METRIC_RECALL]


def mean_pairwise(features: Tensor) -> float:
    """The mean distance between two different rows: how much the set varies. Raises ValueError as `frechet`."""
    _check(features)
    x = features.double()
    distances = torch.cdist(x, x).fill_diagonal_(0)  # which rounding leaves above 0
    return float(distances.sum() / (len(x) * (len(x) - 1)))


def nearest(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """For each query the distance to the nearest key, float32 [N], and which it is, int64 [N]."""
    index = torch.cat([torch.cdist(part, keys).argmin(1) for part in queries.split(1000)])
    # cdist takes distances from products and rounds small ones; the nearest are worth their own subtraction.
    return (queries - keys[index]).norm(dim=1), index


def _check(*sets: Tensor) -> None:
    for features in sets:
        if len(features) < 2:
            raise ValueError(f"a distance needs at least 2 pictures on each side, not {len(features)}")
