"""One training step against its formulas, on a generator and a discriminator of one weight each."""

from dataclasses import replace

import pytest
import torch
from tiny_run import TINY
from torch import Tensor, nn

from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.labels import drop_labels
from ganapp.train.gan.losses import attribute_loss
from ganapp.train.gan.state import TrainState, Watch, update_ema
from ganapp.train.gan.step import W_AVG_STEP, Batch, generate, targets, train_step
from ganapp.train.parallel import Draws, Processes

CPU = torch.device("cpu")
N = 8
PLAIN = replace(TINY, batch=N, lr=0.01, label_dropout=0.0, style_mixing=0.0, penalty="none")


class Scaled(nn.Module):
    """G(z) = size * z, as pictures of one channel and 2 x 2 pixels."""

    z_dim, num_ws, noise_dim = 4, 0, 0

    def __init__(self) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.tensor(0.7))
        self.z: list[Tensor] = []

    def forward(self, z: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        self.z.append(z)
        return (self.size * z).view(-1, 1, 2, 2)


class Bowl(nn.Module):
    """D(x) = steep * |x|² / 2, whose gradient is steep * x; it keeps what it is shown, and in which precision."""

    def __init__(self) -> None:
        super().__init__()
        self.steep = nn.Parameter(torch.tensor(0.3))
        self.shown: list[Tensor] = []
        self.heard: list[Tensor] = []
        self.reduced: list[bool] = []

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        self.shown.append(x.detach().clone())
        self.heard.append(labels)
        self.reduced.append(torch.is_autocast_enabled("cpu"))
        return self.steep * half_square(x)


def half_square(x: Tensor) -> Tensor:
    return x.square().sum((1, 2, 3)) / 2


def make(seen: int = 0, p: float = 0.0) -> TrainState:
    """A state whose optimisers are plain gradient descent, so that a weight tells its gradient."""
    G, D = Scaled(), Bowl()
    zero = torch.zeros([], dtype=torch.int64)
    return TrainState(
        G=G,
        D=D,
        G_ema=Scaled().requires_grad_(False),
        opt_G=torch.optim.SGD(G.parameters(), fused=True),
        opt_D=torch.optim.SGD(D.parameters(), fused=True),
        rng=torch.Generator().manual_seed(0),
        watch=Watch.fresh(p, CPU),
        bad=zero.clone(),
        skipped=zero.clone(),
        seen=seen,
    )


def real(seed: int = 1) -> Tensor:
    return torch.randn(N, 1, 2, 2, generator=torch.Generator().manual_seed(seed))


def batch(held_out: Tensor | None = None) -> Batch:
    no_labels = torch.zeros(N, 0)
    return Batch(real(), no_labels, None if held_out is None else (held_out, no_labels))


def step(cfg: TrainConfig, seen: int = 0, p: float = 0.0, given: Batch | None = None) -> TrainState:
    state = make(seen, p)
    state.losses = train_step(state, given or batch(), [], cfg)
    return state


def slopes(state: TrainState, cfg: TrainConfig) -> tuple[float, float]:
    """The gradients of D's and of G's weight in the step that the state was made by."""
    fresh = make()
    moved = (fresh.D.steep - state.D.steep).item() / cfg.lr
    return moved, (fresh.G.size - state.G.size).item() / cfg.lr


# The derivatives of each loss at logits: of D's by real and by fake, and of G's by fake.
SLOPES = {
    "relativistic": lambda r, f: (-torch.sigmoid(f - r), torch.sigmoid(f - r), -torch.sigmoid(r - f)),
    "nonsaturating": lambda r, f: (-torch.sigmoid(-r), torch.sigmoid(f), -torch.sigmoid(-f)),
    "bce": lambda r, f: (-torch.sigmoid(-r), torch.sigmoid(f), -torch.sigmoid(-f)),
    "hinge": lambda r, f: (-(r < 1).float(), (f > -1).float(), -torch.ones_like(f)),
}


@pytest.mark.parametrize("loss", SLOPES)
def test_both_weights_move_by_the_derivative_of_the_loss(loss: str):
    """The generator's is taken at fakes as the updated discriminator rates them, at reals as it rated them before."""
    cfg = replace(PLAIN, loss=loss)
    state, start = step(cfg), make()
    z = state.G.z[0]
    r, f = half_square(real()), half_square(z.view(-1, 1, 2, 2) * start.G.size)
    by_real, by_fake, _ = SLOPES[loss](start.D.steep * r, start.D.steep * f)
    after = state.D.steep
    _, _, by_own = SLOPES[loss](start.D.steep * r, after * f)
    of_size = after * start.G.size * z.square().sum(1)
    wanted = (by_real * r + by_fake * f).mean().item(), (by_own * of_size).mean().item()
    assert slopes(state, cfg) == pytest.approx(wanted, rel=1e-4)


def test_the_relativistic_generator_is_compared_with_reals_as_they_were_rated_for_the_discriminator():
    """A step shows D the reals once; a long step of D's tells one rating from the other."""
    cfg = replace(PLAIN, loss="relativistic", lr=1.0, lr_D_factor=2.0)
    state, start = step(cfg), make()
    r, f = half_square(real()), half_square(state.G.z[0].view(-1, 1, 2, 2) * start.G.size)
    wanted = nn.functional.softplus(start.D.steep * r - state.D.steep * f).mean()
    assert state.losses.G.item() == pytest.approx(wanted.item())
    assert len(state.D.shown) == 3 and torch.equal(state.D.shown[0], real())


@pytest.mark.parametrize("penalty", ["r1", "r1r2"])
@pytest.mark.parametrize("gamma, every", [(1.0, 1), (3.0, 1), (3.0, 5)])
def test_the_penalty_weighs_half_gamma_times_the_steps_it_stands_for(penalty: str, gamma: float, every: int):
    """R1 is steep² mean |real|² and R2 the same of fakes; their derivative is 2 steep mean |x|²."""
    cfg = replace(PLAIN, penalty=penalty, gamma=gamma, penalty_every=every)
    state, without = step(cfg), step(PLAIN)
    squares = 2 * half_square(real()).mean()
    if penalty == "r1r2":
        squares = squares + 2 * half_square(without.D.shown[1]).mean()
    steep = make().D.steep.item()
    added = slopes(state, cfg)[0] - slopes(without, PLAIN)[0]
    assert added == pytest.approx(gamma / 2 * every * 2 * steep * squares.item(), rel=1e-3)
    assert state.losses.penalty.item() == pytest.approx(steep**2 * squares.item(), rel=1e-5)
    assert without.losses.penalty is None


def test_without_gamma_there_is_no_penalty():
    assert step(replace(PLAIN, penalty="r1r2", gamma=0.0)).losses.penalty is None


def test_both_penalties_are_taken_at_what_the_discriminator_was_shown():
    """Augmented, where the run augments: a penalty elsewhere would flatten D where it is never used."""
    state = step(replace(PLAIN, penalty="r1r2", augment="fixed", augment_policy=("cutout",)), p=0.5)
    first, second, third, fourth = state.D.shown[:4]
    assert torch.equal(first, third) and torch.equal(second, fourth)
    assert not torch.equal(first, real())


@pytest.mark.parametrize("steps", range(4))
def test_a_penalty_comes_at_every_so_many_steps(steps: int):
    cfg = replace(PLAIN, penalty="r1", penalty_every=3)
    assert (step(cfg, seen=steps * N).losses.penalty is not None) == (steps % 3 == 0)


@pytest.mark.parametrize("smooth", [0.0, 0.25])
def test_smooth_real_moves_the_target_of_reals_alone(smooth: float):
    """A target of t takes t off the slope of a logit, so smoothing adds its share of mean |real|² / 2."""
    cfg = replace(PLAIN, loss="bce", smooth_real=smooth)
    difference = slopes(step(cfg), cfg)[0] - slopes(step(replace(PLAIN, loss="bce")), PLAIN)[0]
    assert difference == pytest.approx(smooth * half_square(real()).mean().item(), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("shape", [(4000,), (4000, 3)])
def test_noisy_labels_are_drawn_for_each_image_up_to_their_limit(shape: tuple[int, ...]):
    cfg = replace(PLAIN, loss="bce", noisy_labels=0.4)
    of_real, of_fake = targets(torch.zeros(shape), cfg, draws())
    assert of_fake.shape == (4000, *[1] * (len(shape) - 1))  # all patches of an image have its label
    assert torch.allclose(of_real, 1 - of_fake)
    assert of_fake.min() >= 0 and of_fake.max() <= 0.4 and of_fake.mean().item() == pytest.approx(0.2, abs=0.01)


def test_targets_without_noise_are_plain_numbers():
    assert targets(torch.zeros(3), replace(PLAIN, loss="bce", smooth_real=0.1), draws()) == (0.9, 0.0)


@pytest.mark.parametrize("seen, kimg", [(0, 0.0), (8, 0.0), (24, 0.0), (24, 0.016)])
def test_a_step_is_as_long_as_the_schedule_says(seen: int, kimg: float):
    """Two half-lives of 8 images, after a hold."""
    cfg = replace(PLAIN, lr_hold_kimg=kimg, lr_half_life_kimg=0.008, lr_D_factor=3.0)
    state = step(cfg, seen)
    lr = 0.01 * 0.5 ** max(0, (seen - kimg * 1000) / 8)
    assert state.opt_G.param_groups[0]["lr"] == pytest.approx(lr)
    assert state.opt_D.param_groups[0]["lr"] == pytest.approx(3 * lr)
    assert state.seen == seen + N


def test_flip_mirrors_about_half_of_the_reals_and_nothing_without_it():
    assert torch.equal(step(PLAIN).D.shown[0], real())
    many = torch.arange(400 * 4.0).view(400, 1, 2, 2)
    state = step(replace(PLAIN, batch=400, flip=True), given=Batch(many, torch.zeros(400, 0)))
    shown = state.D.shown[0]
    mirrored = (shown == many.flip(3)).all(3).all(2).all(1)
    assert (mirrored | (shown == many).all(3).all(2).all(1)).all()
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_networks_compute_in_the_precision_of_the_run(precision: str):
    state = step(replace(PLAIN, precision=precision, penalty="r1r2"))
    assert set(state.D.reduced) == {precision == "bf16"}


@pytest.mark.parametrize("seen, half_life", [(1_000, 100.0), (4_000, 400.0), (1_000_000, 500.0), (1, 1.0)])
def test_the_averages_half_life_is_a_share_of_what_was_seen_up_to_its_limit(seen: int, half_life: float):
    """And an image at least."""
    cfg = replace(PLAIN, ema_kimg=0.5, ema_rampup=0.1)
    state = make(seen)
    state.G.size.data.fill_(1.0), state.G_ema.size.data.fill_(0.0)
    update_ema(state, cfg, 100)
    assert state.G_ema.size.item() == pytest.approx(1 - 0.5 ** (100 / half_life))


def test_a_step_moves_the_average_by_the_images_it_showed():
    cfg = replace(PLAIN, ema_kimg=1.0, ema_rampup=0.5)
    state = step(cfg, seen=392)
    before, after = make().G.size.item(), state.G.size.item()
    assert state.G_ema.size.item() == pytest.approx(before + (after - before) * (1 - 0.5 ** (N / 200)), abs=1e-6)


def test_what_a_step_reports_are_the_means_of_its_logits_and_losses():
    state, start = step(PLAIN), make()
    r, f = (start.D.steep * half_square(x) for x in state.D.shown[:2])
    assert state.losses.real.item() == pytest.approx(r.mean().item())
    assert state.losses.fake.item() == pytest.approx(f.mean().item())
    assert state.losses.D.item() == pytest.approx(nn.functional.softplus(f - r).mean().item())


@pytest.mark.parametrize("steps, looked", [(0, True), (1, False), (3, False), (4, True), (8, True)])
def test_held_out_images_are_looked_at_every_fourth_step(steps: int, looked: bool):
    state = step(PLAIN, seen=steps * N, given=batch(real(2)))
    assert any(torch.equal(x, real(2)) for x in state.D.shown) == looked
    assert (state.watch.missing.item() < 1) == looked


def test_a_look_moves_the_watched_means_by_its_share_of_their_half_life():
    """4,000 images, of which a look stands for the four batches between two of them."""
    state, start = step(PLAIN, given=batch(real(2))), make()
    share = 1 - 0.5 ** (4 * N / 4000)
    r, f, h = (start.D.steep * half_square(x) for x in (real(), state.D.shown[1], real(2)))
    watch = state.watch
    for found, wanted in ((watch.train, r), (watch.fake, f), (watch.held_out, h), (watch.ahead, (r > f).float())):
        assert found.item() == pytest.approx(share * wanted.mean().item(), rel=1e-4)
    assert watch.missing.item() == pytest.approx(1 - share)
    assert watch.numbers()["held_out"] == pytest.approx(h.mean().item(), rel=1e-3)


@pytest.mark.parametrize("target, sign", [(0.0, 1), (1.0, -1)])
@pytest.mark.parametrize("kimg", [1.0, 4.0])
def test_an_adaptive_probability_crosses_its_range_in_adapt_kimg(target: float, sign: int, kimg: float):
    """Held-out images that lie between training images and fakes overfit by half."""
    cfg = replace(PLAIN, augment="adaptive", augment_policy=(), adapt_target=target, adapt_kimg=kimg)
    state = make(p=0.4)
    state.watch.train.fill_(1.0), state.watch.held_out.fill_(0.5), state.watch.fake.fill_(0.0)
    train_step(state, batch(real(2)), [], cfg)
    assert state.watch.p.item() == pytest.approx(0.4 + sign * 4 * N / (kimg * 1000), rel=1e-4)


def test_a_fixed_probability_stays():
    state = make(p=0.4)
    train_step(state, batch(real(2)), [], replace(PLAIN, augment="fixed", augment_policy=()))
    assert state.watch.p.item() == pytest.approx(0.4)


def test_a_run_that_does_not_augment_shows_pictures_as_they_are_whatever_the_probability():
    assert torch.equal(step(PLAIN, p=0.8).D.shown[0], real())


def test_both_networks_hear_the_same_labels_and_some_are_hidden_from_both():
    labels = torch.eye(2).repeat(N // 2, 1)
    for share in (0.0, 0.9):
        state = make()
        train_step(state, Batch(real(), labels), [2], replace(PLAIN, label_dropout=share))
        heard = state.D.heard
        assert all(torch.equal(each, heard[0]) for each in heard)
        assert torch.equal(heard[0], labels) == (share == 0)


class Naming(Bowl):
    """A bowl that names two attributes of two values by the pixels of a picture, each times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.tell = nn.Parameter(torch.tensor(0.5))

    def classify(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return self(x, labels), self.tell * x.flatten(1)


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_the_reals_teach_to_name_all_known_attributes_and_the_fakes_are_taught_by_those_that_are_shown(weight: float):
    known = torch.tensor([[0.0, 1, 1, 0], [1, 0, 0, 0]]).repeat(N // 2, 1)
    cfg = replace(PLAIN, label_dropout=0.9, attribute_loss=weight)
    states = []
    for made, each in ((Naming(), cfg), (Bowl(), replace(cfg, attribute_loss=0.0))):
        state = make()
        state.D, state.opt_D = made, torch.optim.SGD(made.parameters(), fused=True)
        state.losses = train_step(state, Batch(real(), known), [2, 2], each)
        states.append(state)
    state, without = states
    told = state.D.heard[0]
    assert 0 < told.sum() < known.sum()

    tell = torch.tensor(0.5, requires_grad=True)
    (weight * attribute_loss(tell * real().flatten(1), known, [2, 2])).backward()
    assert (0.5 - state.D.tell.item()) / cfg.lr == pytest.approx(tell.grad.item(), rel=1e-3)
    assert state.D.steep.item() == pytest.approx(without.D.steep.item())

    size = torch.tensor(0.7, requires_grad=True)
    missed = attribute_loss(state.D.tell.detach() * size * state.G.z[0], told, [2, 2])
    (weight * missed).backward()
    moved = (without.G.size - state.G.size).item() / cfg.lr
    assert moved == pytest.approx(size.grad.item(), rel=1e-3)
    assert state.losses.attributes.item() == pytest.approx(missed.item()) and without.losses.attributes is None


def test_pictures_without_attributes_have_none_to_hide():
    assert drop_labels(torch.zeros(N, 0), [], 0.4, draws()).shape == (N, 0)


class Agreeing(Processes):
    """One of two processes; the other computes the same, and so all means are its own."""

    def __init__(self) -> None:
        super().__init__(count=2, rank=1)

    def average(self, tensor: Tensor) -> Tensor:
        return tensor

    def average_gradients(self, parameters: list[nn.Parameter]) -> None:
        pass


def test_two_processes_show_twice_as_many_images_and_the_average_moves_by_them():
    cfg, state = replace(PLAIN, ema_kimg=1.0, ema_rampup=0.5, batch=2 * N), make(seen=384)
    state.processes = Agreeing()
    before = state.G.size.item()
    train_step(state, batch(), [], cfg)
    assert state.seen == 400 and isinstance(state.seen, int)
    moved = (state.G_ema.size - before) / (state.G.size - before)
    assert moved.item() == pytest.approx(1 - 0.5 ** (2 * N / 200), rel=1e-2)


# Styles


class Styles(nn.Module):
    """A generator whose styles are its latents, and whose pictures are its styles."""

    z_dim, num_ws, noise_dim = 1, 5, 3

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Identity()
        self.mapping.forward = lambda z, labels: z
        self.mapping.register_buffer("w_avg", torch.full([1], 4.0))

    def synthesis(self, ws: Tensor, noise: Tensor) -> Tensor:
        self.noise = noise
        return ws[:, None]  # [N, 1, num_ws, 1]


def draws(seed: int = 0) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), Processes())


def styles(share: float, count: int = 4000) -> tuple[Styles, Tensor]:
    G = Styles()
    return G, generate(G, torch.zeros(count, 0), share, draws())[:, 0, :, 0]  # [count, num_ws]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_so_large_a_share_of_images_has_two_styles_that_meet_at_any_layer(share: float):
    _, ws = styles(share)
    changes = ws[:, 1:] != ws[:, :-1]  # [count, num_ws - 1]
    assert changes.sum(1).max() <= 1
    assert changes.any(1).float().mean().item() == pytest.approx(share, abs=0.03)
    assert changes.float().mean(0).tolist() == pytest.approx([share / 4] * 4, abs=0.03)


def test_the_two_styles_are_independent():
    _, ws = styles(1.0)
    assert torch.corrcoef(ws[:, [0, -1]].T)[0, 1].abs() < 0.05
    assert ws.std(0).tolist() == pytest.approx([1.0] * 5, abs=0.05)


def test_the_mean_style_is_near_that_of_the_latents_after_some_thousands_of_steps_and_not_after_one():
    G, ws = styles(0.0)
    assert G.mapping.w_avg.item() == pytest.approx(4.0 + W_AVG_STEP * (ws[:, 0].mean().item() - 4.0), abs=1e-5)
    assert (1 - W_AVG_STEP) > 0.9 and (1 - W_AVG_STEP) ** 5000 < 0.01


def test_each_image_has_noise_of_its_own():
    G, _ = styles(0.0)
    assert G.noise.shape == (4000, 3)
    assert G.noise.std().item() == pytest.approx(1, abs=0.05) and len(G.noise.unique()) > 11_000
