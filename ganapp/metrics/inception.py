"""torch-fidelity's InceptionV3, imported also where torchvision's compiled part does not fit torch."""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # PyPI's torchvision is made for CUDA. Beside a CPU build of torch its operators do not load, and then its Python
    # part fails because it describes two of them. Here they are only declared: nothing in the metrics calls them.
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torch_fidelity import FeatureExtractorInceptionV3
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

__all__ = ["URL_INCEPTION_V3", "FeatureExtractorInceptionV3"]
