"""A run that begins with the weights of another."""

import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tiny_run import ARCHITECTURES, ATTRIBUTES, NETWORK, TINY
from torch import Tensor

from export.bundle import export_bundle, load_trained, make_spec
from export.card import begun
from ganapp.contract import CHECKPOINT, START
from ganapp.data.dataset import load_dataset
from ganapp.models.palette import Palette
from ganapp.train.gan.carry import AUTO, carry_over, named, suited_start
from ganapp.train.gan.checkpoint import RunFacts, load_checkpoint, save_checkpoint, write_start
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.loop import Budget
from ganapp.train.gan.start import facts_of, train
from ganapp.train.gan.state import TrainState, new_state

CPU = torch.device("cpu")
FACTS = RunFacts("shapes", "00000000", 40, 16, 4, ATTRIBUTES, 1, "cc0-1.0", "Drawn by the tests.")
LARGER = {"shape": ("bar", "ring", "square"), "size": ("large", "small"), "colour": ("red", "green", "blue")}


def saved(folder: Path, cfg: TrainConfig, facts: RunFacts = FACTS) -> TrainState:
    """Networks whose average is another than their weights, written into the folder."""
    state = new_state(replace(cfg, seed=7), facts, CPU)
    for p in state.G_ema.parameters():
        p.data += 1
    save_checkpoint(folder / CHECKPOINT, state.tensors(), cfg, replace(facts, seen=12_340))
    return state


