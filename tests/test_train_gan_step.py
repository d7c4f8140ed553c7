"""One training step: what it changes, and what it must not."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from no_waiting import Waits
from tiny_run import ARCHITECTURES, ATTRIBUTES, TINY, write_dataset

from ganapp.data.dataset import load_dataset
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.labels import drop_labels
from ganapp.train.gan.start import facts_of
from ganapp.train.gan.state import TrainState, Watch, new_state, update_ema
from ganapp.train.gan.step import Batch, train_step
from ganapp.train.parallel import Draws, Processes

CPU = torch.device("cpu")
SIZES = [len(values) for values in ATTRIBUTES.values()]


def state_and_batch(shapes: Path, cfg: TrainConfig = TINY) -> tuple[TrainState, Batch]:
    dataset = load_dataset(shapes)
    return new_state(cfg, facts_of(dataset), CPU), Batch(
        *dataset.batch(torch.arange(8), CPU), dataset.batch(torch.arange(8, 16), CPU)
    )


def flat(module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_a_step_moves_both_networks_and_the_average(shapes: Path):
    state, batch = state_and_batch(shapes)
    before = [flat(m).clone() for m in (state.G, state.D, state.G_ema)]
    losses = train_step(state, batch, SIZES, TINY)
    for old, module in zip(before, (state.G, state.D, state.G_ema), strict=True):
        assert not torch.equal(old, flat(module))
    assert state.seen == 8
    assert losses.penalty is not None and torch.isfinite(losses.G)


def test_the_penalty_comes_only_every_few_steps(shapes: Path):
    state, batch = state_and_batch(shapes)
    had = [train_step(state, batch, SIZES, TINY).penalty is not None for _ in range(8)]
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
    dropped = drop_labels(labels, SIZES, 0.4, Draws(torch.Generator().manual_seed(0), Processes()))
    assert ((dropped == labels) | (dropped == 0)).all()
    none_left = (dropped.sum(1) == 0).float().mean()
    all_left = (dropped.sum(1) == 2).float().mean()
    # 0.2 lose all at once; of the 0.4 hidden partly, each attribute with a chance u, E[u²] = 1/3 lose both
    assert abs(none_left - (0.2 + 0.4 / 3)) < 0.03
    assert abs(all_left - (0.4 + 0.4 / 3)) < 0.03


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_step_never_waits_for_what_it_has_computed(name: str, shapes: Path):
    """With all that a step can have, over a look at held-out images and a penalty."""
    cfg = replace(ARCHITECTURES[name], augment="adaptive", flip=True, penalty="r1r2")
    state, batch = state_and_batch(shapes, cfg)
    train_step(state, batch, SIZES, cfg)  # what is made once is made
    with Waits() as waits:
        for _ in range(4):
            train_step(state, batch, SIZES, cfg)
    assert not waits.found


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_learns_four_pictures(name: str, tmp_path: Path):
    """The mean distance from each fake to the real picture nearest to it falls by half in seconds."""
    cfg = replace(ARCHITECTURES[name], batch=4)
    dataset = load_dataset(write_dataset(tmp_path / "four", count=4))
    state = new_state(cfg, facts_of(dataset), CPU)
    real, labels = dataset.batch(torch.arange(4), CPU)

    def distance() -> float:
        with torch.no_grad():
            fake = state.G_ema(torch.randn(8, 16), labels.repeat(2, 1), torch.zeros(8, state.G.noise_dim))
        return torch.cdist(fake.flatten(1), real.flatten(1)).min(1).values.mean().item()

    before = distance()
    for _ in range(350):
        train_step(state, Batch(real, labels), SIZES, cfg)
    assert distance() < before / 2


@pytest.mark.parametrize("loss", ["relativistic", "nonsaturating", "hinge", "bce"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_takes_every_loss_with_penalties_and_augmentation(name: str, loss: str, shapes: Path):
    cfg = replace(ARCHITECTURES[name], loss=loss, noisy_labels=0.0, penalty="r1r2", augment="fixed", flip=True)
    state, batch = state_and_batch(shapes, cfg)
    for _ in range(2):
        losses = train_step(state, batch, SIZES, cfg)
    assert state.finite() and not state.skipped
    assert all(value is None or torch.isfinite(value) for value in vars(losses).values())


def test_the_discriminators_learning_rate_is_a_multiple_of_the_generators(shapes: Path):
    cfg = replace(TINY, lr_D_factor=4.0)
    state, batch = state_and_batch(shapes, cfg)
    train_step(state, batch, SIZES, cfg)
    assert state.opt_D.param_groups[0]["lr"] == 4 * state.opt_G.param_groups[0]["lr"] == 4 * cfg.lr


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_step_whose_numbers_are_not_finite_changes_no_weight_and_is_counted(name: str, shapes: Path):
    cfg = ARCHITECTURES[name]
    state, batch = state_and_batch(shapes, cfg)
    train_step(state, batch, SIZES, cfg)
    before = [flat(m).clone() for m in (state.G, state.D)]
    poisoned = Batch(torch.full_like(batch.real, torch.nan), batch.labels, batch.held_out)
    train_step(state, poisoned, SIZES, cfg)
    assert torch.equal(before[1], flat(state.D))
    assert (state.bad, state.skipped) == (1, 1)
    train_step(state, batch, SIZES, cfg)
    assert (state.bad, state.skipped) == (0, 1)
    assert state.finite()
    assert not torch.equal(before[1], flat(state.D))


def test_a_discriminator_that_knows_its_pictures_by_heart_is_seen_and_raises_augmentation(shapes: Path):
    """Trained on eight pictures only, it takes others for fakes: r_v grows, and so does p."""
    cfg = replace(
        TINY, augment="adaptive", gamma=0.0, adapt_kimg=2.0, adapt_target=0.3, augment_policy=("translation",)
    )
    state, batch = state_and_batch(shapes, cfg)
    held_out = (-batch.held_out[0].flip(2), batch.held_out[1])
    for _ in range(150):
        train_step(state, Batch(batch.real, batch.labels, held_out), SIZES, cfg)
    numbers = state.watch.numbers()
    assert numbers["train"] > numbers["held_out"]
    assert numbers["augment_p"] > 0.05


def test_the_watched_means_are_those_of_the_logits_from_the_first_look_on(shapes: Path):
    state, batch = state_and_batch(shapes)
    losses = train_step(state, batch, SIZES, TINY)
    numbers = state.watch.numbers()
    assert numbers["train"] == pytest.approx(float(losses.real), abs=1e-5)
    assert numbers["fake"] == pytest.approx(float(losses.fake), abs=1e-5)
    assert 0 <= numbers["ahead"] <= 1


def test_held_out_pictures_are_rated_by_the_discriminator_that_rated_the_others(shapes: Path):
    """One and the same batch as training and held-out images has no overfitting, however fast D moves."""
    cfg = replace(TINY, lr=0.1, label_dropout=0.0)
    state, batch = state_and_batch(shapes, cfg)
    for _ in range(9):
        train_step(state, Batch(batch.real, batch.labels, (batch.real, batch.labels)), SIZES, cfg)
    numbers = state.watch.numbers()
    assert numbers["held_out"] == pytest.approx(numbers["train"], rel=1e-5)


def copied(state: TrainState) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in state.tensors().items()}


@pytest.mark.parametrize("name", ["stylegan2", "dcgan"])
def test_a_state_restored_goes_on_as_the_one_it_was_taken_from(name: str, shapes: Path):
    cfg = replace(ARCHITECTURES[name], augment="adaptive")
    (state, batch), (other, _) = (state_and_batch(shapes, replace(cfg, seed=seed)) for seed in (0, 1))
    train_step(state, batch, SIZES, cfg)
    other.restore(copied(state), state.seen)
    for each in (state, other):
        train_step(each, batch, SIZES, cfg)
    assert state.seen == other.seen == 16
    found = other.tensors()
    assert all(torch.equal(tensor, found[name]) for name, tensor in state.tensors().items())


def test_on_another_kind_of_device_what_is_random_is_drawn_anew_and_this_is_said(
    shapes: Path, caplog: pytest.LogCaptureFixture
):
    state, _ = state_and_batch(shapes)
    state.restore(copied(state), 24)
    assert not caplog.records
    state.restore({**copied(state), "rng": torch.zeros(16, dtype=torch.uint8)}, 24)
    assert torch.equal(state.rng.get_state(), torch.Generator().manual_seed(24).get_state())
    [record] = caplog.records
    assert record.getMessage() == "resumed on another kind of device: what is random from here on is drawn anew"


def test_a_run_from_before_there_was_a_watch_begins_one(shapes: Path):
    state, _ = state_and_batch(shapes, replace(TINY, augment="fixed", augment_p=0.25))
    state.restore({name: tensor for name, tensor in copied(state).items() if not name.startswith("watch.")}, 8)
    assert state.watch.p.item() == 0.25 and state.watch.missing.item() == 1


@pytest.mark.parametrize("part", ["G", "D", "G_ema", "watch"])
def test_a_state_is_finite_only_if_all_of_it_is(part: str, shapes: Path):
    state, _ = state_and_batch(shapes)
    assert state.finite()
    values = state.watch.train if part == "watch" else next(getattr(state, part).parameters()).data
    values.fill_(torch.inf)
    assert not state.finite()


def test_networks_begin_with_their_settings_and_their_average_with_their_weights(shapes: Path):
    cfg = replace(TINY, beta1=0.3, beta2=0.8, augment_p=0.7)
    state, _ = state_and_batch(shapes, cfg)
    assert torch.equal(flat(state.G), flat(state.G_ema))
    assert not any(p.requires_grad for p in state.G_ema.parameters()) and not state.G_ema.training and state.G.training
    for optimizer in (state.opt_G, state.opt_D):
        assert optimizer.defaults["betas"] == (0.3, 0.8) and optimizer.defaults["eps"] == 1e-8
    assert state.rng.initial_seed() == cfg.seed and state.seen == 0
    assert state.watch.p == 0 and state_and_batch(shapes, replace(cfg, augment="fixed"))[0].watch.p.item() == (
        pytest.approx(0.7)
    )
    for network in (state.G, state.D):
        weight = next(p for p in network.parameters() if p.ndim == 4)
        assert weight.is_contiguous(memory_format=torch.channels_last)


def test_an_unread_watch_has_no_numbers_but_zeros_and_a_probability():
    watch = Watch.fresh(0.25, CPU)
    assert watch.numbers() == {"train": 0.0, "held_out": 0.0, "fake": 0.0, "ahead": 0.0, "augment_p": 0.25}
    watch.missing.fill_(0.5), watch.train.fill_(1.0), watch.fake.fill_(-1.0), watch.ahead.fill_(0.25)
    assert watch.numbers() == {"train": 2.0, "held_out": 0.0, "fake": -2.0, "ahead": 0.5, "augment_p": 0.25}
