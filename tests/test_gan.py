"""One training step: what it changes, and what it must not."""

from pathlib import Path

import torch
from tiny_run import ATTRIBUTES, TINY, write_dataset

from ganapp.data.dataset import load_dataset
from ganapp.train.gan import drop_labels, new_state, train_step, update_ema
from ganapp.train.loop import facts_of

CPU = torch.device("cpu")
SIZES = [len(values) for values in ATTRIBUTES.values()]


def state_and_batch(shapes: Path):
    dataset = load_dataset(shapes)
    return new_state(TINY, facts_of(dataset), CPU), dataset.batch(torch.arange(8), CPU)


def flat(module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_a_step_moves_both_networks_and_the_average(shapes: Path):
    state, batch = state_and_batch(shapes)
    before = [flat(m).clone() for m in (state.G, state.D, state.G_ema)]
    losses = train_step(state, *batch, SIZES, TINY)
    for old, module in zip(before, (state.G, state.D, state.G_ema), strict=True):
        assert not torch.equal(old, flat(module))
    assert state.seen == 8
    assert losses.penalty is not None and torch.isfinite(losses.G)


def test_the_penalty_comes_only_every_few_steps(shapes: Path):
    state, batch = state_and_batch(shapes)
    had = [train_step(state, *batch, SIZES, TINY).penalty is not None for _ in range(8)]
    assert had == [True, False, False, False] * 2


def test_the_average_moves_half_way_in_its_half_life(shapes: Path):
    state, _ = state_and_batch(shapes)
    state.seen = 10**9
    for p in state.G.parameters():
        p.data.fill_(1.0)
    for p in state.G_ema.parameters():
        p.data.zero_()
    update_ema(state, TINY, int(TINY.ema_kimg * 1000))
    assert torch.allclose(flat(state.G_ema), torch.tensor(0.5))


def test_label_dropout_hides_whole_attributes_and_never_invents_one():
    labels = torch.tensor([[1.0, 0, 0, 1]]).repeat(4000, 1)
    dropped = drop_labels(labels, SIZES, 0.4, torch.Generator().manual_seed(0))
    assert ((dropped == labels) | (dropped == 0)).all()
    none_left = (dropped.sum(1) == 0).float().mean()
    all_left = (dropped.sum(1) == 2).float().mean()
    # 0.2 lose all at once; of the 0.4 hidden partly, each attribute with a chance u, E[u²] = 1/3 lose both
    assert abs(none_left - (0.2 + 0.4 / 3)) < 0.03
    assert abs(all_left - (0.4 + 0.4 / 3)) < 0.03


def test_training_learns_eight_pictures(tmp_path: Path):
    """The mean distance from each fake to the real picture nearest to it falls by half in a few hundred steps."""
    dataset = load_dataset(write_dataset(tmp_path / "eight", count=8))
    state = new_state(TINY, facts_of(dataset), CPU)
    real, labels = dataset.batch(torch.arange(8), CPU)

    def distance() -> float:
        with torch.no_grad():
            fake = state.G_ema(torch.randn(8, 16), labels, torch.zeros(8, state.G.noise_dim))
        return torch.cdist(fake.flatten(1), real.flatten(1)).min(1).values.mean().item()

    before = distance()
    for _ in range(250):
        train_step(state, real, labels, SIZES, TINY)
    assert distance() < before / 2
