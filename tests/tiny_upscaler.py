"""A tiny upscaler with random weights, for tests of what serves one."""

from pathlib import Path

import torch

from export.upscaler import write_upscaler
from ganapp.contract import UpscalerSpec
from ganapp.models.carn import CARN, CARNConfig


def make_tiny_upscaler(folder: Path, scale: int = 2) -> Path:
    """Write `upscaler.onnx` of an untrained network into the folder; returns the folder."""
    torch.manual_seed(scale)
    cfg = CARNConfig(scale=scale, width=8, blocks=1, units=1)
    net = CARN(cfg)
    torch.nn.init.normal_(net.tail.weight, std=0.05)  # it starts at zero, and would leave nothing to compare
    folder.mkdir(parents=True, exist_ok=True)
    write_upscaler(folder, net, UpscalerSpec(folder.name, scale, cfg.receptive_radius))
    return folder
