"""A look inside an ONNX file before ONNX Runtime opens it: its metadata, and whether it reaches for other files.

Weights folders are copied from strangers: a file that is broken, huge or not a plain file must be named and passed
over, and one whose tensors lie "in another file" must not make us read any file of this machine. An ONNX file is a
protobuf message. This module reads its framing alone, so it needs neither `onnx` nor `protobuf`, skips over the weights
without copying them, and runs nothing.
"""

from collections.abc import Iterator
from pathlib import Path

from ganapp.contract import BundleError
from ganapp.folders import printable

MAX_BYTES = 200 * 2**20
MAX_DEPTH = 32  # of graphs in attributes of nodes of graphs; exporters write two or three

# Field numbers of onnx.proto: which fields of a message hold messages that may hold tensors.
MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR, SPARSE, FUNCTION, TRAINING = range(8)
CHILDREN = {
    MODEL: {7: GRAPH, 20: TRAINING, 25: FUNCTION},
    GRAPH: {1: NODE, 5: TENSOR, 15: SPARSE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 22: SPARSE, 23: SPARSE},
    SPARSE: {1: TENSOR, 2: TENSOR},
    FUNCTION: {7: NODE, 11: ATTRIBUTE},
    TRAINING: {1: GRAPH, 2: GRAPH},
    TENSOR: {},
}
OPERATORS = {  # what the networks of this project are made of, and their like: pure, and without subgraphs
    "Abs", "Add", "And", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "Constant", "Conv",
    "ConvInteger", "ConvTranspose", "Cos", "DepthToSpace", "DequantizeLinear", "Div", "DynamicQuantizeLinear", "Einsum",
    "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm",
    "GlobalAveragePool", "Greater", "GreaterOrEqual", "GroupNormalization", "HardSigmoid", "HardSwish", "Identity",
    "InstanceNormalization", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "MatMul",
    "MatMulInteger", "Max", "MaxPool", "Mean", "Min", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pad", "Pow",
    "QLinearConv", "QLinearMatMul", "QuantizeLinear", "Reciprocal", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize", "Round", "Selu", "Shape", "Sigmoid", "Sign", "Sin",
    "Slice", "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile",
    "Transpose", "Trilu", "Unsqueeze", "Upsample", "Where",
}  # fmt: skip
DOMAINS = {"", "ai.onnx"}
MAX_NODES = 20_000

METADATA = 14  # of a model: repeated {1: key, 2: value}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor
OPERATOR, DOMAIN = 4, 7  # of a node

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_model(path: Path) -> tuple[bytes, dict[str, str]]:
    """The whole file and its metadata by key.

    Raises BundleError that says, without the file's name, what is wrong with it and what to do: it is too large, cannot
    be read, is not a plain file, is a Git LFS pointer, is damaged, keeps tensors in other files, or has operators that
    no network here has: loops and branches could run without end.
    """
    try:
        if not path.is_file() or not _at_home(path):
            raise BundleError("is not a plain file; copy the model file itself into the folder")
        if path.stat().st_size > MAX_BYTES:
            raise BundleError(f"is over {MAX_BYTES // 2**20} MiB, the limit; export a smaller model")
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot be read ({error.strerror or error}); let this user read it") from None
    if data.startswith(b"version https://git-lfs"):
        raise BundleError("is a Git LFS pointer, not the model; run `git lfs pull`")
    metadata: dict[str, str] = {}
    try:
        nodes = _walk(memoryview(data), MODEL, metadata, 0)
    except (IndexError, UnicodeDecodeError):
        raise BundleError("is not a whole ONNX file; copy it again or export the checkpoint again") from None
    if nodes > MAX_NODES:
        raise BundleError(f"has {nodes:,} operators, more than {MAX_NODES:,}; export a smaller model")
    if not data:
        raise BundleError("is empty; copy it again or export the checkpoint again")
    return data, metadata


def _at_home(path: Path) -> bool:
    """Whether the file, its links followed, lies in its own folder, or where the Hub's cache keeps files.

    There a snapshot's files are links into `blobs` of the same repository, two folders above the snapshot.
    """
    folder, target = path.parent.resolve(), path.resolve()
    homes = [folder, *(above.parent / "blobs" for above in folder.parents if above.name == "snapshots")]
    return any(target.is_relative_to(home) for home in homes)


def _walk(message: memoryview, kind: int, metadata: dict[str, str], depth: int) -> int:
    """Check a message of this kind, and gather the metadata; how many nodes are in it."""
    if depth > MAX_DEPTH:
        raise IndexError("nested too deeply")
    nodes, operator, domain = int(kind == NODE), "", ""
    for number, value in _fields(message):
        if kind == TENSOR and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value == 1)):
            raise BundleError("keeps its weights in another file; export with external_data=False")
        if not isinstance(value, memoryview):
            continue
        if kind == MODEL and number == METADATA:
            entry = {key: text for key, text in _fields(value) if isinstance(text, memoryview)}
            metadata[bytes(entry.get(1, b"")).decode()] = bytes(entry.get(2, b"")).decode()
        elif kind == NODE and number == OPERATOR:
            operator = bytes(value).decode()
        elif kind == NODE and number == DOMAIN:
            domain = bytes(value).decode()
        elif number in CHILDREN[kind]:
            nodes += _walk(value, CHILDREN[kind][number], metadata, depth + 1)
    if kind == NODE and (operator not in OPERATORS or domain not in DOMAINS):
        named = printable(f"{domain}.{operator}" if domain else operator)[:60]
        raise BundleError(f"has the operator {named!r}, which no network here has; export the checkpoint again")
    return nodes


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field, the value an int or the bytes. Raises IndexError if the framing is damaged."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if not 8 <= tag < 1 << 32:  # protobuf cuts what is larger: it would see another field than is seen here
            raise IndexError("no field has such a tag")
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == BYTES:
            size, at = _varint(message, at)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise IndexError(f"wire type {wire}")
        if at + size > len(message):
            raise IndexError("cut off")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError("a number without an end")
