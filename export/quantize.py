"""Convolutions of an exported graph in 8 bits, which a CPU multiplies several times faster."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static


def quantized(model: onnx.ModelProto, nodes: list[str], images: np.ndarray) -> onnx.ModelProto:
    """The model with the named convolutions in 8 bits: weights by channel, activations by the range that `images` take.

    `images` uint8 [N, H, W, 3] are what the graph's input is fed. All else stays as it is.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "8-bit.onnx"
        quantize_static(
            model,
            path,
            Pictures(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=nodes,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # 7 bits for weights: with 8, sums overflow on CPUs without VNNI
        )
        small = onnx.load(path)
    spare_the_rest(small, nodes)
    return small


def spare_the_rest(model: onnx.ModelProto, nodes: list[str]) -> None:
    """Give the nodes that are not in 8 bits the exact values: the quantiser rounds a tensor for all that read it."""
    made = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if node.name in nodes or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for i, name in enumerate(node.input):
            if name in made and made[name].op_type == "DequantizeLinear" and made[name].input[0] in made:
                exact = made[made[name].input[0]].input[0]
                if made[exact].name not in nodes:
                    node.input[i] = exact


class Pictures(CalibrationDataReader):
    """The images one by one, as ONNX Runtime's calibration asks for them."""

    def __init__(self, images: np.ndarray):
        self.left: Iterator[np.ndarray] = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.left, None)
        return None if image is None else {"images": image[None]}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what the quantiser tells the root logger, as the user cannot mend it."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
