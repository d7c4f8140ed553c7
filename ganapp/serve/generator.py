"""An opened generator: numpy in, uint8 images out, in chunks that keep memory flat."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ganapp.contract import GENERATOR, MAPPING, SPEC_KEY, SYNTHESIS, BundleError, GeneratorSpec
from ganapp.latents import noise_from_seed, z_from_seeds
from ganapp.serve.onnxfile import read_model
from ganapp.serve.session import CPU, CUDA, SESSION_THREADS, Graph, open_session, run, run_for

# Images at a time. A CPU gains next to nothing from more than one, and one by one a picture is the same to the byte
# in whatever batch it is drawn; a GPU would wait for the next one most of the time.
CHUNK = {CUDA: 32, CPU: 1}
SMALL = 256  # pixels a side up to which a model keeps its memory between two pictures, 20 MB for 128 pixels


# [N, num_labels], or one [num_labels] for all rows; None is "any"
Labels = Sequence[float] | Sequence[Sequence[float]] | np.ndarray | None
Psi = float | Sequence[float] | np.ndarray  # [N], or one number for all rows


class StyleGenerator:
    """A generator with a style space: a mapping graph (z, labels, psi -> ws) and a synthesis graph (ws -> images)."""

    def __init__(self, spec: GeneratorSpec, mapping: Graph, synthesis: Graph) -> None:
        self.spec = spec
        self._mapping = mapping
        self._synthesis = synthesis

    def on_failure(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the reason if one of the graphs fails to run."""
        for session in (self._mapping, self._synthesis):
            session.on_failure = tell

    def map(self, z: np.ndarray, labels: Labels = None, psi: Psi = 1.0) -> np.ndarray:
        """Styles float32 [N, num_ws, w_dim] of z [N, z_dim], truncated by psi [N], or by one psi for all rows.

        Labels are [N, num_labels], or one [num_labels] for all rows. Raises ValueError for another shape, an empty
        batch, and numbers that are not finite.
        """
        inputs = _latents(self.spec, z, labels)
        inputs["psi"] = _rows(psi, len(inputs["z"]))
        most = 1 if self.spec.version == 1 else None  # the graphs of version 1 take one psi for all rows
        return np.concatenate([run(self._mapping, chunk) for chunk in _chunks(self._mapping, inputs, most)])

    def stream(self, ws: np.ndarray, noise_seed: int = 0) -> Iterator[np.ndarray]:
        """Images uint8 [H, W, C] of ws [N, num_ws, w_dim], one at a time, drawn as they are taken.

        Every image gets the same noise, so none depends on its place in the batch. Raises as `map`.
        """
        return _draw(self._synthesis, self._styles(ws, noise_seed), self.spec)

    def paint(self, ws: np.ndarray, noise_seed: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Planes and colours, as `draw_planes` takes them, of ws [N, num_ws, w_dim], for a model with a palette.

        They come one at a time, painted as they are taken. Raises as `map`.
        """
        return _paint(self._synthesis, self._styles(ws, noise_seed))

    def _styles(self, ws: np.ndarray, noise_seed: int) -> dict[str, np.ndarray]:
        inputs = {"ws": _finite(ws, "ws", (None, self.spec.num_ws, self.spec.w_dim))}
        if self.spec.noise_dim:
            noise = noise_from_seed(noise_seed, self.spec.noise_dim)
            inputs["noise"] = np.broadcast_to(noise, (len(ws), len(noise)))
        return inputs

    def synthesize(self, ws: np.ndarray, noise_seed: int = 0) -> np.ndarray:
        """All of `stream` at once: uint8 [N, H, W, C]."""
        return np.stack(list(self.stream(ws, noise_seed)))

    def generate(
        self,
        seeds: Sequence[int],
        labels: Labels = None,
        psi: Psi = 1.0,
        noise_seed: int = 0,
    ) -> Iterator[np.ndarray]:
        """Images uint8 [H, W, C] of the seeds, in their order."""
        return self.stream(self.map(z_from_seeds(seeds, self.spec.z_dim), labels, psi), noise_seed)


class PlainGenerator:
    """A generator without a style space: one graph from z and labels to images. It has no noise to seed."""

    def __init__(self, spec: GeneratorSpec, session: Graph) -> None:
        self.spec = spec
        self._session = session

    def on_failure(self, tell: Callable[[str], None]) -> None:
        """As of StyleGenerator."""
        self._session.on_failure = tell

    def stream_z(self, z: np.ndarray, labels: Labels = None, psi: Psi = 1.0) -> Iterator[np.ndarray]:
        """Images uint8 [H, W, C] of z [N, z_dim], one at a time. Raises ValueError as StyleGenerator.map.

        There is no mean style to truncate towards; z is scaled instead, so that psi 0 is one image here too.
        """
        return _draw(self._session, self._scaled(z, labels, psi), self.spec)

    def paint_z(self, z: np.ndarray, labels: Labels = None, psi: Psi = 1.0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Planes and colours of z [N, z_dim], as StyleGenerator.paint gives them."""
        return _paint(self._session, self._scaled(z, labels, psi))

    def _scaled(self, z: np.ndarray, labels: Labels, psi: Psi) -> dict[str, np.ndarray]:
        inputs = _latents(self.spec, z, labels)
        inputs["z"] = inputs["z"] * _rows(psi, len(inputs["z"]))[:, None]
        return inputs

    def generate(
        self,
        seeds: Sequence[int],
        labels: Labels = None,
        psi: Psi = 1.0,
        noise_seed: int = 0,
    ) -> Iterator[np.ndarray]:
        """Images uint8 [H, W, C] of the seeds, in their order; `noise_seed` changes nothing."""
        return self.stream_z(z_from_seeds(seeds, self.spec.z_dim), labels, psi)


Generator = StyleGenerator | PlainGenerator


def read_spec(folder: Path) -> GeneratorSpec:
    """The spec of the bundle in `folder`, read without opening a session.

    Raises BundleError that names the folder, what is wrong and what to do.
    """
    return _read(folder)[0]


def open_generator(folder: Path, providers: list[str] | None = None) -> Generator:
    """The generator of the bundle in `folder`, ready to draw on the best of `providers`, by default this machine's.

    Raises BundleError as `read_spec`.
    """
    spec, models = _read(folder)
    sessions = {}
    for name, model in models.items():
        path = folder / name
        try:
            # A mapping takes 0.04 ms, on one thread or two.
            most_threads = 1 if name == MAPPING else SESSION_THREADS
            sessions[name] = open_session(model, str(path), providers, most_threads)
            sessions[name].gives_back = spec.resolution > SMALL
            _check_tensors(sessions[name], *_tensors(name, spec), spec.version)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from None
    if spec.num_ws:
        return StyleGenerator(spec, sessions[MAPPING], sessions[SYNTHESIS])
    return PlainGenerator(spec, sessions[GENERATOR])


def _read(folder: Path) -> tuple[GeneratorSpec, dict[str, bytes]]:
    """The spec and the model files by name, checked as far as they can be without running them."""
    names = [GENERATOR] if (folder / GENERATOR).exists() else [MAPPING, SYNTHESIS]
    models, specs = {}, []
    for name in names:
        path = folder / name
        if not path.exists() and not path.is_symlink():
            raise BundleError(f"{folder}: {name} is missing; export the checkpoint again")
        try:
            models[name], metadata = read_model(path)
            if SPEC_KEY not in metadata:
                raise BundleError(f"no {SPEC_KEY} metadata; export the checkpoint again")
            specs.append(GeneratorSpec.from_json(metadata[SPEC_KEY]))
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from None
    spec = specs[0]
    if any(other != spec for other in specs):
        raise BundleError(f"{folder}: {' and '.join(names)} are of two models; export the checkpoint again")
    if (spec.num_ws == 0) != (names == [GENERATOR]):
        kind = "no style space" if spec.num_ws == 0 else "a style space"
        raise BundleError(f"{folder}: a model with {kind} cannot be in {names[0]}; export the checkpoint again")
    return spec, models


Shapes = dict[str, tuple[int, ...]]  # sizes by tensor name, without the batch


def _tensors(name: str, spec: GeneratorSpec) -> tuple[Shapes, Shapes]:
    """The inputs and the outputs that the contract asks of the graph `name`."""
    latents: Shapes = {"z": (spec.z_dim,)}
    if spec.num_labels:
        latents["labels"] = (spec.num_labels,)
    ws: Shapes = {"ws": (spec.num_ws, spec.w_dim)}
    noise: Shapes = {"noise": (spec.noise_dim,)} if spec.noise_dim else {}
    images: Shapes = {"images": (spec.resolution, spec.resolution, spec.channels)}
    if name == MAPPING:
        return latents | {"psi": ()}, ws
    if spec.palette:
        images |= {
            "planes": (spec.num_planes, spec.plane_side, spec.plane_side),
            "colours": (spec.palette + spec.overlays, 4 if spec.overlays else 3),
        }
    return latents if name == GENERATOR else ws | noise, images


def _check_tensors(session: ort.InferenceSession, inputs: Shapes, outputs: Shapes, version: int) -> None:
    """Raise BundleError unless the session has these tensors. A size that the graph leaves open fits any."""
    for wanted, found in ((inputs, session.get_inputs()), (outputs, session.get_outputs())):
        names = {tensor.name for tensor in found}
        if names != wanted.keys():
            raise BundleError(f"has tensors {sorted(names)}, not {sorted(wanted)}; export the checkpoint again")
        for tensor in found:
            kind = "tensor(uint8)" if tensor.name == "images" else "tensor(float)"
            batch = (1,) if tensor.name == "psi" and version == 1 else (None,)
            if tensor.type != kind or not _fits(tensor.shape, (*batch, *wanted[tensor.name])):
                size = ", ".join(str(side) for side in tensor.shape)
                raise BundleError(
                    f"{tensor.name} is {tensor.type} [{size}], which its {SPEC_KEY} does not say; "
                    "export the checkpoint again"
                )


def _fits(shape: Sequence[int | str | None], wanted: Sequence[int | None]) -> bool:
    """Whether a graph's shape allows the wanted one, where None stands for any batch and so must be open."""
    if len(shape) != len(wanted):
        return False
    pairs = zip(shape, wanted, strict=True)
    return all(not isinstance(side, int) or (size is not None and side == size) for side, size in pairs)


def _latents(spec: GeneratorSpec, z: np.ndarray, labels: Labels) -> dict[str, np.ndarray]:
    """The inputs z [N, z_dim] and, where the model has any, labels [N, num_labels]."""
    inputs = {"z": _finite(z, "z", (None, spec.z_dim))}
    rows = len(inputs["z"])
    vectors: np.ndarray = np.zeros(spec.num_labels) if labels is None else np.asarray(labels, np.float32)
    if vectors.ndim == 1:
        vectors = np.broadcast_to(vectors, (rows, len(vectors)))
    vectors = _finite(vectors, "labels", (rows, spec.num_labels))
    if spec.num_labels:
        inputs["labels"] = vectors
    return inputs


def _rows(psi: Psi, count: int) -> np.ndarray:
    """psi as float32 [count], one number for all rows spread over them."""
    values = np.asarray(psi, np.float32)
    return _finite(np.broadcast_to(values, (count,)) if values.ndim == 0 else values, "psi", (count,))


def _finite(values: np.ndarray | Sequence[float], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """`values` as float32 of this shape. ONNX Runtime would take NaN and empty batches without a word."""
    array = np.asarray(values, np.float32)
    wanted = ", ".join("N" if size is None else str(size) for size in shape)
    if array.ndim != len(shape) or any(w not in (None, s) for w, s in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} must be [{wanted}], not {list(array.shape)}")
    if shape[0] is None and not len(array):
        raise ValueError(f"{name} must be [{wanted}] with N of at least 1")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers")
    return array


def _chunks(
    session: ort.InferenceSession, inputs: dict[str, np.ndarray], most: int | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """The batch in chunks of `most` or CHUNK rows, its rest in powers of two, so that sessions plan for few shapes."""
    rows = max(len(values) for values in inputs.values())
    most = most or CHUNK[session.get_providers()[0]]
    at = 0
    while at < rows:
        size = min(most, 1 << (rows - at).bit_length() - 1)
        yield {name: np.ascontiguousarray(values[at : at + size]) for name, values in inputs.items()}
        at += size


def _paint(session: ort.InferenceSession, inputs: dict[str, np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for chunk in _chunks(session, inputs):
        yield from zip(*run_for(session, chunk, ["planes", "colours"]), strict=True)


def _draw(session: ort.InferenceSession, inputs: dict[str, np.ndarray], spec: GeneratorSpec) -> Iterator[np.ndarray]:
    for chunk in _chunks(session, inputs):
        images = run(session, chunk)
        if images.shape[1:] != (spec.resolution, spec.resolution, spec.channels):  # a graph may leave sizes open
            raise BundleError(f"{spec.name}: drew {list(images.shape)}, which is not what its {SPEC_KEY} says")
        yield from images
