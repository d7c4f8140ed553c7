"""Finds where a computation would keep the host waiting for a GPU, on a machine without one."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
WAITS = {
    aten._local_scalar_dense.default: "a tensor is read as a number",
    aten.nonzero.default: "the size of a result depends on what is in a tensor",
    aten.masked_select.default: "the size of a result depends on what is in a tensor",
    aten.repeat_interleave.Tensor: "the size of a result depends on what is in a tensor",
    aten._unique2.default: "the size of a result depends on what is in a tensor",
    aten.lift_fresh.default: "a tensor is made of Python numbers, and would be copied to the device",
}


class Waits(TorchDispatchMode):
    """While it is entered, `found` gathers the operations that would wait, and why."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        pictures = function == aten.lift_fresh.default and args[0].ndim == 4  # which numpy lends
        if function in WAITS and not pictures:
            self.found.append(f"{function}: {WAITS[function]}")
        return function(*args, **(kwargs or {}))
