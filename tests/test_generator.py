import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tiny_bundle import CRITTERS, FACES, PLAIN, mapping, set_spec, synthesis, write_bundle

import ganapp.serve.generator
from ganapp.contract import GENERATOR, MAPPING, SYNTHESIS, BundleError
from ganapp.latents import z_from_seeds
from ganapp.serve import generator as module
from ganapp.serve.generator import CHUNK, PlainGenerator, StyleGenerator, open_generator, read_spec
from ganapp.serve.session import CPU, CUDA, run


def draw(generator: StyleGenerator | PlainGenerator, seeds, labels=None, psi=1.0, noise_seed=0) -> np.ndarray:
    return np.stack(list(generator.generate(list(seeds), labels, psi, noise_seed))).astype(int)


@pytest.fixture(params=["style", "plain"])
def generator(request: pytest.FixtureRequest) -> StyleGenerator | PlainGenerator:
    return request.getfixturevalue(request.param)


def test_an_image_depends_on_its_seed_and_not_on_its_batch(generator):
    together = draw(generator, range(11))
    for seed in (0, 4, 9, 10):
        assert np.array_equal(together[seed], draw(generator, [seed])[0])


def test_a_gpu_draws_many_at_a_time_in_few_shapes(generator, monkeypatch: pytest.MonkeyPatch):
    """Here the CPU takes the place of CUDA."""
    alone, sizes = draw(generator, range(75)), []

    def counted(session: ort.InferenceSession, inputs: dict[str, np.ndarray]) -> np.ndarray:
        sizes.append(len(next(iter(inputs.values()))))
        return run(session, inputs)

    monkeypatch.setitem(CHUNK, CPU, CHUNK[CUDA])
    monkeypatch.setattr(ganapp.serve.generator, "run", counted)
    together = draw(generator, range(75))
    assert np.abs(together - alone).max() <= 1  # a batch may sum in another order
    assert sizes[-5:] == [32, 32, 8, 2, 1]


def test_a_batch_is_run_whole_and_in_order_in_chunks_of_few_sizes(style: StyleGenerator):
    session = style._synthesis
    inputs = {"z": np.arange(22).reshape(11, 2), "psi": np.arange(11) / 10}
    chunks = list(module._chunks(session, inputs, 4))
    assert [len(chunk["z"]) for chunk in chunks] == [4, 4, 2, 1]
    for name, values in inputs.items():
        assert np.array_equal(np.concatenate([chunk[name] for chunk in chunks]), values)
    assert [len(chunk["z"]) for chunk in module._chunks(session, {"z": np.zeros((3, 1))})] == [CHUNK[CPU]] * 3


def test_as_many_images_are_drawn_as_are_asked_for(generator):
    assert [len(draw(generator, range(count))) for count in (1, 4, 5, 8)] == [1, 4, 5, 8]


def test_unless_told_otherwise_psi_is_1_and_the_noise_seed_0(generator):
    assert np.array_equal(np.stack(list(generator.generate([3]))), draw(generator, [3], None, 1.0, 0))


def test_each_step_has_the_same_defaults(style: StyleGenerator, plain: PlainGenerator):
    z = z_from_seeds([3], CRITTERS.z_dim)
    ws = style.map(z)
    assert np.array_equal(ws, style.map(z, None, 1.0))
    assert np.array_equal(next(style.stream(ws)), next(style.stream(ws, 0)))
    assert np.array_equal(style.synthesize(ws), style.synthesize(ws, 0))
    z = z_from_seeds([3], PLAIN.z_dim)
    assert np.array_equal(next(plain.stream_z(z)), next(plain.stream_z(z, None, 1.0)))


def test_the_noise_seed_reaches_the_image(style: StyleGenerator):
    assert np.abs(draw(style, [1], noise_seed=1) - draw(style, [1])).max() > 3


def test_images_are_bytes_of_the_size_that_the_spec_promises(generator):
    image = next(generator.generate([3]))
    side = generator.spec.resolution
    assert image.dtype == np.uint8 and image.shape == (side, side, generator.spec.channels)


def test_psi_0_is_one_image_and_psi_1_is_not(generator):
    assert not np.ptp(draw(generator, range(5), psi=0), axis=0).any()
    assert np.ptp(draw(generator, range(5)), axis=0).max() > 10


def test_labels_change_the_image(generator):
    some = [1.0] + [0.0] * (generator.spec.num_labels - 1)
    assert np.abs(draw(generator, [1], some) - draw(generator, [1])).max() > 10


def test_labels_may_differ_from_row_to_row(style: StyleGenerator):
    z = z_from_seeds([1, 1], CRITTERS.z_dim)
    vectors = np.eye(2, CRITTERS.num_labels)
    each = style.map(z, vectors)
    assert np.allclose(each[0], style.map(z, vectors[0])[0], atol=1e-5)
    assert not np.allclose(each[0], each[1])


def test_the_noise_seed_changes_the_image_and_is_shared_by_a_batch(style: StyleGenerator):
    ws = style.map(z_from_seeds([1, 1], CRITTERS.z_dim))
    quiet, loud = style.synthesize(ws, 0).astype(int), style.synthesize(ws, 1).astype(int)
    assert np.abs(quiet - loud).max() > 3
    assert np.array_equal(quiet[0], quiet[1])


