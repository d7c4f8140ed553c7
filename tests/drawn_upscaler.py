"""An upscaler made by hand with onnx.helper, so that the serving half is tested without torch."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tiny_bundle import set_spec

from ganapp.contract import UPSCALER, UpscalerSpec


def write_graph(folder: Path, scale: int = 2, reach: int = 1, seed: int = 0) -> Path:
    """A random upscaler as the real one is made: convolutions padded with zeros, over a bilinear enlargement.

    Each of its two 3x3 convolutions looks `reach` pixels away.
    """
    rng = np.random.RandomState(seed)
    spec = UpscalerSpec(folder.name, scale, 2 * reach + 1)  # the bilinear enlargement looks one pixel away
    size = {"kernel_shape": [3, 3], "dilations": [reach] * 2, "pads": [reach] * 4}
    nodes = [
        helper.make_node("Cast", ["images"], ["bytes"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["bytes"], ["x"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["x", "a", "b"], ["features"], **size),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("Conv", ["active", "c"], ["deep"], **size),
        helper.make_node("DepthToSpace", ["deep"], ["detail"], blocksize=scale, mode="CRD"),
        helper.make_node("Resize", ["x", "", "scales"], ["smooth"], mode="linear"),
        helper.make_node("Add", ["detail", "smooth"], ["y"]),
        helper.make_node("Clip", ["y", "black", "white"], ["clipped"]),
        helper.make_node("Round", ["clipped"], ["whole"]),
        helper.make_node("Transpose", ["whole"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["last"], ["enlarged"], to=TensorProto.UINT8),
    ]
    tensors = {
        "a": rng.randn(8, 3, 3, 3) / 5,
        "b": rng.randn(8) * 20,
        "c": (rng.randn(3, 8, 3, 3) / 10).repeat(scale**2, axis=0),  # alike, so that what is constant stays so
        "scales": np.array([1, 1, scale, scale]),
        "black": np.array(0),
        "white": np.array(255),
    }
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", "H", "W", 3])],
            [helper.make_tensor_value_info("enlarged", TensorProto.UINT8, ["N", "H2", "W2", 3])],
            [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    set_spec(made, spec.to_json())
    folder.mkdir(parents=True)
    onnx.save(made, folder / UPSCALER)
    return folder
