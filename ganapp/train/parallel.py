"""Where a run computes: its device, its precision, and the processes that share its batches."""

import os

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor

GROUP = 4  # images that `minibatch_stddev` compares


class Processes:
    """The processes of `accelerate launch`, or the only one.

    Each holds all networks, computes on its share of every batch, and averages gradients with the others, so
    that all stay equal. What is random is drawn for the whole batch everywhere, and each takes its share: the
    result does not depend on the number of processes.
    """

    def __init__(self, count: int = 1, rank: int = 0) -> None:
        self.count = count
        self.rank = rank

    @classmethod
    def launched(cls) -> "Processes":
        """Those that the launcher tells of; without one, this process alone."""
        return cls(int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0")))

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def join(self, device: str) -> str:
        """Meet the other processes; the name of the device for this one."""
        if self.count == 1:
            return device
        state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
        return str(state.device) if device in ("auto", "cpu", "cuda") else device

    def wait(self) -> None:
        """Until all processes have come here."""
        if self.count > 1:
            PartialState().wait_for_everyone()

    def take(self, batch: Tensor) -> Tensor:
        """This process's rows of a whole batch [count * N, ...], as [N, ...].

        The images that `minibatch_stddev` compares (every M-th, of M groups) stay together.
        """
        if self.count == 1:
            return batch
        groups, rest = len(batch) // GROUP // self.count, batch.shape[1:]
        share = batch.view(GROUP, groups * self.count, *rest)[:, self.rank * groups : (self.rank + 1) * groups]
        return share.reshape(GROUP * groups, *rest)

    def average(self, tensor: Tensor) -> Tensor:
        """The mean of each process's tensor."""
        return tensor if self.count == 1 else reduce(tensor, "mean")

    def average_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """Put the mean over the processes into every gradient."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        mean = self.average(torch.cat([g.flatten() for g in gradients]))
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether it is so in any process, the same answer in all."""
        return flag if self.count == 1 else bool(self.average(torch.tensor(float(flag), device=device)) > 0)


class Draws:
    """Random numbers for a process's share of a batch, drawn from one generator for the whole batch."""

    def __init__(self, rng: torch.Generator, processes: Processes):
        self.rng = rng
        self.processes = processes

    def normal(self, N: int, *shape: int) -> Tensor:
        whole = torch.randn(N * self.processes.count, *shape, generator=self.rng, device=self.rng.device)
        return self.processes.take(whole)

    def uniform(self, N: int, *shape: int) -> Tensor:
        """In [0, 1)."""
        whole = torch.rand(N * self.processes.count, *shape, generator=self.rng, device=self.rng.device)
        return self.processes.take(whole)


def find_device(name: str) -> torch.device:
    """The device of this name; `auto` is CUDA where there is some. Raises ValueError when it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch raises either, by the kind of device
        raise ValueError(f"--device {name} cannot be used here: {str(error).splitlines()[0]}") from None


def resolve_precision(wanted: str, device: torch.device) -> str:
    """`auto` as bf16 where the device multiplies bf16 natively, else fp32 (emulated bf16 is slower than fp32)."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    can = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"
