"""A whole training state in one safetensors file, written so that a crash loses nothing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ganapp.files import write_whole


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write `path` whole or not at all, also when the power fails."""
    data = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata)
    write_whole(path, data, durable=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name and metadata. Raises ValueError that names the file when it cannot be read."""
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata alone. Raises as `read_tensors`."""
    with _opened(path) as file:
        return file.metadata() or {}


@contextmanager
def fitting(path: Path, remedy: str) -> Iterator[None]:
    """Put the tensors of the checkpoint at `path` into networks inside. Raises ValueError that names it otherwise.

    A stranger may have changed it: another shape, a tensor that is missing, one that is no number.
    """
    try:
        yield
    except (RuntimeError, KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is damaged: its tensors are not those of its settings ({reason}); {remedy}") from None


def check_finite(path: Path, tensors: Iterable[Tensor], remedy: str) -> None:
    """Raise ValueError that names the checkpoint if a number in it is not finite."""
    if not all(t.isfinite().all() for t in tensors if t.is_floating_point()):
        raise ValueError(f"{path} holds numbers that are not finite; {remedy}")


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
                # Fused Adam walks memory in order, so a moment must have its parameter's layout (channels last).
                tensor = torch.empty_like(like, requires_grad=False).copy_(tensor)
            state.setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
