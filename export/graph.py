"""One torch module to one small ONNX file that has been checked."""

import logging
import warnings
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export.precision import Refused
from ganapp.contract import SPEC_KEY

OPSET = 20
MAX_BYTES = 10_000_000  # hubs take larger files only through extra tools
INT16_FROM = 256  # values; smaller tensors save nothing

# It warns that torchvision, which nothing here needs, is not installed.
logging.getLogger("torch.onnx").setLevel(logging.ERROR)


def traced(
    module: nn.Module, inputs: dict[str, Tensor], outputs: Sequence[str], dynamic: Sequence[str] = ("N",)
) -> onnx.ModelProto:
    """`module` as an ONNX model; `inputs` are examples by name, whose first dimensions are `dynamic`."""
    free = {i: torch.export.Dim(name, min=1, max=1 << 20) for i, name in enumerate(dynamic)}
    shapes = {name: free for name in inputs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's
        program = torch.onnx.export(
            module.eval(),
            kwargs=inputs,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    return program.model_proto


def packed(model: onnx.ModelProto, spec: str, int16: bool) -> bytes:
    """The model as a file with its spec in the metadata.

    With `int16`, weights take half the space (see `store_int16`). Raises Refused when the file would pass MAX_BYTES,
    onnx.checker's error when it is not valid.
    """
    original, model = model, onnx.ModelProto()
    model.CopyFrom(original)
    strip(model)
    if int16:
        store_int16(model)
    del model.metadata_props[:]
    model.metadata_props.add(key=SPEC_KEY, value=spec)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    if len(data) > MAX_BYTES:
        what = model.graph.output[0].name
        raise Refused(f"{what} would take {len(data) / 1e6:.1f} MB, over {MAX_BYTES / 1e6:.0f}: train it narrower")
    return data


def strip(model: onnx.ModelProto) -> None:
    """Drop names of source files, stack traces and intermediate shapes: they say where the model was made."""
    model.producer_name, model.producer_version, model.doc_string = "ganapp", "", ""
    del model.graph.value_info[:]
    model.graph.doc_string = ""
    for item in [*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output]:
        item.doc_string = ""
        del item.metadata_props[:]
    del model.graph.metadata_props[:]


def store_int16(model: onnx.ModelProto) -> None:
    """Turn large fp32 weights into int16 ones with a scale a row, which ONNX Runtime multiplies out at load.

    The step is a 32767th of the row's largest weight. fp16 is no smaller and rounds five times coarser: the
    images of a trained network then differ from torch by 2 to 3 grey levels.
    """
    nodes, tensors = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < INT16_FROM or values.ndim < 2:
            tensors.append(tensor)
            continue
        name = tensor.name
        peak = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
        scale = np.maximum(peak / 32767, np.finfo(np.float32).tiny).astype(np.float32)
        stored = np.rint(values / scale).astype(np.int16)
        tensors += [numpy_helper.from_array(stored, f"{name}_int16"), numpy_helper.from_array(scale, f"{name}_scale")]
        nodes.append(helper.make_node("Cast", [f"{name}_int16"], [f"{name}_cast"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name]))
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(tensors)
    model.graph.node.extend(nodes)