def networks(state: TrainState) -> dict[str, Tensor]:
    return {name: t for name, t in state.tensors().items() if name.split(".")[0] in ("G", "D", "G_ema")}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_run_of_the_same_settings_begins_with_the_networks_and_with_an_optimiser_of_its_own(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    cfg = ARCHITECTURES[name]
    old, state = saved(tmp_path, cfg), new_state(cfg, FACTS, CPU)
    before = networks(state)
    with caplog.at_level(logging.INFO):
        carried = carry_over(state, tmp_path, cfg, FACTS)
    found, wanted = networks(state), networks(old)
    assert all(torch.equal(found[name], wanted[name]) for name in before)
    assert (
        (carried.init, carried.init_seen) == ("shapes (cc0-1.0), 12.3 kimg", 12_340)
        and state.seen == 0
        and not state.opt_G.state
    )
    [line] = caplog.messages
    assert line.endswith(f"took {len(before)} of {len(before)} tensors, 4 of 4 labels")


@pytest.mark.parametrize("name", ["stylegan2-supersampled", "fastgan", "dcgan"])
def test_labels_are_taken_by_the_names_of_attribute_and_value(name: str, tmp_path: Path):
    cfg, facts = ARCHITECTURES[name], replace(FACTS, attributes=LARGER)
    old, state = saved(tmp_path, cfg), new_state(cfg, facts, CPU)
    fresh = new_state(cfg, facts, CPU).D.embed.weight
    carry_over(state, tmp_path, cfg, facts)
    before, now = old.D.embed.weight, state.D.embed.weight  # blue, red, bar, square -> LARGER
    assert torch.equal(now[:, [7, 5, 0, 2]], before)
    assert torch.equal(now[:, [1, 3, 4, 6]], fresh[:, [1, 3, 4, 6]])
    if cfg.attribute_loss:
        assert torch.equal(state.D.classifier.weight[[7, 5, 0, 2]], old.D.classifier.weight)


def test_as_many_labels_of_other_names_are_not_taken_for_the_same(tmp_path: Path):
    facts = replace(FACTS, attributes={"mood": ("calm", "red"), "shape": ("square", "bar")})
    old, state = saved(tmp_path, TINY), new_state(TINY, facts, CPU)
    fresh = new_state(TINY, facts, CPU).D.embed.weight
    carry_over(state, tmp_path, TINY, facts)
    assert torch.equal(state.D.embed.weight[:, [2, 3]], old.D.embed.weight[:, [3, 2]])
    assert torch.equal(state.D.embed.weight[:, :2], fresh[:, :2])


def test_what_does_not_fit_begins_anew_and_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    old = saved(tmp_path, TINY)
    cfg = replace(TINY, network=replace(NETWORK, judge_units=24), attribute_loss=0.5)
    state, fresh = new_state(cfg, FACTS, CPU), new_state(cfg, FACTS, CPU)
    with caplog.at_level(logging.INFO):
        carry_over(state, tmp_path / CHECKPOINT, cfg, FACTS)
    assert torch.equal(state.D.conv.weight, old.D.conv.weight)
    assert torch.equal(state.D.fc.weight, fresh.D.fc.weight) and torch.equal(state.D.embed.weight, fresh.D.embed.weight)
    anew = "D.fc.weight, D.fc.bias, D.out.weight, D.embed.weight, D.embed.bias, D.classifier.weight, D.classifier.bias"
    assert caplog.messages[0].endswith(f"learnt anew: {anew}")


@pytest.mark.parametrize("plane_scale", [2, 4])
def test_for_larger_pictures_of_the_same_planes_all_is_taken_and_judged_as_before(plane_scale: int, tmp_path: Path):
    network = replace(NETWORK, palette=6, noise=False)
    cfg = replace(TINY, network=network)
    old = saved(tmp_path, cfg)
    larger = replace(cfg, network=replace(network, plane_scale=plane_scale))
    state = new_state(larger, replace(FACTS, resolution=16 * plane_scale), CPU)
    carry_over(state, tmp_path, larger, replace(FACTS, resolution=16 * plane_scale))
    x, labels = torch.rand(8, 4, 16 * plane_scale, 16 * plane_scale), torch.zeros(8, 4)
    labels[:, 1] = 1
    assert torch.allclose(state.D(x, labels), old.D(F.avg_pool2d(x, plane_scale), labels), atol=1e-4)
    z = torch.randn(2, 16)
    pictures = [s.G(z, labels[:2], z[:, :0]) for s in (old, state)]
    larger = F.interpolate(pictures[0], scale_factor=float(plane_scale), mode="bilinear")
    assert (pictures[1] - larger).abs().mean() < 0.1 * pictures[0].std()


@pytest.mark.parametrize("plane_scale", [2, 4])
def test_for_smaller_pictures_of_the_same_planes_all_is_taken_and_judged_as_before(plane_scale: int, tmp_path: Path):
    network = replace(NETWORK, palette=6, noise=False, plane_scale=plane_scale)
    old = saved(tmp_path, replace(TINY, network=network), replace(FACTS, resolution=16 * plane_scale))
    smaller = replace(TINY, network=replace(network, plane_scale=1))
    state = new_state(smaller, FACTS, CPU)
    carry_over(state, tmp_path, smaller, FACTS)
    x, labels = torch.rand(8, 4, 16, 16), torch.zeros(8, 4)
    squares = F.interpolate(x, scale_factor=float(plane_scale), mode="nearest")
    assert torch.allclose(state.D(x, labels), old.D(squares, labels), atol=1e-4)


def test_another_architecture_and_sizes_of_which_none_fits_are_refused_with_a_remedy(tmp_path: Path):
    saved(tmp_path, TINY)
    cfg = ARCHITECTURES["fastgan"]
    with pytest.raises(ValueError, match="holds a stylegan2, and this run trains a fastgan: choose a --preset"):
        carry_over(new_state(cfg, FACTS, CPU), tmp_path, cfg, FACTS)
    tensors, stored, facts = load_checkpoint(tmp_path / CHECKPOINT)
    save_checkpoint(tmp_path / CHECKPOINT, {name: t[None] for name, t in tensors.items()}, stored, facts)
    with pytest.raises(ValueError, match="leave out --init"):
        carry_over(new_state(TINY, FACTS, CPU), tmp_path, TINY, FACTS)
    with pytest.raises(ValueError, match="no checkpoint there"):
        carry_over(new_state(TINY, FACTS, CPU), tmp_path / "none", TINY, FACTS)


def test_a_run_says_whose_weights_it_began_with_until_it_is_exported(shapes: Path, run: Path, tmp_path: Path):
    out = tmp_path / "run"
    train(shapes, out, replace(TINY, lr=1e-9), Budget(kimg=0.008), device="cpu", init=run)
    tensors, _, facts = load_checkpoint(out / CHECKPOINT)
    assert facts.init == "shapes (cc0-1.0), 0.1 kimg" and facts.seen == 8
    training = make_spec("mine", load_trained(out / CHECKPOINT)).training
    assert training["init"] == facts.init and training["kimg"] == round((80 + 8) / 1000, 1)  # both have seen pictures
    assert "init" not in make_spec("mine", load_trained(run / CHECKPOINT)).training
    before = load_checkpoint(run / CHECKPOINT)[0]["G.synthesis.const"]
    assert torch.allclose(tensors["G.synthesis.const"], before, atol=1e-6)
    with pytest.raises(ValueError, match="leave out --init"):
        train(shapes, out, TINY, Budget(kimg=1), resume=True, device="cpu", init=run)


def test_a_run_begins_with_the_start_of_a_bundle(run: Path, shapes: Path, tmp_path: Path):
    """Half precision keeps eleven bits; the generator that goes on is the averaged one."""
    export_bundle(run, tmp_path / "w" / "shapes", start=True)
    tensors, cfg, facts = load_checkpoint(run / CHECKPOINT)
    state = new_state(replace(cfg, seed=7), facts, CPU)
    said = carry_over(state, tmp_path / "w" / "shapes", cfg, facts).init
    assert said == "shapes (cc0-1.0), 0.1 kimg"
    assert said in begun(replace(facts, init=said)) and not begun(facts)
    for prefix, network in {"G_ema": state.G, "D": state.D}.items():
        for name, tensor in network.state_dict().items():
            assert torch.allclose(tensor, tensors[f"{prefix}.{name}"], rtol=2**-10, atol=1e-6), name
    assert (tmp_path / "w" / "shapes" / START).stat().st_size < (run / CHECKPOINT).stat().st_size / 5
    with pytest.raises(ValueError, match="neither a run nor a start"):
        carry_over(state, shapes, cfg, facts)


def test_a_run_that_begins_with_one_that_began_with_another_tells_of_both(tmp_path: Path):
    first = "apes (cc0-1.0), 40.0 kimg"
    saved(tmp_path, TINY, replace(FACTS, init=first, init_seen=40_000))
    facts = carry_over(new_state(TINY, FACTS, CPU), tmp_path, TINY, FACTS)
    assert facts.init.endswith(f"12.3 kimg, begun with {first}") and facts.init_seen == 52_340
    other = carry_over(new_state(TINY, FACTS, CPU), tmp_path, TINY, replace(FACTS, dataset="robots"))
    assert other.init == facts.init and other.init_seen == 0  # it has seen none of these pictures yet


def test_an_init_is_a_path_the_name_of_a_shipped_model_or_none(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    export_bundle(run, tmp_path / "weights" / "apes", start=True)
    monkeypatch.setattr("ganapp.train.gan.carry.WEIGHTS", tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    assert named("apes") == tmp_path / "weights" / "apes" and named("runs/apes") == Path("runs/apes")
    assert named("none") is None and named("auto") == AUTO
    (tmp_path / "apes").mkdir()
    assert named("apes") == Path("apes")  # what is there comes first


def test_of_itself_a_run_begins_with_the_shipped_model_for_such_pictures_whose_sizes_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ganapp.train.gan.carry.WEIGHTS", tmp_path)
    assert suited_start(TINY, False) is None  # none is shipped here
    cfg = ARCHITECTURES["stylegan2-supersampled"]
    for name in ("critters", "faces"):
        (tmp_path / name).mkdir()
        saved(tmp_path / name, cfg)
        write_start(tmp_path / name / CHECKPOINT, tmp_path / name / START)
    assert [suited_start(cfg, pixel_art) for pixel_art in (False, True)] == [
        tmp_path / "critters" / START, tmp_path / "faces" / START,
    ]  # fmt: skip
    fitted = replace(cfg, network=replace(cfg.network, plane_scale=1, supersample=1))
    assert suited_start(fitted, False) == tmp_path / "critters" / START
    assert suited_start(replace(cfg, network=replace(cfg.network, width=8)), False) is None
    assert suited_start(ARCHITECTURES["dcgan"], False) is None


def test_a_run_that_begins_of_itself_says_with_what_and_goes_on_by_resume(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ganapp.train.gan.carry.WEIGHTS", tmp_path)
    (tmp_path / "critters").mkdir()
    saved(tmp_path / "critters", TINY)
    write_start(tmp_path / "critters" / CHECKPOINT, tmp_path / "critters" / START)
    for kimg, resume in ((0.008, False), (0.016, True)):
        train(shapes, tmp_path / "run", TINY, Budget(kimg=kimg), resume=resume, device="cpu", init=AUTO)
        facts = load_checkpoint(tmp_path / "run" / CHECKPOINT)[2]
        assert facts.init_seen == 12_340 and facts.seen == kimg * 1000
    train(shapes, tmp_path / "other", TINY, Budget(kimg=0.008), device="cpu")
    assert not load_checkpoint(tmp_path / "other" / CHECKPOINT)[2].init


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (1, 2), (2, 2)])
def test_a_network_with_other_overlays_takes_the_planes_and_draws_nearly_the_same(
    before: int, after: int, shapes: Path, tmp_path: Path
):
    small = replace(ARCHITECTURES["stylegan2-palette"], quality_kimg=math.inf)
    old, new = (replace(small, network=replace(small.network, overlays=count)) for count in (before, after))
    train(shapes, tmp_path / "old", old, Budget(kimg=0.016), device="cpu")
    dataset = load_dataset(shapes)
    state = new_state(new, facts_of(dataset), torch.device("cpu"))
    carry_over(state, tmp_path / "old", new, facts_of(dataset))
    taken, given = state.G.state_dict(), load_checkpoint(tmp_path / "old" / CHECKPOINT)[0]
    for name in ("to_rgb.1.weight", "rgb_bias"):
        rows, wanted = taken[f"synthesis.{name}"], given[f"G.synthesis.{name}"]
        assert torch.equal(rows[:6], wanted[:6]) and torch.equal(rows[-1], wanted[-1])
        kept = min(before, after)
        assert torch.equal(rows[6 : 6 + kept], wanted[6 : 6 + kept])
        fresh = rows[6 + kept : -1]
        assert (fresh == (Palette.ABSENT if rows.ndim == 1 else 0)).all()
