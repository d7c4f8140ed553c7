"""The FastGAN networks: shapes, and the laws that their parts obey."""

import io
import warnings

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from ganapp.models.fastgan import Discriminator, FastGANConfig, Generator, SkipExcitation, quarter
from ganapp.models.layers import to_picture
from ganapp.train.gan.losses import gradient_penalty

NETWORK = FastGANConfig(z_dim=16, width=16, base=256)


def make(resolution: int = 32, channels: int = 4, num_labels: int = 4) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    shape = (resolution, channels, num_labels)
    return Generator(NETWORK, *shape).eval(), Discriminator(NETWORK, *shape)


def draw(G: Generator, count: int = 4, num_labels: int = 4) -> Tensor:
    torch.manual_seed(1)
    return G(torch.randn(count, 16), torch.zeros(count, num_labels), torch.zeros(count, 0))


@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256, 512])
def test_every_resolution_gives_images_of_its_size_logits_of_5x5_places_and_a_reconstruction(resolution: int):
    G, D = make(resolution)
    with torch.no_grad():
        x = draw(G)
        assert x.shape == (4, 4, resolution, resolution)
        logits, loss = D.reconstruct(x, torch.zeros(4, 4))
        assert logits.shape == (4, 25) and loss.shape == ()
        assert torch.equal(D(x, torch.zeros(4, 4)), logits)


def test_colours_never_exceed_alpha():
    G, _ = make()
    with torch.no_grad():
        G.to_rgb.bias[3] = -2.0  # mostly clear, where the law binds
        x = draw(G, count=16)
    assert (x[:, :3] <= x[:, 3:] + 1e-6).all()


def test_rgb_images_have_no_alpha_and_unlabelled_networks_no_embedding():
    G, D = make(channels=3, num_labels=0)
    x = draw(G, num_labels=0)
    assert x.shape == (4, 3, 32, 32)
    assert D(x, torch.zeros(4, 0)).shape == (4, 25)
    assert G.embed is None and D.embed is None


def test_both_networks_hear_the_labels_and_the_generator_its_latents():
    G, D = make()
    z, noise = torch.randn(4, 16), torch.zeros(4, 0)
    x = G(z, torch.zeros(4, 4), noise)
    assert not torch.allclose(G(z, torch.eye(4), noise), x)
    assert not torch.allclose(G(z.flip(0), torch.zeros(4, 4), noise), x)
    assert not torch.allclose(D(x, torch.eye(4)), D(x, torch.zeros(4, 4)))


def test_neither_images_nor_logits_depend_on_the_others_of_their_batch():
    G, D = make()
    G.train()
    z, labels = torch.randn(4, 16), torch.eye(4)
    x = G(z, labels, torch.zeros(4, 0))
    assert torch.allclose(G(z[2:3], labels[2:3], torch.zeros(1, 0)), x[2:3], atol=1e-5)
    assert torch.allclose(D(x[2:3], labels[2:3]), D(x, labels)[2:3], atol=1e-4)


@pytest.mark.parametrize(
    ("resolution", "pairs"),
    [
        (32, {16: 4, 32: 8}),
        (64, {32: 4, 64: 8}),
        (256, {64: 4, 128: 8, 256: 16}),
        (512, {64: 4, 128: 8, 256: 16, 512: 32}),
    ],
)
def test_small_maps_gate_large_ones_and_from_256_px_on_those_of_the_paper(resolution: int, pairs: dict[int, int]):
    G, _ = make(resolution)
    assert G.gated_by == pairs
    assert set(G.skips) == {str(high) for high in pairs}


def test_a_small_map_scales_the_channels_of_a_large_one_by_shares_that_depend_on_it_alone():
    torch.manual_seed(0)
    skip = SkipExcitation(3, 5)
    low, high = torch.randn(2, 3, 8, 8), torch.randn(2, 5, 32, 32)
    y = skip(low, high)
    gates = (y / high).mean((2, 3), keepdim=True)
    assert torch.allclose(y, high * gates, atol=1e-5)  # one share for a whole channel
    assert ((gates > 0) & (gates < 1)).all()
    assert torch.allclose(skip(low, high * 3 - 1), (high * 3 - 1) * gates, atol=1e-5)
    assert not torch.allclose(skip(low.flip(0), high), y, atol=1e-2)


def test_a_closed_gate_silences_its_side():
    G, _ = make()
    assert draw(G).std((2, 3)).min() > 1e-3
    with torch.no_grad():
        G.skips["32"].out.bias.fill_(-100.0)
        assert draw(G).std((2, 3)).max() < 1e-6  # nothing is left but the bias of the last convolution


def test_the_four_pictures_of_a_turn_give_each_another_quarter():
    x = torch.arange(16.0).view(1, 1, 4, 4).expand(5, 1, 4, 4)
    corners = quarter(x)[:, 0, 0, 0]
    assert corners.tolist() == [0.0, 2.0, 8.0, 10.0, 0.0]
    assert quarter(x)[1].flatten().tolist() == [2.0, 3.0, 6.0, 7.0]


def test_the_discriminator_learns_to_redraw_pictures_from_its_features():
    _, D = make()
    x = torch.zeros(4, 4, 32, 32) - 1
    for i in range(4):
        x[i, i % 3 :: 3, 4 * i : 4 * i + 16, 8:24] = 1
    opt = torch.optim.Adam(D.parameters(), 5e-3)
    before = D.reconstruct(x, torch.zeros(4, 4))[1]
    for _ in range(60):
        opt.zero_grad()
        D.reconstruct(x, torch.zeros(4, 4))[1].backward()
        opt.step()
    assert D.reconstruct(x, torch.zeros(4, 4))[1] < before / 2
    assert D.stem.weight.grad.abs().max() > 0  # the encoder learns, not its decoders alone


def test_training_in_bf16_with_a_penalty_stays_finite():
    G, D = make()
    with torch.autocast("cpu", torch.bfloat16):
        x = draw(G.train()).contiguous(memory_format=torch.channels_last)
        labels = torch.eye(4)
        logits, loss = D.reconstruct(x, labels)
        (logits.sum() + loss + gradient_penalty(D, x, labels)).backward()
    assert x.dtype == logits.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in (*G.parameters(), *D.parameters()))


class Picture(nn.Module):
    """The generator as it is exported: without the noise that it does not have."""

    def __init__(self, G: Generator):
        super().__init__()
        self.G = G

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return to_picture(self.G.logits(z, labels))


@pytest.mark.slow
def test_onnx_runtime_makes_the_same_images_for_any_batch():
    G, _ = make()
    batch = torch.export.Dim("N", min=1, max=64)
    inputs = {"z": torch.randn(2, 16), "labels": torch.zeros(2, 4)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            Picture(G).eval(), kwargs=inputs, dynamo=True, dynamic_shapes={k: {0: batch} for k in inputs},
            input_names=list(inputs), opset_version=20, verbose=False,
        )  # fmt: skip
    file = io.BytesIO()
    program.save(file)
    session = ort.InferenceSession(file.getvalue())
    z, labels = torch.randn(3, 16), torch.eye(4)[:3]
    (x,) = session.run(None, {"z": z.numpy(), "labels": labels.numpy()})
    with torch.no_grad():
        assert np.abs(x - G(z, labels, torch.zeros(3, 0)).numpy()).max() < 1e-3
