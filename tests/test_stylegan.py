"""The StyleGAN networks: shapes, the laws that their parts obey, and growth."""

import io
import warnings
from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor

from ganapp.models.stylegan import AdaIN, Discriminator, Generator, StyleGANConfig
from ganapp.train.gan.losses import discriminator_loss, generator_loss, gradient_penalty

NETWORK = StyleGANConfig(z_dim=16, w_dim=16, mapping_layers=2, width=16, base=256, stable_kimg=2.0, fade_kimg=1.0)
STABLE_8, FADE_16, STABLE_16, FADE_32 = 1000, 2500, 4000, 5250  # images seen, in each stage up to 32 px


def make(resolution: int = 32, channels: int = 4, num_labels: int = 4) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    shape = (resolution, channels, num_labels)
    return Generator(NETWORK, *shape).eval(), Discriminator(NETWORK, *shape)


def draw(G: Generator, count: int = 4, num_labels: int = 4) -> Tensor:
    torch.manual_seed(1)
    return G(torch.randn(count, 16), torch.zeros(count, num_labels), torch.randn(count, G.noise_dim))


def used(network: torch.nn.Module) -> set[str]:
    return {name for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256, 512])
def test_every_resolution_gives_images_of_its_size_and_one_logit_each_at_every_level(resolution: int):
    G, D = make(resolution)
    with torch.no_grad():
        for seen in (0, FADE_16, 10**6):
            G.grow(seen), D.grow(seen)
            x = draw(G, count=2)
            assert x.shape == (2, 4, resolution, resolution)
            assert D(x, torch.zeros(2, 4)).shape == (2,)


def test_colours_never_exceed_alpha():
    G, _ = make()
    for seen in (STABLE_8, FADE_16, 10**6):
        G.grow(seen)
        with torch.no_grad():
            for to_rgb in G.synthesis.to_rgb.values():
                to_rgb.bias[3] = -2.0  # mostly clear, where the law binds
            x = draw(G)
        assert (x[:, :3] <= x[:, 3:] + 1e-6).all()


def test_rgb_images_have_no_alpha_and_unlabelled_networks_no_embedding():
    G, D = make(channels=3, num_labels=0)
    x = draw(G, num_labels=0)
    assert x.shape == (4, 3, 32, 32)
    assert D(x, torch.zeros(4, 0)).shape == (4,)
    assert G.mapping.embed is None and D.embed is None


def test_both_networks_hear_the_labels_and_the_generator_its_latents():
    G, D = make()
    z, noise = torch.randn(4, 16), torch.zeros(4, G.noise_dim)
    x = G(z, torch.zeros(4, 4), noise)
    assert not torch.allclose(G(z, torch.eye(4), noise), x)
    assert not torch.allclose(G(z.flip(0), torch.zeros(4, 4), noise), x)
    assert not torch.allclose(D(x, torch.eye(4)), D(x, torch.zeros(4, 4)))


def test_adain_gives_each_channel_the_mean_and_deviation_of_its_style():
    torch.manual_seed(0)
    adain = AdaIN(5, w_dim=4)
    x, w = torch.randn(2, 5, 8, 8) * 3 + 7, torch.randn(2, 4)
    y = adain(x, w)
    assert torch.allclose(y.mean((2, 3)), adain.shift(w), atol=1e-4)
    assert torch.allclose(y.std((2, 3), unbiased=False), adain.scale(w).abs(), rtol=1e-3)


