"""The network of the cleanup: laws that hold for any weights."""

import pytest
import torch
import torch.nn.functional as F

from ganapp.models.carn import CARN, CARNConfig


def tiny(scale: int = 2, **shape: int) -> CARN:
    torch.manual_seed(0)
    net = CARN(CARNConfig(scale=scale, width=8, **shape))
    torch.nn.init.normal_(net.tail.weight, std=0.1)
    return net


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 9)])
def test_pictures_of_any_size_come_out_scaled(scale: int, size: tuple[int, int]):
    height, width = size
    assert tiny(scale)(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)


def test_an_untrained_network_is_a_bilinear_enlargement():
    x = torch.rand(1, 3, 7, 9)
    expected = F.interpolate(x, scale_factor=2.0, mode="bilinear")
    assert torch.equal(CARN(CARNConfig(width=8))(x), expected)


@pytest.mark.parametrize("blocks, units", [(1, 1), (2, 1), (1, 3)])
def test_an_output_depends_on_inputs_as_far_as_the_radius_and_no_farther(blocks: int, units: int):
    cfg = CARNConfig(width=8, blocks=blocks, units=units)
    net, R = tiny(blocks=blocks, units=units), cfg.receptive_radius
    x = torch.rand(1, 3, 2 * R + 7, 2 * R + 7, requires_grad=True)
    middle = R + 3
    net(x)[0, :, 2 * middle : 2 * middle + 2, 2 * middle : 2 * middle + 2].sum().backward()
    rows = (x.grad[0].abs().sum((0, 2)) > 0).nonzero().flatten()
    assert (rows.min(), rows.max()) == (middle - R, middle + R)


def test_the_shipped_shape_has_the_radius_that_its_tiles_overlap_by():
    assert CARNConfig().receptive_radius == 20


def test_cascades_begin_by_passing_on_the_newest_features():
    net = CARN(CARNConfig(width=8, blocks=1, units=2))
    block = net.trunk.stages[0]
    x = torch.rand(1, 8, 6, 6)
    assert torch.allclose(block(x), block.stages[1](block.stages[0](x)), atol=1e-6)


@pytest.mark.parametrize("wrong", [{"scale": 3}, {"width": 0}])
def test_an_impossible_shape_is_refused_by_name(wrong: dict):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CARNConfig(**wrong)
