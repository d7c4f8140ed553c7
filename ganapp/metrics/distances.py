"""Distances between two sets of features [N, F], in double precision."""

import torch
from torch import Tensor

KID_SUBSET = 1000  # pictures at most, and never more than the smaller set has
KID_SUBSETS = 10


def frechet(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance between the Gaussians fitted to both (Heusel et al. 2017, arXiv:1706.08500, eq. 6).

    It shrinks as the sets grow, so only sets of the same sizes compare. Raises ValueError for sets of one picture.
    """
    _check(real, fake)
    sets = [real.double(), fake.double()]
    if len(real) + len(fake) < real.shape[1]:
        # Few pictures span few dimensions. Projected onto these, distances stay, and eigenvalues take a fraction of the
        # time.
        basis = torch.linalg.qr(torch.cat(sets).T).Q  # [F, len(real) + len(fake)]
        sets = [x @ basis for x in sets]
    (mean, covariance), (other_mean, other_covariance) = ((x.mean(0), torch.cov(x.T)) for x in sets)
    # The trace of the root of a product is the sum of the roots of its eigenvalues, which are 0 or more.
    roots = torch.linalg.eigvals(covariance @ other_covariance).real.clamp(min=0).sqrt().sum()
    shift = (mean - other_mean).square().sum()
    return float(shift + covariance.trace() + other_covariance.trace() - 2 * roots)


def kid(real: Tensor, fake: Tensor, seed: int = 0) -> float:
    """Kernel distance, unbiased: about 0, maybe below, for sets of one distribution (arXiv:1801.01401, section 4).

    Where the sets differ in size or have more than KID_SUBSET pictures, it is the mean over subsets drawn by `seed`.
    Raises ValueError as `frechet`.
    """
    _check(real, fake)
    size = min(len(real), len(fake), KID_SUBSET)
    if len(real) == len(fake) == size:
        return _discrepancy(real.double(), fake.double())
    random = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(KID_SUBSETS):
        parts = (x[torch.randperm(len(x), generator=random)[:size].to(x.device)].double() for x in (real, fake))
        found.append(_discrepancy(*parts))
    return sum(found) / len(found)


def _discrepancy(x: Tensor, y: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy of x and y [N, F] under the kernel (x . y / F + 1) ** 3."""
    count = len(x)
    within = [(a @ a.T / a.shape[1] + 1) ** 3 for a in (x, y)]
    pairs = sum((kernel.sum() - kernel.trace()) / (count * (count - 1)) for kernel in within)
    return float(pairs - 2 * ((x @ y.T / x.shape[1] + 1) ** 3).mean())


def precision_recall(real: Tensor, fake: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Shares 0-1: of fakes near to some real picture, and of reals near to some fake (arXiv:1904.06991, eq. 2).

    A picture is near to another if it is no farther away than the other's own neighbour of rank `neighbours`, or than
    its farthest one if there are fewer.
    Raises ValueError as `frechet`.
    """
    _check(real, fake)
    rank = min(neighbours, len(real) - 1, len(fake) - 1)
    real, fake = real.double(), fake.double()
    across = torch.cdist(real, fake)
    # The nearest to each picture is the picture itself.
    reach, other_reach = (torch.cdist(x, x).kthvalue(rank + 1, dim=1).values for x in (real, fake))
    precision = (across <= reach[:, None]).any(0).double().mean()
    recall = (across <= other_reach[None]).any(1).double().mean()
    return float(precision), float(recall)


def mean_pairwise(features: Tensor) -> float:
    """The mean distance between two different rows: how much the set varies. Raises ValueError as `frechet`."""
    _check(features)
    x = features.double()
    distances = torch.cdist(x, x).fill_diagonal_(0)  # which rounding leaves above 0
    return float(distances.sum() / (len(x) * (len(x) - 1)))


def nearest(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """For each query the distance to the nearest key, float32 [N], and which it is, int64 [N]."""
    index = torch.cat([torch.cdist(part, keys).argmin(1) for part in queries.split(1000)])
    # cdist takes distances from products and rounds small ones, so the nearest are subtracted exactly.
    return (queries - keys[index]).norm(dim=1), index


def _check(*sets: Tensor) -> None:
    for features in sets:
        if len(features) < 2:
            raise ValueError(f"a distance needs at least 2 pictures on each side, not {len(features)}")
