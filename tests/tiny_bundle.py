"""Tiny bundles made by hand with onnx.helper, so that the serving half is tested without torch.

Every layer of ws, the labels, psi and the noise change the picture, and nothing about it is trained.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ganapp.contract import GENERATOR, MAPPING, SPEC_KEY, SYNTHESIS, GeneratorSpec
from ganapp.directions import Direction

CRITTERS = GeneratorSpec(
    name="critters",
    resolution=16,
    channels=4,
    z_dim=8,
    w_dim=6,
    num_ws=5,
    noise_dim=7,
    attributes={"body_color": ("red", "green", "blue"), "eyes": ("one", "two")},
    training={"dataset": "critters", "licence": "CC0 1.0", "statement": "Drawn by a test.", "kimg": 12.5},
    measured={"noise": 20, "attributes": {"eyes": {"two": 0.1}}, "readable": {"eyes": {"two": 0.9}}, "apart": [[0, 3]]},
)
FACES = GeneratorSpec(name="faces", resolution=16, channels=4, z_dim=8, w_dim=6, num_ws=4, noise_dim=0, pixel_size=2)
PLAIN = GeneratorSpec(
    name="plain", resolution=8, channels=3, z_dim=4, w_dim=0, num_ws=0, noise_dim=0, attributes={"hat": ("on", "off")}
)

PAINTED = GeneratorSpec(
    name="painted",
    resolution=16,
    channels=4,
    z_dim=8,
    w_dim=6,
    num_ws=3,
    noise_dim=0,
    palette=5,
    attributes={"hat": ("on", "off")},
    directions=(Direction.of("hat: on – off", (0, 2), [0.5] * 6), Direction.of("shape 1", (0,), [0, 1, 0, 0, 0, 0])),
)


def write_bundle(folder: Path, spec: GeneratorSpec, seed: int = 0) -> Path:
    """The graphs of `spec` with random weights, in a new `folder`."""
    folder.mkdir(parents=True)
    rng = np.random.RandomState(seed)
    if spec.num_ws:
        onnx.save(mapping(spec, rng), folder / MAPPING)
        onnx.save((painted if spec.palette else synthesis)(spec, rng), folder / SYNTHESIS)
    else:
        onnx.save(plain(spec, rng), folder / GENERATOR)
    return folder


def mapping(spec: GeneratorSpec, rng: np.random.RandomState) -> onnx.ModelProto:
    """ws = w_avg + psi * (z A + labels B), one block of columns for each layer."""
    width = spec.num_ws * spec.w_dim
    tensors = {
        "column": np.array([1], np.int64),
        "A": rng.randn(spec.z_dim, width) / spec.z_dim**0.5,
        "w_avg": rng.randn(width),
    }
    nodes = [helper.make_node("MatMul", ["z", "A"], ["w"])]
    last = "w"
    if spec.num_labels:
        tensors["B"] = rng.randn(spec.num_labels, width)
        nodes += [helper.make_node("MatMul", ["labels", "B"], ["l"]), helper.make_node("Add", ["w", "l"], ["wl"])]
        last = "wl"
    nodes += [
        helper.make_node("Unsqueeze", ["psi", "column"], ["rows"]),
        helper.make_node("Mul", [last, "rows"], ["truncated"]),
        helper.make_node("Add", ["truncated", "w_avg"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["ws"]),
    ]
    inputs = {"z": ["N", spec.z_dim], **labels_input(spec), "psi": [1] if spec.version == 1 else ["N"]}
    return model(spec, nodes, inputs, {"ws": ["N", spec.num_ws, spec.w_dim]}, tensors, [-1, spec.num_ws, spec.w_dim])


def synthesis(spec: GeneratorSpec, rng: np.random.RandomState) -> onnx.ModelProto:
    """images = 255 sigmoid(ws C + noise D)."""
    width, pixels = spec.num_ws * spec.w_dim, spec.resolution**2 * spec.channels
    tensors = {"C": rng.randn(width, pixels) / width**0.5}
    nodes = [helper.make_node("Flatten", ["ws"], ["flat"]), helper.make_node("MatMul", ["flat", "C"], ["x0"])]
    inputs = {"ws": ["N", spec.num_ws, spec.w_dim]}
    last = "x0"
    if spec.noise_dim:
        tensors["D"] = rng.randn(spec.noise_dim, pixels) * 0.2
        inputs["noise"] = ["N", spec.noise_dim]
        nodes += [helper.make_node("MatMul", ["noise", "D"], ["n"]), helper.make_node("Add", ["x0", "n"], ["x1"])]
        last = "x1"
    return image_model(spec, nodes, inputs, tensors, last)


def painted(spec: GeneratorSpec, rng: np.random.RandomState) -> onnx.ModelProto:
    """planes = ws C, smooth over 4 by 4 knots, and colours = sigmoid(ws D); images are what they show."""
    width, side, K = spec.num_ws * spec.w_dim, spec.resolution, spec.palette
    knots = rng.randn(width, K + 1, 4, 4) / width**0.5 * 6
    wide = np.array([[max(0.0, 1 - abs((i + 0.5) * 4 / side - 0.5 - j)) for j in range(4)] for i in range(side)])
    tensors = {
        "C": np.einsum("wkij,yi,xj->wkyx", knots, wide, wide).reshape(width, -1),
        "D": rng.randn(width, K * 3) / width**0.5 * 2,
        "painting": np.array([-1, K + 1, side, side], np.int64),
        "paints": np.array([-1, K, 3], np.int64),
        "split": np.array([K, 1], np.int64),
        "white": np.array(255.0),
    }
    nodes = [
        helper.make_node("Flatten", ["ws"], ["flat"]),
        helper.make_node("MatMul", ["flat", "C"], ["p"]),
        helper.make_node("Reshape", ["p", "painting"], ["planes"]),
        helper.make_node("MatMul", ["flat", "D"], ["d"]),
        helper.make_node("Sigmoid", ["d"], ["mixed"]),
        helper.make_node("Reshape", ["mixed", "paints"], ["colours"]),
        helper.make_node("Split", ["planes", "split"], ["logits", "a"], axis=1),
        helper.make_node("Softmax", ["logits"], ["shares"], axis=1),
        helper.make_node("Einsum", ["shares", "colours"], ["rgb"], equation="nkyx,nkc->nyxc"),
        helper.make_node("Sigmoid", ["a"], ["alpha"]),
        helper.make_node("Transpose", ["alpha"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Concat", ["rgb", "last"], ["unit"], axis=3),
        helper.make_node("Mul", ["unit", "white"], ["grey"]),
        helper.make_node("Round", ["grey"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["bytes"], to=TensorProto.UINT8),
        helper.make_node("Reshape", ["bytes", "shape"], ["images"]),
    ]
    outputs = {
        "images": ["N", side, side, 4],
        "planes": ["N", K + 1, side, side],
        "colours": ["N", K, 3],
    }
    inputs = {"ws": ["N", spec.num_ws, spec.w_dim]}
    return model(spec, nodes, inputs, outputs, tensors, [-1, side, side, 4])


def plain(spec: GeneratorSpec, rng: np.random.RandomState) -> onnx.ModelProto:
    """images = 255 sigmoid(z C + labels B)."""
    pixels = spec.resolution**2 * spec.channels
    tensors = {"C": rng.randn(spec.z_dim, pixels)}
    nodes = [helper.make_node("MatMul", ["z", "C"], ["x0"])]
    last = "x0"
    if spec.num_labels:
        tensors["B"] = rng.randn(spec.num_labels, pixels)
        nodes += [helper.make_node("MatMul", ["labels", "B"], ["l"]), helper.make_node("Add", ["x0", "l"], ["x1"])]
        last = "x1"
    return image_model(spec, nodes, {"z": ["N", spec.z_dim], **labels_input(spec)}, tensors, last)


def labels_input(spec: GeneratorSpec) -> dict[str, list]:
    return {"labels": ["N", spec.num_labels]} if spec.num_labels else {}


def image_model(spec: GeneratorSpec, nodes: list, inputs: dict, tensors: dict, last: str) -> onnx.ModelProto:
    side = spec.resolution
    tensors["white"] = np.array(255.0)
    nodes = [
        *nodes,
        helper.make_node("Sigmoid", [last], ["unit"]),
        helper.make_node("Mul", ["unit", "white"], ["grey"]),
        helper.make_node("Cast", ["grey"], ["bytes"], to=TensorProto.UINT8),
        helper.make_node("Reshape", ["bytes", "shape"], ["images"]),
    ]
    shape = [-1, side, side, spec.channels]
    return model(spec, nodes, inputs, {"images": ["N", *shape[1:]]}, tensors, shape)


def model(
    spec: GeneratorSpec, nodes: list, inputs: dict, outputs: dict, tensors: dict, shape: list[int]
) -> onnx.ModelProto:
    """A model with the spec in its metadata; `shape` is the constant that the last Reshape takes."""

    def values(sizes: dict) -> list:
        return [
            helper.make_tensor_value_info(name, TensorProto.UINT8 if name == "images" else TensorProto.FLOAT, size)
            for name, size in sizes.items()
        ]

    tensors = {name: value if value.dtype == np.int64 else value.astype(np.float32) for name, value in tensors.items()}
    initializers = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    initializers.append(numpy_helper.from_array(np.array(shape, np.int64), "shape"))
    graph = helper.make_graph(nodes, "tiny", values(inputs), values(outputs), initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    set_spec(made, spec.to_json())
    return made


def set_spec(made: onnx.ModelProto, text: str) -> None:
    """Put `text` where the spec is."""
    del made.metadata_props[:]
    entry = made.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, text
