"""One torch module to one small ONNX file that has been checked."""

import logging
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ganapp.contract import SPEC_KEY

OPSET = 20
MAX_BYTES = 10_000_000  # what a plain git push to a Space takes
FP16_FROM = 256  # values; smaller tensors save nothing and may be scales that want their digits

logging.getLogger("torch.onnx").setLevel(
    logging.ERROR
)  # it warns that torchvision, which nothing here needs, is not there


def export_graph(module: nn.Module, inputs: dict[str, Tensor], output: str, spec: str, half: bool) -> bytes:
    """`module` as an ONNX file with a dynamic batch; `inputs` are examples by name, batch first, `psi` apart.

    With `half`, weights are stored as fp16 and cast to fp32 when the model is loaded. `spec` goes into the
    metadata. Raises ValueError when the file would pass MAX_BYTES, onnx.checker's error when it is not valid.
    """
    batch = torch.export.Dim("N", min=1, max=1 << 20)
    shapes = {name: None if name == "psi" else {0: batch} for name in inputs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's
        program = torch.onnx.export(
            module.eval(),
            kwargs=inputs,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(inputs),
            output_names=[output],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    strip(model)
    if half:
        store_half(model)
    del model.metadata_props[:]
    model.metadata_props.add(key=SPEC_KEY, value=spec)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{output} would take {len(data) / 1e6:.1f} MB, over {MAX_BYTES / 1e6:.0f}: train it narrower")
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


def store_half(model: onnx.ModelProto) -> None:
    """Turn large fp32 weights into fp16 ones behind a Cast, which ONNX Runtime folds when it loads the model."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < FP16_FROM:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + "_fp16"))
        casts.append(helper.make_node("Cast", [name + "_fp16"], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
