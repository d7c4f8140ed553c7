"""The DCGAN networks: shapes, sizes from the paper, and what batch norm may and may not do."""

import pytest
import torch

from ganapp.models.dcgan import DCGANConfig, Discriminator, Generator

SMALL = DCGANConfig(z_dim=16, width=8, max_width=16)


def latents(N: int, num_labels: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(N, 16), torch.eye(4)[torch.arange(N) % 4][:, :num_labels], torch.zeros(N, 0)


@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256])
@pytest.mark.parametrize("channels", [3, 4])
def test_every_resolution_gives_images_of_its_size_and_one_logit_each(resolution: int, channels: int):
    G, D = Generator(SMALL, resolution, channels, 4), Discriminator(SMALL, resolution, channels, 4)
    with torch.no_grad():
        x = G(*latents(4))
        assert x.shape == (4, channels, resolution, resolution)
        assert D(x, torch.zeros(4, 4)).shape == (4,)


def test_the_classic_widths_at_64_pixels_are_those_of_the_paper():
    G = Generator(DCGANConfig(), 64, 3, 0)
    widths = [layer.out_channels for layer in G.layers if isinstance(layer, torch.nn.ConvTranspose2d)]
    assert widths == [512, 256, 128, 64, 3]


@pytest.mark.parametrize("depth", [1, 3])
def test_depth_adds_layers_that_keep_the_side(depth: int):
    cfg = DCGANConfig(z_dim=16, width=8, max_width=16, depth=depth)
    G, D = Generator(cfg, 32, 4, 0), Discriminator(cfg, 32, 4, 0)
    same = [layer for layer in G.layers if type(layer) is torch.nn.Conv2d]
    assert len(same) == (depth - 1) * 3
    assert D(G(*latents(4, 0)), torch.zeros(4, 0)).shape == (4,)


def test_colours_never_exceed_alpha():
    G = Generator(SMALL, 16, 4, 4)
    with torch.no_grad():
        G.layers[-1].bias[3] = -2.0
        x = G(*latents(8))
    assert (x[:, :3] <= x[:, 3:] + 1e-6).all()


def test_both_networks_hear_the_labels():
    G, D = Generator(SMALL, 16, 4, 4).eval(), Discriminator(SMALL, 16, 4, 4)
    z, labels, noise = latents(4)
    with torch.no_grad():
        assert not torch.allclose(G(z, labels, noise), G(z, labels.flip(1), noise))
        x = torch.randn(4, 4, 16, 16)
        assert not torch.allclose(D(x, labels), D(x, labels.flip(1)))


def test_an_image_shown_does_not_depend_on_its_batch():
    G = Generator(SMALL, 16, 4, 4)
    G(*latents(8))  # gives batch norm some statistics
    G.eval()
    z, labels, noise = latents(8)
    with torch.no_grad():
        assert torch.allclose(G(z, labels, noise)[2:3], G(z[2:3], labels[2:3], noise[2:3]), atol=1e-6)


def test_judging_leaves_no_trace_in_the_discriminator():
    """Batch norm keeps no running statistics there, so that a look at held-out images changes nothing."""
    D = Discriminator(SMALL, 16, 4, 0)
    before = {name: value.clone() for name, value in D.state_dict().items()}
    D(torch.randn(8, 4, 16, 16), torch.zeros(8, 0))
    assert all(torch.equal(value, before[name]) for name, value in D.state_dict().items())


def test_dropout_acts_in_training_and_the_penalty_can_still_be_differentiated():
    D = Discriminator(DCGANConfig(width=8, max_width=16, dropout=0.5), 16, 4, 0)
    x, labels = torch.randn(4, 4, 16, 16, requires_grad=True), torch.zeros(4, 0)
    assert not torch.equal(D(x, labels), D(x, labels))
    (gradient,) = torch.autograd.grad(D(x, labels).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert D.layers[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"depth": 0}, {"width": 0}])
def test_sizes_that_cannot_be_are_refused(wrong: dict):
    with pytest.raises(ValueError):
        DCGANConfig(**wrong)
