"""What an upscaler's checkpoint says: its settings, and the facts of the pictures it learnt from."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from ganapp.train.checkpoint import read_tensors
from ganapp.train.upscaler.config import UpscalerConfig


@dataclass(frozen=True)
class UpscalerFacts:
    """What a checkpoint says besides its tensors: the pictures it learnt from and how far it got."""

    dataset: str
    count: int
    licence: str
    statement: str
    samples: str = ""
    init: str = ""
    seen: int = 0
    seconds: float = 0.0


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], UpscalerConfig, UpscalerFacts]:
    """Tensors by name, settings and facts. Raises ValueError that names the file when it cannot be read."""
    tensors, metadata = read_tensors(path)
    try:
        return tensors, UpscalerConfig.from_json(metadata["config"]), UpscalerFacts(**json.loads(metadata["facts"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not an upscaler's checkpoint ({error})") from None
