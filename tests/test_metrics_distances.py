import pytest
import torch
from torch import Tensor

from ganapp.metrics.distances import KID_SUBSET, frechet, kid, mean_pairwise, nearest, precision_recall


def normal(count: int, seed: int, size: int = 16) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_the_frechet_distance_of_a_set_from_itself_is_0():
    assert abs(frechet(normal(100, 0), normal(100, 0))) < 1e-6


def test_the_frechet_distance_of_shifted_gaussians_is_the_square_of_the_shift():
    shift = torch.linspace(-1, 2, 16)
    assert frechet(normal(100, 0), normal(100, 0) + shift) == pytest.approx(float(shift.square().sum()), rel=1e-5)


def test_the_frechet_distance_of_scaled_gaussians_is_that_of_their_standard_deviations():
    x = normal(5000, 0, size=4)
    x = x - x.mean(0)
    variance = torch.cov(x.T.double()).trace()
    assert frechet(x, 3 * x) == pytest.approx((3 - 1) ** 2 * float(variance), rel=1e-5)


def test_features_that_are_always_0_change_no_frechet_distance():
    a, b = normal(40, 0, size=60), normal(50, 1, size=60) + 0.3
    padded = [torch.cat([x, torch.zeros(len(x), 200)], 1) for x in (a, b)]  # now more features than pictures
    assert frechet(*padded) == pytest.approx(frechet(a, b), rel=1e-6)


def test_the_kernel_distance_is_about_0_for_one_distribution_and_positive_for_two():
    same, other = kid(normal(400, 0), normal(400, 1)), kid(normal(400, 0), normal(400, 1) + 0.5)
    assert abs(same) < 0.02
    assert other > 0.2


def test_the_kernel_distance_of_large_sets_is_the_mean_of_subsets_that_the_seed_draws():
    a, b = normal(KID_SUBSET + 200, 0, size=4), normal(KID_SUBSET + 300, 1, size=4) + 0.5
    first, other = kid(a, b), kid(a, b, seed=1)
    assert first != other
    assert first == pytest.approx(other, rel=0.1)


def test_the_precision_and_recall_of_a_set_against_itself_are_1():
    assert precision_recall(normal(100, 0), normal(100, 0)) == (1, 1)


def test_the_precision_and_recall_of_sets_far_apart_are_0():
    assert precision_recall(normal(100, 0), normal(100, 1) + 100) == (0, 0)


def test_precision_is_of_the_fakes_and_recall_of_the_reals():
    real = torch.cat([normal(100, 0), normal(100, 1) + 100])  # two modes, of which the fakes have one
    precision, recall = precision_recall(real, normal(100, 2), neighbours=5)
    assert precision > 0.8
    assert recall < 0.6


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_pictures_are_enough_for_every_distance(count: int):
    real, fake = normal(count, 0), normal(count + 1, 1)
    assert frechet(real, fake) > 0
    assert kid(real, fake) < 10
    assert all(0 <= share <= 1 for share in precision_recall(real, fake))
    assert mean_pairwise(fake) > 0


def test_a_single_picture_has_no_distance():
    for distance in (frechet, kid, precision_recall):
        with pytest.raises(ValueError, match="at least 2 pictures"):
            distance(normal(1, 0), normal(5, 1))
    with pytest.raises(ValueError, match="at least 2 pictures"):
        mean_pairwise(normal(1, 0))


def test_the_mean_distance_is_over_pairs_of_different_rows():
    assert mean_pairwise(torch.tensor([[0.0], [3.0], [6.0]])) == pytest.approx((3 + 3 + 6) / 3)
    assert mean_pairwise(torch.full((50, 8), 7.0)) == 0


def test_copies_are_found_at_distance_0_and_others_where_they_are():
    keys = normal(1500, 0) + 1000  # far from 0, where distances by products would be lost in rounding
    distances, index = nearest(keys[[7, 1400]], keys)
    assert index.tolist() == [7, 1400] and distances.tolist() == [0, 0]
    distances, index = nearest(keys[[7]] + torch.eye(16)[0] / 4, keys)
    assert index.tolist() == [7] and distances.item() == pytest.approx(0.25)
