"""Settings: presets that hold what their names say, JSON and back, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from export.graph import MAX_BYTES
from ganapp.models import MODELS
from ganapp.models.dcgan import DCGANConfig
from ganapp.train.gan import command
from ganapp.train.gan.config import PRESETS, TrainConfig
from ganapp.train.upscaler import command as upscaler_command


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_json(name: str):
    assert TrainConfig.from_json(PRESETS[name].to_json()) == PRESETS[name]


def test_every_architecture_has_a_preset():
    assert {cfg.architecture for cfg in PRESETS.values()} == MODELS.keys()


def test_the_classic_preset_is_the_papers_recipe():
    cfg = PRESETS["dcgan64"]
    assert cfg.network == DCGANConfig(z_dim=100, width=64, max_width=512, depth=1, dropout=0.0)
    assert (cfg.loss, cfg.penalty, cfg.lr, cfg.beta1, cfg.beta2) == ("bce", "none", 2e-4, 0.5, 0.999)
    assert (cfg.smooth_real, cfg.noisy_labels, cfg.augment) == (0.0, 0.0, "none")


def test_the_preset_of_noisy_labels_has_some():
    assert 0 < PRESETS["dcgan128-noisy-labels"].noisy_labels <= 0.5


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"lr": float("nan")}, "lr"),
        ({"batch": 6}, "multiple of 4"),
        ({"noisy_labels": 0.7, "loss": "bce"}, "noisy_labels"),
        ({"noisy_labels": 0.1}, "--loss bce"),
        ({"augment_p": 0.9}, "leaks"),
        ({"augment": "adaptive", "holdout": 0.0}, "--holdout"),
        ({"beta1": 1.0}, "beta1"),
        ({"quality_kimg": 0.0}, "quality_kimg"),
        ({"attribute_loss": -1.0}, "attribute_loss"),
        ({"attribute_loss": 0.5, "network": DCGANConfig()}, "dcgan names no attributes"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changed: dict, said: str):
    with pytest.raises(ValueError, match=said):
        replace(TrainConfig(), **changed)


@pytest.mark.parametrize("resolution, names", [(64, PRESETS), (128, ["dcgan128-noisy-labels"])])
def test_every_preset_can_be_exported_at_the_size_it_is_for(resolution: int, names: list[str]):
    """int16 weights of a generator must fit the file that export allows."""
    for name in names:
        cfg = PRESETS[name]
        G = MODELS[cfg.architecture].generator(cfg.network, resolution, 4, 100)
        assert sum(p.numel() for p in G.parameters()) * 2 < 0.95 * MAX_BYTES, name


def test_a_run_from_before_there_was_a_choice_of_penalty_keeps_its_own():
    values = json.loads(replace(TrainConfig(), loss="nonsaturating").to_json())
    del values["penalty"], values["holdout"]
    cfg = TrainConfig.from_json(json.dumps(values))
    assert (cfg.penalty, cfg.holdout) == ("r1", 0.0)


def test_a_run_from_before_discriminators_named_attributes_goes_on_without():
    values = json.loads(PRESETS["default"].to_json())
    del values["attribute_loss"], values["network"]["judge_units"]
    cfg = TrainConfig.from_json(json.dumps(values))
    assert (cfg.attribute_loss, cfg.network.judge_units) == (0.0, 0)


@pytest.mark.parametrize("change", [{"warp": 9}, {"architecture": "biggan"}, {"network": {"warp": 9}}])
def test_settings_of_another_version_are_refused(change: dict):
    values = json.loads(TrainConfig().to_json())
    with pytest.raises(ValueError, match="another version"):
        TrainConfig.from_json(json.dumps({**values, **change}))


def test_the_command_changes_single_settings_of_a_preset(monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(command, "train", lambda *given: asked.append(given))
    words = ["data", "--out", "run", "--preset", "dcgan64", "--network.dropout", "0.2", "--augment", "adaptive"]
    command.run("train", [*words, "--augment-policy", "translation", "cutout", "--patience", "60", "--init", "other"])
    data, _, cfg, budget, resume, _, init = asked[0]
    assert (data, resume, budget.patience, init) == (Path("data"), False, 60, Path("other"))
    assert cfg == replace(
        PRESETS["dcgan64"],
        network=DCGANConfig(dropout=0.2),
        augment="adaptive",
        augment_policy=("translation", "cutout"),
    )


def test_the_learning_rate_holds_and_then_halves():
    cfg = replace(TrainConfig(), lr=1e-3, lr_hold_kimg=10.0, lr_half_life_kimg=5.0)
    assert [cfg.lr_at(seen) for seen in (0, 10_000, 15_000, 20_000)] == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4])


@pytest.mark.parametrize("command, reached", [(command, "train"), (upscaler_command, "train_upscaler")])
def test_a_run_computes_on_the_threads_it_is_given(command, reached: str, monkeypatch: pytest.MonkeyPatch):
    found = []
    monkeypatch.setattr(command, reached, lambda *given: found.append(torch.get_num_threads()))
    monkeypatch.setattr("ganapp.models.device.threads", lambda: 8)  # whatever this machine has
    try:
        for words in (["--threads", "3"], ["--threads", "2"], []):
            command.run("train", ["data", "--out", "run", *words])
        with pytest.raises(ValueError, match="--threads must be at least 1"):
            command.run("train", ["data", "--out", "run", "--threads", "0"])
    finally:
        torch.set_num_threads(1)
    assert found == [3, 2, 2]