def test_every_layer_changes_the_image(style: StyleGenerator):
    ws = style.map(z_from_seeds([1], CRITTERS.z_dim))
    plain = style.synthesize(ws).astype(int)
    for layer in range(CRITTERS.num_ws):
        bent = ws.copy()
        bent[:, layer] += 1
        assert np.abs(style.synthesize(bent) - plain).max() > 3


def test_a_stream_draws_no_further_than_it_is_read(style: StyleGenerator):
    stream = style.stream(np.zeros((100_000, CRITTERS.num_ws, CRITTERS.w_dim), np.float32))
    assert next(stream).shape == (16, 16, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"z": np.zeros((0, 8))}, "z must be [N, 8] with N of at least 1"),
        ({"z": np.zeros((2, 7))}, "z must be [N, 8], not [2, 7]"),
        ({"z": np.full((1, 8), np.nan)}, "z must be finite"),
        ({"z": np.zeros((1, 8)), "psi": float("nan")}, "psi must be finite"),
        ({"z": np.zeros((1, 8)), "labels": [1.0]}, "labels must be [1, 5], not [1, 1]"),
        ({"z": np.zeros((1, 8)), "labels": [np.inf] * 5}, "labels must be finite"),
    ],
)
def test_what_onnx_runtime_would_swallow_is_refused(style: StyleGenerator, arguments: dict, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        style.map(**arguments)


def test_a_generator_without_styles_refuses_the_same_by_name(plain: PlainGenerator):
    with pytest.raises(ValueError, match=r"^psi must be finite"):
        next(plain.stream_z(np.zeros((1, 4)), psi=float("nan")))


def test_ws_that_are_not_finite_are_refused(style: StyleGenerator):
    with pytest.raises(ValueError, match="ws must be finite"):
        style.synthesize(np.full((1, CRITTERS.num_ws, CRITTERS.w_dim), np.inf))


def test_a_spec_is_read_without_opening_the_model(weights_dir: Path):
    for spec in (CRITTERS, FACES, PLAIN):
        assert read_spec(weights_dir / spec.name) == spec


def test_a_model_without_noise_opens_and_each_graph_is_known_by_its_file(
    weights_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    named = []
    opened = module.open_session
    monkeypatch.setattr(module, "open_session", lambda model, name, *rest: named.append(name) or opened(model, name))
    assert next(open_generator(weights_dir / FACES.name).generate([1])).shape == (16, 16, 4)
    assert named == [str(weights_dir / FACES.name / name) for name in (MAPPING, SYNTHESIS)]


def broken(folder: Path, how: str) -> None:
    """Write a bundle to `folder` and break it."""
    write_bundle(folder, CRITTERS)
    made = onnx.load(folder / SYNTHESIS)
    match how:
        case "missing":
            (folder / MAPPING).unlink()
        case "empty":
            (folder / SYNTHESIS).write_bytes(b"")
        case "cut off":
            (folder / SYNTHESIS).write_bytes((folder / SYNTHESIS).read_bytes()[:-100])
        case "text":
            (folder / SYNTHESIS).write_text("<html>404 not found</html>")
        case "LFS pointer":
            (folder / SYNTHESIS).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        case "link":
            (folder / SYNTHESIS).rename(folder.parent / "elsewhere.onnx")
            (folder / SYNTHESIS).symlink_to(folder.parent / "elsewhere.onnx")
        case "external data":
            onnx.save(made, folder / SYNTHESIS, save_as_external_data=True, size_threshold=0)
        case "no spec":
            del made.metadata_props[:]
        case "not a spec":
            set_spec(made, "[]")
        case "another model":
            set_spec(made, replace(CRITTERS, name="others").to_json())
        case "tensor names":
            made = mapping(CRITTERS, np.random.RandomState(0))
        case "tensor shapes":
            made = synthesis(replace(CRITTERS, resolution=8), np.random.RandomState(0))
            set_spec(made, CRITTERS.to_json())
        case "static batch":
            made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
        case "operator":
            made.graph.node[0].input.append("nothing")
    if how in (
        "no spec",
        "not a spec",
        "another model",
        "tensor names",
        "tensor shapes",
        "static batch",
        "tensor ranks",
        "operator",
    ):
        onnx.save(made, folder / SYNTHESIS)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", r"mapping\.onnx is missing; export"),
        ("empty", r"synthesis\.onnx: is empty; copy"),
        ("cut off", r"synthesis\.onnx: is not a whole ONNX file; copy"),
        ("text", r"synthesis\.onnx: is not a whole ONNX file; copy"),
        ("LFS pointer", r"synthesis\.onnx: is a Git LFS pointer.*git lfs pull"),
        ("link", r"synthesis\.onnx: is not a plain file; copy"),
        ("external data", r"synthesis\.onnx: keeps its weights in another file; export"),
        ("no spec", r"synthesis\.onnx: no ganapp\.spec metadata; export"),
        ("not a spec", r"synthesis\.onnx: ganapp\.spec does not describe a generator"),
        ("another model", r"flowers: mapping\.onnx and synthesis\.onnx are of two models; export"),
        ("tensor names", r"synthesis\.onnx: has tensors .*'psi'.*, not \['noise', 'ws'\]; export"),
        ("tensor shapes", r"synthesis\.onnx: images is .*\[N, 8, 8, 4\].*; export"),
        ("static batch", r"synthesis\.onnx: ws is .*\[1, 5, 6\].*; export"),
        ("operator", r"synthesis\.onnx: ONNX Runtime refuses it .*; export"),
    ],
)
def test_a_broken_bundle_says_which_file_what_is_wrong_and_what_to_do(tmp_path: Path, how: str, message: str):
    broken(tmp_path / "flowers", how)
    with pytest.raises(BundleError, match=message) as caught:
        open_generator(tmp_path / "flowers")
    assert str(tmp_path / "flowers") in str(caught.value)