def test_adain_keeps_its_statistics_on_the_smallest_maps_in_bf16():
    torch.manual_seed(0)
    adain = AdaIN(5, w_dim=4)
    x, w = (torch.randn(4, 5, 4, 4) + 2).bfloat16(), torch.randn(4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        y = adain(x, w)
    assert y.dtype == torch.bfloat16
    assert torch.allclose(y.float(), adain(x.float(), w), atol=0.05)


def test_each_style_layer_changes_the_image():
    G, _ = make()
    ws, noise = torch.randn(1, G.num_ws, 16), torch.zeros(1, G.noise_dim)
    with torch.no_grad():
        before = G.synthesis(ws, noise)
        for layer in range(G.num_ws):
            other = ws.clone()
            other[:, layer] += 1
            assert (G.synthesis(other, noise) - before).abs().max() > 1e-4, layer


def test_noise_starts_without_effect_and_each_layer_can_let_it_in():
    G, _ = make()
    ws, noise = torch.randn(1, G.num_ws, 16), torch.randn(1, G.noise_dim)
    with torch.no_grad():
        before = G.synthesis(ws, torch.zeros(1, G.noise_dim))
        assert torch.equal(G.synthesis(ws, noise), before)
        for epilogue in G.synthesis.epilogues:
            epilogue.noise_strength.fill_(1.0)
            assert (G.synthesis(ws, noise) - before).abs().max() > 1e-4
            epilogue.noise_strength.fill_(0.0)


def test_the_level_rises_from_the_start_to_the_resolution_and_never_falls():
    levels = [NETWORK.level(seen, 32) for seen in range(0, 8000, 50)]
    assert levels == sorted(levels)
    assert levels[0] == 3.0 and levels[-1] == 5.0
    stages = (STABLE_8, FADE_16, STABLE_16, FADE_32)
    assert [NETWORK.level(seen, 32) for seen in stages] == pytest.approx([3.0, 3.5, 4.0, 4.25])
    assert NETWORK.level(0, 16) == 3.0 and NETWORK.level(10**9, 16) == 4.0


def test_a_schedule_that_cannot_be_is_refused():
    for wrong in ({"start": 4}, {"start": 12}, {"fade_kimg": 0.0}, {"stable_kimg": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            replace(NETWORK, **wrong)


def test_fresh_networks_are_fully_grown():
    G, D = make()
    x = draw(G)
    logits = D(x, torch.zeros(4, 4))
    G.grow(10**9), D.grow(10**9)
    assert torch.equal(draw(G), x)
    assert torch.equal(D(x, torch.zeros(4, 4)), logits)


@pytest.mark.parametrize("boundary", [2000, 3000, 5000, 6000])
def test_no_stage_begins_or_ends_with_a_jump(boundary: int):
    G, D = make()
    real = torch.rand(4, 4, 32, 32) * 2 - 1
    with torch.no_grad():
        sides = []
        for seen in (boundary - 1, boundary + 1):
            G.grow(seen), D.grow(seen)
            sides.append((draw(G), G.resample(real), D(real, torch.zeros(4, 4))))
    for before, after in zip(*sides, strict=True):
        assert torch.allclose(before, after, atol=0.02)


def test_a_side_that_has_not_begun_to_fade_in_has_no_influence():
    G, D = make()
    G.grow(2000), D.grow(2000)
    real = torch.rand(4, 4, 32, 32) * 2 - 1
    before = draw(G), D(real, torch.zeros(4, 4))
    with torch.no_grad():
        G.synthesis.to_rgb["16"].weight.zero_(), D.stems["16"].weight.zero_(), D.blocks["8"].conv1.weight.zero_()
    assert torch.equal(draw(G), before[0])
    assert torch.equal(D(real, torch.zeros(4, 4)), before[1])
    G.grow(2001), D.grow(2001)
    assert not torch.equal(draw(G), before[0])
    assert not torch.equal(D(real, torch.zeros(4, 4)), before[1])


def test_resampling_twice_equals_once_and_leaves_pictures_alone_at_the_full_level():
    G, _ = make()
    real = torch.rand(4, 4, 32, 32) * 2 - 1
    assert torch.equal(G.resample(real), real)
    for seen in (STABLE_8, STABLE_16):
        G.grow(seen)
        once = G.resample(real)
        assert once.shape == real.shape and not torch.allclose(once, real)
        assert torch.allclose(G.resample(once), once, atol=1e-6)


def test_the_discriminator_judges_what_resampling_leaves_and_nothing_finer():
    G, D = make()
    real = torch.rand(4, 4, 32, 32) * 2 - 1
    for seen in (STABLE_8, STABLE_16):
        G.grow(seen), D.grow(seen)
        assert torch.allclose(D(real, torch.zeros(4, 4)), D(G.resample(real), torch.zeros(4, 4)), atol=1e-5)


def test_small_levels_train_small_layers_only():
    G, D = make()
    G.grow(STABLE_8), D.grow(STABLE_8)
    D(draw(G), torch.zeros(4, 4)).sum().backward()
    young = used(G), used(D)
    G.grow(10**6), D.grow(10**6)
    G.zero_grad(), D.zero_grad()
    D(draw(G), torch.zeros(4, 4)).sum().backward()
    grown = used(G), used(D)
    assert not {n for n in young[0] if "rgb.16" in n or "rgb.32" in n or n.startswith("synthesis.convs.3")}
    assert not {n for n in young[1] if n.startswith(("stems.16", "stems.32", "blocks"))}
    assert len(young[0]) < len(grown[0]) and len(young[1]) < len(grown[1])
    assert "synthesis.to_rgb.8.weight" in young[0] and "stems.8.weight" in young[1]


@pytest.mark.parametrize("seen", [STABLE_8, FADE_16, 10**6])
def test_training_in_bf16_with_a_penalty_stays_finite_at_every_level(seen: int):
    G, D = make()
    G.grow(seen), D.grow(seen)
    with torch.autocast("cpu", torch.bfloat16):
        x = draw(G.train()).contiguous(memory_format=torch.channels_last)
        labels = torch.eye(4)
        (D(x, labels).sum() + gradient_penalty(D, x, labels)).backward()
    assert x.dtype == torch.float32
    grads = [p.grad for p in (*G.parameters(), *D.parameters()) if p.grad is not None]
    assert all(g.isfinite().all() for g in grads)
    assert D.fc.weight.grad.abs().max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("seen", [FADE_16, 10**6])
def test_onnx_runtime_makes_the_same_images_for_any_batch(seen: int):
    G, _ = make(16)
    G.grow(seen)
    batch = torch.export.Dim("N", min=1, max=64)
    inputs = {"z": torch.randn(2, 16), "labels": torch.zeros(2, 4), "noise": torch.randn(2, G.noise_dim)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            G, kwargs=inputs, dynamo=True, dynamic_shapes={k: {0: batch} for k in inputs},
            input_names=list(inputs), opset_version=20, verbose=False,
        )  # fmt: skip
    file = io.BytesIO()
    program.save(file)
    session = ort.InferenceSession(file.getvalue())
    fed = {"z": torch.randn(3, 16), "labels": torch.eye(4)[:3], "noise": torch.randn(3, G.noise_dim)}
    (x,) = session.run(None, {k: v.numpy() for k, v in fed.items()})
    with torch.no_grad():
        assert np.abs(x - G(**fed).numpy()).max() < 1e-3


@pytest.mark.slow
def test_it_learns_four_pictures_while_it_grows():
    torch.manual_seed(0)
    network = replace(NETWORK, width=32, base=512, stable_kimg=0.4, fade_kimg=0.4)
    G, D = Generator(network, 16, 4, 0), Discriminator(network, 16, 4, 0)
    opt_G, opt_D = (torch.optim.Adam(net.parameters(), 2e-3, (0.0, 0.99)) for net in (G, D))
    real = torch.full((4, 4, 16, 16), -1.0)
    for i, colour in enumerate(([1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1])):
        real[i, 3, 2 + 2 * i : 10 + i, 3 : 13 - 2 * i] = 1
        real[i, :3, 2 + 2 * i : 10 + i, 3 : 13 - 2 * i] = torch.tensor(colour).float()[:, None, None]
    labels = torch.zeros(16, 0)

    def fakes() -> Tensor:
        return G(torch.randn(16, 16), labels, torch.randn(16, G.noise_dim))

    def distance() -> float:
        with torch.no_grad():
            return torch.cdist(fakes().flatten(1), real.flatten(1)).min(1).values.mean().item()

    before = distance()
    for step in range(150):
        G.grow(step * 16), D.grow(step * 16)
        x, fake = G.resample(real.repeat(4, 1, 1, 1)), fakes()
        loss = discriminator_loss("relativistic", D(x, labels), D(fake.detach(), labels))
        if step % 4 == 0:
            loss = loss + 2 * (gradient_penalty(D, x, labels) + gradient_penalty(D, fake, labels))
        opt_D.zero_grad(), loss.backward(), opt_D.step()
        loss = generator_loss("relativistic", D(x, labels).detach(), D(fake, labels))
        opt_G.zero_grad(), loss.backward(), opt_G.step()
    assert distance() < before / 2
