"""A whole training state in one safetensors file, written so that a crash loses nothing."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ganapp.train.config import TrainConfig

FILE = "checkpoint.safetensors"
BEST = "best.safetensors"  # the state whose samples came nearest to the real pictures, by KID


@dataclass(frozen=True)
class RunFacts:
    """What a checkpoint says besides its tensors: the dataset it learnt from and how far it got."""

    dataset: str
    fingerprint: str
    count: int
    resolution: int
    channels: int
    attributes: dict[str, tuple[str, ...]]
    pixel_size: int
    licence: str
    statement: str
    seen: int = 0
    seconds: float = 0.0

    @property
    def num_labels(self) -> int:
        return sum(map(len, self.attributes.values()))


def save_checkpoint(path: Path, tensors: dict[str, Tensor], cfg: TrainConfig, facts: RunFacts) -> None:
    """Write `path` whole or not at all."""
    write_tensors(path, tensors, {"config": cfg.to_json(), "facts": json.dumps(vars(facts))})


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], TrainConfig, RunFacts]:
    """Tensors by name, settings and facts. Raises ValueError that names the file when it cannot be read."""
    tensors, metadata = read_tensors(path)
    try:
        cfg = TrainConfig.from_json(metadata["config"])
        facts = json.loads(metadata["facts"])
        facts["attributes"] = {name: tuple(values) for name, values in facts["attributes"].items()}
        return tensors, cfg, RunFacts(**facts)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a ganapp checkpoint ({error})") from None


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write `path` whole or not at all: a neighbour is written, flushed to the disk, then renamed over it."""
    data = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name and metadata. Raises ValueError that names the file when it cannot be read."""
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata alone. Raises as `read_tensors`."""
    with _opened(path) as file:
        return file.metadata() or {}


@contextmanager
def _opened(path: Path) -> Iterator:
    """The open file. Raises ValueError that names it when it cannot be read."""
    try:
        with safe_open(path, "pt") as file:
            yield file
    except FileNotFoundError:
        raise ValueError(f"{path}: no checkpoint there; train first") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a ganapp checkpoint ({error})") from None


def pack_module(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}


def unpack_module(prefix: str, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    start = prefix + "."
    module.load_state_dict({name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)})


def pack_optimizer(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's moments and step counts by parameter number; its settings come from the config."""
    state = optimizer.state_dict()["state"]
    return {f"{prefix}.{i}.{name}": torch.as_tensor(value) for i, s in state.items() for name, value in s.items()}


def unpack_optimizer(prefix: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith(prefix + "."):
            _, i, name = key.split(".")
            like = parameters[int(i)]
            if tensor.shape == like.shape:
                # Fused Adam walks memory, so a moment must lie there as its parameter does (channels last).
                tensor = torch.empty_like(like, requires_grad=False).copy_(tensor)
            state.setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