def test_any_damage_to_a_file_is_a_bundle_error_or_harmless(tmp_path: Path):
    folder = write_bundle(tmp_path / "plain", PLAIN)
    whole = (folder / GENERATOR).read_bytes()
    rng = np.random.RandomState(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.randint(0, len(whole), 3):
            damaged[at] = rng.randint(256)
        (folder / GENERATOR).write_bytes(damaged[: rng.randint(1, len(whole) + 1)])
        try:
            read_spec(folder)
        except BundleError:
            continue


def test_a_model_with_a_style_space_cannot_be_one_graph(tmp_path: Path):
    folder = write_bundle(tmp_path / "plain", PLAIN)
    made = onnx.load(folder / GENERATOR)
    set_spec(made, CRITTERS.to_json())
    onnx.save(made, folder / GENERATOR)
    with pytest.raises(BundleError, match=r"a style space cannot be in generator\.onnx"):
        read_spec(folder)


def test_every_row_may_have_a_psi_of_its_own(generator):
    def psi_of(*values: float) -> np.ndarray:
        return np.concatenate([draw(generator, [seed], psi=psi) for seed, psi in zip((3, 4, 5), values, strict=True)])

    z = z_from_seeds((3, 4, 5), generator.spec.z_dim)
    if generator.spec.num_ws:
        together = generator.synthesize(generator.map(z, psi=[0.2, 1.0, -0.5]))
    else:
        together = np.stack(list(generator.stream_z(z, psi=[0.2, 1.0, -0.5])))
    assert np.array_equal(together, psi_of(0.2, 1.0, -0.5))
    with pytest.raises(ValueError, match=r"psi must be \[3\], not \[2\]"):
        list(generator.map(z, psi=[1, 1]) if generator.spec.num_ws else generator.stream_z(z, psi=[1, 1]))


def test_a_bundle_of_version_1_opens_and_draws_the_same(tmp_path: Path):
    old = open_generator(write_bundle(tmp_path / "old", replace(CRITTERS, version=1)))
    new = open_generator(write_bundle(tmp_path / "new", CRITTERS))
    z = z_from_seeds(range(5), CRITTERS.z_dim)
    psi = [0.1, 0.5, 1.0, 1.5, 0.5]
    assert np.array_equal(old.map(z, psi=0.5), new.map(z, psi=0.5))
    assert np.array_equal(old.map(z, psi=psi), new.map(z, psi=psi))


def test_a_graph_of_the_other_version_than_its_spec_says_is_refused(tmp_path: Path):
    folder = write_bundle(tmp_path / "critters", replace(CRITTERS, version=1))
    for name in (MAPPING, SYNTHESIS):
        model = onnx.load(folder / name)
        set_spec(model, CRITTERS.to_json())
        onnx.save(model, folder / name)
    with pytest.raises(BundleError, match=r"psi is tensor\(float\) \[1\]"):
        open_generator(folder)


def test_a_model_without_a_style_space_is_one_graph(tmp_path: Path):
    folder = write_bundle(tmp_path / "critters", CRITTERS)
    for name in (MAPPING, SYNTHESIS):
        made = onnx.load(folder / name)
        set_spec(made, PLAIN.to_json())
        onnx.save(made, folder / name)
    with pytest.raises(BundleError, match=r"a model with no style space cannot be in mapping\.onnx"):
        read_spec(folder)


def test_a_graph_that_leaves_its_size_open_is_held_to_the_spec_when_it_draws(
    style: StyleGenerator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "run", lambda session, inputs: np.zeros((1, 8, 8, 4), np.uint8))
    stream = style.stream(np.zeros((1, CRITTERS.num_ws, CRITTERS.w_dim), np.float32))
    with pytest.raises(BundleError, match=r"critters: drew \[1, 8, 8, 4\], which is not what its ganapp\.spec says"):
        next(stream)


@pytest.mark.parametrize(
    ("shape", "fits"),
    [(["N", 5, 6], True), ([None, "H", 6], True), (["N", 5], False), (["N", 5, 7], False), ([1, 5, 6], False)],
)
def test_a_graphs_shape_fits_where_each_side_is_open_or_the_same_and_the_batch_is_open(shape: list, fits: bool):
    assert module._fits(shape, (None, 5, 6)) == fits
