"""The processes that share a run's batches."""

import os

import torch
import torch.distributed as dist
from torch import Tensor

GROUP = 4  # images that `minibatch_stddev` compares


class Processes:
    """The processes of `torchrun`, or the only one.

    Each holds all networks, computes on its share of every batch, and averages gradients with the others, so
    that all stay equal. Each also draws the random numbers of the whole batch and takes its share of them, so the
    result does not depend on the number of processes.
    """

    def __init__(self, count: int = 1, rank: int = 0) -> None:
        self.count = count
        self.rank = rank

    @classmethod
    def launched(cls) -> "Processes":
        """The processes that the launcher's environment variables name; without a launcher, this one alone."""
        return cls(int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0")))

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def join(self, device: str) -> str:
        """Connect to the other processes. Returns the name of this one's device."""
        if self.count == 1:
            return device
        if device in ("auto", "cuda") and torch.cuda.is_available():
            device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        return device

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.count > 1:
            dist.barrier()

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
        """The mean of the tensor over the processes."""
        if self.count == 1:
            return tensor
        total = tensor.clone()
        dist.all_reduce(total)
        return total / self.count

    def average_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        mean = self.average(torch.cat([g.flatten() for g in gradients]))
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether `flag` is true in any process; all get the same answer."""
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
        """Uniform numbers in [0, 1)."""
        whole = torch.rand(N * self.processes.count, *shape, generator=self.rng, device=self.rng.device)
        return self.processes.take(whole)
