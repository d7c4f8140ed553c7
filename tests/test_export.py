"""Runs turned into bundles: equal to torch, small, clean, and published whole or not at all."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from tiny_bundle import CRITTERS
from tiny_run import ARCHITECTURES, ATTRIBUTES, write_dataset

import export.bundle
import export.parity
from export.bundle import Trained, export_bundle, find_checkpoint, load_trained, make_graphs, make_spec, write_graphs
from export.parity import Difference, beyond_rounding, cases, parity, visible_difference
from export.precision import take
from export.wrappers import fold
from ganapp.contract import CHECKPOINT, MAPPING, SYNTHESIS
from ganapp.latents import z_from_seeds
from ganapp.metrics.truncation import best
from ganapp.pictures.alpha import unpremultiply
from ganapp.pictures.planes import without_overlays
from ganapp.serve import session
from ganapp.serve.generator import open_generator
from ganapp.serve.library import Library
from ganapp.serve.session import CPU, CUDA
from ganapp.train.gan.checkpoint import BEST, load_checkpoint, save_checkpoint
from ganapp.train.gan.loop import Budget
from ganapp.train.gan.recorder import draw
from ganapp.train.gan.start import train


@pytest.fixture(scope="module")
def bundle(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("weights") / "shapes"
    assert export_bundle(run, out).precision == "int16"
    return out


def test_the_served_image_of_a_seed_is_the_one_that_training_showed(run: Path, bundle: Path):
    served = open_generator(bundle)
    images = np.stack(list(served.generate(range(6))))
    drawn = draw(load_trained(run / CHECKPOINT).G, range(6), torch.zeros(6, 4))
    assert visible_difference(images, drawn) <= 1


def test_parity_is_judged_on_the_cpu_even_where_there_is_a_gpu(
    run: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
):
    asked, honest = [], session.Graph

    def opened(*given, providers: list) -> session.Graph:
        asked.append(providers)
        return honest(*given, providers=[CPU])

    monkeypatch.setattr(session, "Graph", opened)
    monkeypatch.setattr(session, "cuda_devices", lambda: 1)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    open_generator(bundle)
    assert {providers[0][0] for providers in asked} == {CUDA}, "a machine with a GPU would use it"
    asked.clear()
    trained = load_trained(run / CHECKPOINT)
    assert parity(bundle, trained.G, make_spec("shapes", trained)).levels <= 1
    assert asked == [[CPU], [CPU]]


def test_the_spec_says_how_much_noise_shows(run: Path):
    trained = load_trained(run / CHECKPOINT)
    for layer in trained.G.synthesis.layers:
        layer.noise_strength.data.zero_()
    assert make_spec("shapes", trained).measured == {"noise": 0}
    trained.G.synthesis.layers[-1].noise_strength.data.fill_(2.0)
    assert make_spec("shapes", trained).measured["noise"] > 10


def test_psi_zero_is_one_image_for_each_choice_of_labels_and_the_mean_of_its_styles(bundle: Path):
    served = open_generator(bundle)
    z = z_from_seeds(range(400), served.spec.z_dim)
    means = []
    for chosen in ({}, {"colour": "red"}, {"colour": "red", "shape": "bar"}):
        labels = served.spec.labels(chosen)
        mean, every = served.map(z[:2], labels, 0.0)[:, 0], served.map(z, labels)[:, 0]
        assert np.abs(mean[0] - mean[1]).max() < 1e-6
        spread = np.linalg.norm(every - every.mean(0), axis=1).mean()
        assert np.linalg.norm(mean[0] - every.mean(0)) < 0.2 * spread
        half = served.map(z[:8], labels, 0.5)[:, 0]
        assert np.allclose(half - mean[0], 0.5 * (every[:8] - mean[0]), atol=1e-4)
        means.append(mean[0])
    assert min(np.abs(means[0] - means[1]).max(), np.abs(means[1] - means[2]).max()) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "stylegan2"])  # which `bundle` is of
def test_every_architecture_is_served_as_it_was_trained(name: str, shapes: Path, tmp_path: Path):
    train(shapes, tmp_path / "run", ARCHITECTURES[name], Budget(kimg=0.08), device="cpu")
    assert "at most" in export_bundle(tmp_path / "run", tmp_path / "w" / name).agreement
    served = Library(tmp_path / "w").generator(name)
    trained = load_trained(find_checkpoint(tmp_path / "run"))
    images = np.stack(list(served.generate(range(6))))
    assert visible_difference(images, draw(trained.G, range(6), torch.zeros(6, 4))) <= 1
    chosen = next(served.generate([1], served.spec.labels({"colour": "red"})))
    assert not np.array_equal(chosen, images[1])
    assert served.spec.training["architecture"] == trained.cfg.architecture
    assert served.spec.noise_dim == trained.G.noise_dim
    assert ("noise" in served.spec.measured) == bool(trained.G.noise_dim)
    assert trained.cfg.loss in (tmp_path / "w" / name / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stylegan2-palette", "stylegan2-supersampled", "coarse", "stylegan", "fastgan"])
def test_the_planes_and_colours_of_a_palette_draw_its_images(name: str, shapes: Path, tmp_path: Path):
    cfg = ARCHITECTURES["stylegan2-supersampled" if name == "coarse" else name]
    if name == "coarse":  # it learns with a sample a pixel, and is shown with four
        cfg = replace(cfg, network=replace(cfg.network, supersample=1))
    train(shapes, tmp_path / "run", cfg, Budget(kimg=0.08), device="cpu")
    export_bundle(tmp_path / "run", tmp_path / "w" / name)
    served = open_generator(tmp_path / "w" / name)
    spec, factor = served.spec, served.spec.supersample
    wanted = {"stylegan2-supersampled": (6, 2, 2), "coarse": (6, 2, 2), "fastgan": (6, 2, 1)}
    assert (spec.palette, factor, spec.plane_scale) == wanted.get(name, (6, 1, 1))
    images = np.stack(list(served.generate(range(3))))
    z = z_from_seeds(range(3), spec.z_dim)
    pairs = list(served.paint_z(z) if name == "fastgan" else served.paint(served.map(z)))
    overlays = 1 if name in ("stylegan2-supersampled", "coarse") else 0
    assert spec.overlays == overlays and pairs[0][1].shape == (6 + overlays, 4 if overlays else 3)
    assert pairs[0][0].shape == (7 + overlays, *[16 // spec.plane_scale] * 2)
    pairs = [without_overlays(*pair, overlays) for pair in pairs]
    planes, colours = (np.stack(parts) for parts in zip(*pairs, strict=True))
    count = colours.shape[1]
    enlarged = factor * spec.plane_scale
    if enlarged > 1:
        planes = F.interpolate(torch.from_numpy(planes), scale_factor=float(enlarged), mode="bilinear").numpy()
    shares = np.exp(planes[:, :count] - planes[:, :count].max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    alpha = 1 / (1 + np.exp(-planes[:, count:]))  # [N, 1, H, W]
    x = np.concatenate([np.einsum("nkhw,nkc->nchw", shares, colours) * alpha, alpha], 1)
    x = x.reshape(3, 4, 16, factor, 16, factor).mean((3, 5)).transpose(0, 2, 3, 1)
    assert visible_difference(unpremultiply((x * 255).astype(np.float32)), images) <= 1


def test_a_growing_network_is_exported_at_the_level_it_has_reached(shapes: Path, tmp_path: Path):
    """Its run ends while 16 pixels fade in over 8; in full, the picture would be another."""
    train(shapes, tmp_path / "run", ARCHITECTURES["stylegan"], Budget(kimg=0.08), device="cpu")
    G = load_trained(tmp_path / "run" / CHECKPOINT).G
    assert 3 < G.synthesis.level < 4
    before = draw(G, range(2), torch.zeros(2, 4))
    G.grow(10**9)
    assert not np.array_equal(before, draw(G, range(2), torch.zeros(2, 4)))


def test_of_a_folder_the_best_checkpoint_is_exported_and_the_last_where_none_was_measured(run: Path, tmp_path: Path):
    assert find_checkpoint(run) == run / CHECKPOINT
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    shutil.copy(folder / CHECKPOINT, folder / BEST)
    assert find_checkpoint(folder) == folder / BEST
    assert find_checkpoint(folder / CHECKPOINT) == folder / CHECKPOINT


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stylegan2", "dcgan"])
def test_an_rgb_run_without_labels_exports_too(name: str, tmp_path: Path):
    data = write_dataset(tmp_path / "data", channels=3, labelled=False)
    train(data, tmp_path / "run", ARCHITECTURES[name], Budget(kimg=0.008), device="cpu")
    export_bundle(tmp_path / "run", tmp_path / "w" / "shapes")
    served = open_generator(tmp_path / "w" / "shapes")
    assert next(served.generate([1])).shape == (16, 16, 3)
    assert served.spec.num_labels == 0
    if name == "stylegan2":
        trained = load_trained(tmp_path / "run" / CHECKPOINT)
        trained.G.mapping.w_avg += 3
        assert parity(tmp_path / "w" / "shapes", trained.G, served.spec).levels > 1


def test_folding_changes_no_result_and_leaves_the_network_as_it_was(run: Path):
    G = load_trained(run / CHECKPOINT).G
    ws, noise = torch.randn(2, G.num_ws, G.w_dim), torch.randn(2, G.noise_dim)
    before = G.synthesis(ws, noise)
    assert torch.allclose(fold(G.synthesis)(ws, noise), before, atol=1e-5)
    assert torch.equal(G.synthesis(ws, noise), before)


@pytest.mark.slow
def test_int16_weights_take_half_the_space(run: Path, bundle: Path, tmp_path: Path):
    export_bundle(run, tmp_path / "full", "fp32")
    small, full = ((folder / SYNTHESIS).stat().st_size for folder in (bundle, tmp_path / "full"))
    assert small < 0.75 * full


@pytest.mark.parametrize("name", [MAPPING, SYNTHESIS])
def test_a_graph_tells_nothing_of_where_it_was_made(name: str, bundle: Path):
    data = (bundle / name).read_bytes()
    model = onnx.load_from_string(data)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert b"site-packages" not in data and str(Path.cwd()).encode() not in data
    assert [p.key for p in model.metadata_props] == ["ganapp.spec"]


def test_the_card_says_licence_data_and_training(bundle: Path):
    card = (bundle / "README.md").read_text()
    assert card.startswith("---\nlicense: cc0-1.0\n")
    for fact in ("Drawn by the tests.", "`colour` | blue, red", "0.1 kimg", "samples.png"):
        assert fact in card, fact
    assert (bundle / "samples.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_bundle_that_differs_from_torch_is_not_published(
    run: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = shutil.copytree(bundle, tmp_path / "shapes")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(export.bundle, "parity", lambda *_: Difference(2, "seed 0"))
    with pytest.raises(ValueError, match="differ by 2 grey levels at seed 0"):
        export_bundle(run, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert list(tmp_path.iterdir()) == [out]


def test_parity_notices_weights_and_a_mean_style_that_are_not_the_exported_ones(
    run: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
):
    spec = open_generator(bundle).spec
    trained = load_trained(run / CHECKPOINT)
    trained.G.synthesis.rgb_bias += 0.1
    assert parity(bundle, trained.G, spec).levels > 1
    trained = load_trained(run / CHECKPOINT)
    monkeypatch.setattr(export.parity, "mean_latents", lambda z_dim: torch.ones(64, z_dim))
    assert parity(bundle, trained.G, spec).levels > 1


def with_an_outlier(trained: Trained) -> Trained:
    """A weight a hundred thousand times as large as the others of its row, on a channel that the style turns off."""
    conv = trained.G.synthesis.layers[-1].conv
    conv.affine.weight[0], conv.affine.bias[0], conv.weight[:, 0] = 0, 0, 1e5
    return trained


def spoilt(trained: Trained) -> Trained:
    """What no precision mends."""
    trained.G.synthesis.rgb_bias[1] = torch.nan
    return trained


@pytest.mark.slow
def test_weights_that_int16_would_spoil_are_stored_in_fp32_and_it_is_told_why(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export.bundle, "load_trained", lambda _: with_an_outlier(load_trained(run / CHECKPOINT)))
    taken = export_bundle(run, tmp_path / "w")
    assert taken.precision == "fp32" and "at most" in taken.agreement
    assert re.fullmatch(
        r"fp32: .* at most . grey levels?; not int16: .* differ by \d+ grey levels at seed \d+ at psi (1|0\.5), "
        r"pixel \(\d+, \d+\), (red|green|blue|alpha): \d+ and [\d.]+",
        str(taken),
    )
    assert "with weights in fp32" in (tmp_path / "w" / "README.md").read_text()
    with pytest.raises(ValueError, match=r"w: int16: .*seed.*; --precision fp32 passes"):
        export_bundle(run, tmp_path / "w", "int16")


def test_a_fault_that_no_precision_mends_is_refused_with_its_place(run: Path, tmp_path: Path):
    trained = load_trained(run / CHECKPOINT)
    spec = make_spec("shapes", trained)
    graphs = make_graphs(spoilt(trained).G, spec)

    def attempt(precision: str) -> str:
        write_graphs(tmp_path, graphs, spec, precision == "int16")
        return parity(tmp_path, trained.G, spec).agreed()

    for asked in ("auto", "fp32"):
        with pytest.raises(ValueError, match=r"seed 0 at psi 1, pixel \(0, 0\), green: \d+ and nan.*no precision pass"):
            take(tmp_path, asked, ("int16", "fp32"), attempt)


def test_small_pictures_are_compared_by_many_seeds_with_and_without_truncation():
    def seeds(resolution: int) -> dict[float, list[int]]:
        found: dict[float, list[int]] = {}
        for psi, part in cases(replace(CRITTERS, resolution=resolution)):
            found.setdefault(psi, []).extend(part)
        return found

    assert seeds(64) == {1.0: list(range(64)), 0.5: list(range(64))}
    assert len(seeds(96)[1.0]) == 28 and len(seeds(512)[0.5]) == 16


def test_a_value_at_a_tie_counts_as_the_byte_that_is_nearer():
    """Half a level is what rounding explains, and torch may itself round a tie either way."""
    for value, levels in ((126.5, 1), (126.49, 2), (127.5, 0), (128.5, 0), (129.5, 1), (129.51, 2), (129.4, 1)):
        found = beyond_rounding(np.full((1, 1, 1, 3), 128, np.uint8), np.full((1, 1, 1, 3), value))
        assert int(np.ceil(found.max() - 1e-3)) == levels, value


def test_foreign_files_are_neither_overwritten_nor_deleted(run: Path, bundle: Path, tmp_path: Path):
    for place in ("apes", ".apes.old", ".apes.part"):
        folder = shutil.copytree(bundle, tmp_path / place)
        (folder / "notes.txt").write_text("dear diary")
        with pytest.raises(ValueError, match=r"notes\.txt"):
            export_bundle(run, tmp_path / "apes")
        assert (folder / "notes.txt").read_text() == "dear diary"
        shutil.rmtree(folder)


@pytest.mark.slow
def test_what_a_killed_export_left_is_no_model_and_no_obstacle(run: Path, bundle: Path, tmp_path: Path):
    shutil.copytree(bundle, tmp_path / "apes")
    shutil.copytree(bundle, tmp_path / ".apes.part")
    assert Library(tmp_path).names() == ["apes"]
    export_bundle(run, tmp_path / "apes")
    assert [path.name for path in tmp_path.iterdir()] == ["apes"]


def test_the_command_names_what_is_missing(tmp_path: Path):
    command = [sys.executable, "-m", "export", str(tmp_path), "--out", str(tmp_path / "w")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and CHECKPOINT in result.stderr and "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_network_too_large_for_a_push_is_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export.graph, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="MB"):
        export_bundle(run, tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


def test_with_its_dataset_the_spec_and_the_card_tell_how_often_a_value_shows(run: Path, shapes: Path, tmp_path: Path):
    export_bundle(run, tmp_path / "w", "int16", shapes)
    spec = open_generator(tmp_path / "w").spec
    shown, readable = spec.measured["attributes"], spec.measured["readable"]
    assert {name: tuple(shares) for name, shares in shown.items()} == spec.attributes == ATTRIBUTES
    assert all(share > 0.9 for shares in readable.values() for share in shares.values())
    assert min(shown["colour"].values()) < 0.5 and "noise" in spec.measured  # ten steps teach no colours
    assert f"{spec.psi:g}" in spec.measured["truncation"] and spec.psi == best(spec.measured["truncation"])
    card = (tmp_path / "w" / "README.md").read_text()
    assert f"Drawn with a truncation of {spec.psi:g} unless another is asked for" in card
    [row] = [line for line in card.splitlines() if line.startswith("| `colour`")]
    seldom = spec.seldom_shown("colour")
    often = [value for value in ATTRIBUTES["colour"] if value not in seldom]
    samples = np.mean(list(shown["colour"].values()))
    assert row.startswith(f"| `colour` | {', '.join(often)} | {', '.join(seldom)} | {samples:.2f} | ")


def test_another_dataset_than_the_runs_own_is_refused(run: Path, tmp_path: Path):
    other = write_dataset(tmp_path / "data", count=12)
    with pytest.raises(ValueError, match="data: the run learnt from other pictures"):
        export_bundle(run, tmp_path / "w", "int16", other)
    assert not (tmp_path / "w").exists()


def test_the_spec_tells_the_story_of_the_run(bundle: Path):
    spec = open_generator(bundle).spec
    assert spec.training["kimg"] == 0.1 and spec.training["dataset"] == "shapes"
    assert spec.attributes == {"colour": ("blue", "red"), "shape": ("bar", "square")}


def test_a_difference_counts_as_much_as_it_shows():
    a = np.zeros((1, 1, 2, 4), np.uint8)
    a[..., 3] = [0, 255]
    clear, opaque = a.copy(), a.copy()
    clear[0, 0, 0, :3] = 200
    opaque[0, 0, 1, 0] = 9
    assert visible_difference(a, clear) == 0
    assert visible_difference(a, opaque) == 9
    assert visible_difference(a[..., :3], clear[..., :3]) == 200


@pytest.mark.parametrize("damage", ["nan", "shape", "missing"])
def test_a_checkpoint_that_somebody_changed_is_named_and_nothing_is_exported(damage: str, run: Path, tmp_path: Path):
    tensors, cfg, facts = load_checkpoint(run / CHECKPOINT)
    const = tensors.pop("G_ema.synthesis.const")
    if damage != "missing":
        tensors["G_ema.synthesis.const"] = const[:, :2] if damage == "shape" else torch.full_like(const, torch.nan)
    save_checkpoint(tmp_path / "changed.safetensors", tensors, cfg, facts)
    with pytest.raises(ValueError, match=r"changed\.safetensors .*; export another checkpoint of the run"):
        export_bundle(tmp_path / "changed.safetensors", tmp_path / "w")
    assert not (tmp_path / "w").exists()
