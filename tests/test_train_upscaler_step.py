"""One step of an upscaler's training against its formulas."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_train_upscaler import TINY
from torch import Tensor

from ganapp.data.patches import Pairs
from ganapp.train.upscaler.config import UpscalerConfig
from ganapp.train.upscaler.step import CLIP, UpscalerState, to_x, train_step

CPU = torch.device("cpu")
LONG = replace(TINY, kimg=100, warmup_kimg=1.0)  # whose learning rate has not fallen after a few steps


def pairs(seed: int = 0) -> Pairs:
    random = np.random.default_rng(seed)
    large = random.integers(0, 256, (4, 8, 8, 3), np.uint8).repeat(2, 1).repeat(2, 2)
    return Pairs(large[:, ::2, ::2].copy(), large)


def fresh(cfg: UpscalerConfig = LONG, tail: float = 0.05) -> UpscalerState:
    """A state whose tail is not zero, so that a gradient reaches every layer."""
    state = UpscalerState.new(cfg, CPU)
    if tail:
        torch.nn.init.normal_(state.net.tail.weight, std=tail)
    return state


def gradients(state: UpscalerState) -> list[Tensor]:
    return [p.grad.clone() for p in state.net.parameters()]


def by_hand(state: UpscalerState, batch: Pairs) -> list[Tensor]:
    """The gradients of the mean absolute error, at a copy of the network."""
    net = fresh().net
    net.load_state_dict(state.net.state_dict())
    (net(to_x(batch.small, CPU)) - to_x(batch.large, CPU)).abs().mean().backward()
    return [p.grad for p in net.parameters()]


def test_pictures_are_channels_first_in_zero_to_one():
    image = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    x = to_x(image, CPU)
    assert x.shape == (2, 3, 3, 4) and x.dtype == torch.float32
    assert x[1, 2, 0, 3].item() == pytest.approx(image[1, 0, 3, 2] / 255)


def test_the_loss_of_an_untrained_network_on_flat_pictures_is_how_far_they_are_apart():
    state = fresh(tail=0)
    flat = Pairs(np.full((4, 8, 8, 3), 51, np.uint8), np.full((4, 16, 16, 3), 204, np.uint8))
    loss = train_step(state, flat, LONG)
    assert loss.item() == pytest.approx(0.6) and not loss.requires_grad and state.seen == 4


def test_a_gradient_is_that_of_the_mean_absolute_error_of_its_own_batch_alone():
    state = fresh()
    train_step(state, pairs(0), LONG)
    wanted = by_hand(state, pairs(1))
    train_step(state, pairs(1), LONG)
    norm = torch.nn.utils.get_total_norm(wanted).clamp_min(CLIP) / CLIP
    for found, expected in zip(gradients(state), wanted, strict=True):
        assert torch.allclose(found, expected / norm, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("tail, clipped", [(0.05, False), (20.0, True)])
def test_a_gradient_is_shortened_to_the_limit_and_one_below_it_is_not(tail: float, clipped: bool):
    state = fresh(tail=tail)
    before = torch.nn.utils.get_total_norm(by_hand(state, pairs()))
    assert (before > CLIP) == clipped
    train_step(state, pairs(), LONG)
    after = torch.nn.utils.get_total_norm(gradients(state))
    assert after.item() == pytest.approx(CLIP if clipped else before.item(), rel=1e-3)


@pytest.mark.parametrize("seen", [0, 500, 50_000, 99_000])
def test_both_optimisers_step_at_rates_of_their_own_by_one_schedule(seen: int):
    cfg = replace(LONG, lr=3e-4, muon_lr=7e-3)
    state = fresh(cfg)
    state.seen = seen
    train_step(state, pairs(), cfg)
    scale = cfg.lr_scale_at(seen)
    assert 0 < scale <= 1
    assert state.adam.param_groups[0]["lr"] == pytest.approx(3e-4 * scale)
    assert state.muon.param_groups[0]["lr"] == pytest.approx(7e-3 * scale)


def test_the_rate_is_full_after_the_warm_up_and_half_at_half_time():
    cfg = UpscalerConfig(kimg=100, warmup_kimg=2, batch=16)
    assert cfg.lr_scale_at(0) == pytest.approx(16 / 2000)
    assert cfg.lr_scale_at(984) == pytest.approx(0.5, rel=1e-3)
    assert cfg.lr_scale_at(50_000) == pytest.approx(0.5)
    assert cfg.lr_scale_at(200_000) == 0


def test_muon_has_the_convolutions_within_and_adam_all_else():
    state = fresh()
    of = {
        name: {id(p) for p in optimizer.param_groups[0]["params"]}
        for name, optimizer in (("adam", state.adam), ("muon", state.muon))
    }
    for name, p in state.net.named_parameters():
        inner = name.startswith("trunk.") and name.endswith("weight")
        assert (id(p) in of["muon"], id(p) in of["adam"]) == (inner, not inner), name


def test_adams_first_step_is_its_rate_in_the_direction_of_the_gradients_sign():
    """As of Adam, whatever its betas: the mean of one gradient over the root of its square."""
    state = fresh()
    before = state.net.tail.weight.clone()
    train_step(state, pairs(), LONG)
    moved, gradient = before - state.net.tail.weight, state.net.tail.weight.grad
    large = gradient.abs() > 1e-4
    assert large.float().mean() > 0.5
    assert torch.allclose(moved[large], LONG.lr * LONG.lr_scale_at(0) * gradient[large].sign(), rtol=0.05)


def test_adams_memory_of_the_gradient_fades_by_a_tenth_and_of_its_square_by_a_hundredth():
    state = fresh()
    train_step(state, pairs(), LONG)
    kept = state.adam.state[state.net.tail.weight]
    gradient = state.net.tail.weight.grad
    assert torch.allclose(kept["exp_avg"], 0.1 * gradient, rtol=1e-4, atol=1e-9)
    assert torch.allclose(kept["exp_avg_sq"], 0.01 * gradient.square(), rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("seen, half_life", [(0, 0.4), (396, 40.0), (1_996, 200.0), (50_000, 300.0)])
def test_the_averages_half_life_is_a_tenth_of_what_was_seen_up_to_its_limit(seen: int, half_life: float):
    cfg = replace(LONG, ema_kimg=0.3)
    state = fresh(cfg)
    state.seen = seen
    for p in state.ema.parameters():
        p.zero_()
    train_step(state, pairs(), cfg)
    share = 1 - 0.5 ** (4 / half_life)
    for mean, new in zip(state.ema.parameters(), state.net.parameters(), strict=True):
        assert torch.allclose(mean, new * share, rtol=1e-4, atol=1e-9)


def test_only_the_network_learns_and_its_average_begins_as_it_is():
    state = UpscalerState.new(LONG, CPU)
    assert all(torch.equal(a, b) for a, b in zip(state.net.parameters(), state.ema.parameters(), strict=True))
    assert not any(p.requires_grad for p in state.ema.parameters())
    assert state.net.head.weight.is_contiguous(memory_format=torch.channels_last)
    assert state.ema.head.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_step_whose_gradient_is_not_finite_moves_neither_the_average_nor_any_layer_and_is_counted():
    state = fresh()
    train_step(state, pairs(), LONG)
    before = {name: tensor.clone() for name, tensor in state.tensors().items()}
    state.net.head.bias.data[0] = torch.nan  # in the tail alone, it would leave the gradient finite
    train_step(state, pairs(), LONG)
    changed = {name for name, tensor in state.tensors().items() if not torch.equal(tensor, before[name])}
    assert changed == {"net.head.bias"} and state.seen == 8


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_network_computes_in_the_precision_of_the_run(precision: str):
    state, seen = fresh(), []
    state.net.head.register_forward_hook(lambda layer, given, out: seen.append(out.dtype))
    train_step(state, pairs(), replace(LONG, precision=precision))
    assert seen == [torch.bfloat16 if precision == "bf16" else torch.float32]


def test_the_seed_decides_the_weights():
    first, again, other = (UpscalerState.new(replace(LONG, seed=seed), CPU).net.head.weight for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_state_restored_goes_on_as_the_one_it_was_taken_from():
    state, other = fresh(), UpscalerState.new(replace(LONG, seed=5), CPU)
    train_step(state, pairs(0), LONG)
    other.restore({name: tensor.clone() for name, tensor in state.tensors().items()}, state.seen)
    for each in (state, other):
        train_step(each, pairs(1), LONG)
    assert other.seen == 8
    assert all(torch.equal(tensor, other.tensors()[name]) for name, tensor in state.tensors().items())


def test_a_run_begun_from_another_takes_its_average_and_at_another_scale_all_but_the_tail():
    other = fresh()
    for p in other.ema.parameters():
        p.fill_(0.25)
    for scale, tail in ((2, 0.25), (4, 0.0)):
        state = UpscalerState.new(replace(LONG, network=replace(LONG.network, scale=scale)), CPU)
        state.begin_from(other.tensors())
        for net in (state.net, state.ema):
            assert {value for p in (net.head.weight, *net.trunk.parameters()) for value in p.unique().tolist()} == {
                0.25
            }
            assert net.tail.weight.unique().tolist() == [tail] and net.tail.bias.unique().tolist() == [tail]


@pytest.mark.parametrize("shape", [{"width": 16}, {"blocks": 2}, {"units": 2}])
def test_a_run_of_another_shape_cannot_be_begun_from(shape: dict):
    state = UpscalerState.new(replace(LONG, network=replace(LONG.network, **shape)), CPU)
    before = state.net.head.weight.clone()
    with pytest.raises(ValueError, match=r"--init is a run of another --width, --blocks or --units; give the same"):
        state.begin_from(fresh().tensors())
    assert torch.equal(state.net.head.weight, before)
