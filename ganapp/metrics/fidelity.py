"""What is used of torch-fidelity, imported also where torchvision's compiled part does not fit torch."""

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
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

__all__ = [
    "KEY_METRIC_FID",
    "KEY_METRIC_KID_MEAN",
    "KEY_METRIC_PRECISION",
    "KEY_METRIC_RECALL",
    "URL_INCEPTION_V3",
    "FeatureExtractorInceptionV3",
    "fid_features_to_statistics",
    "fid_statistics_to_metric",
    "kid_features_to_metric",
    "prc_features_to_metric",
]
