"""The processes of one training run, and the device that each computes on.

`torchrun` starts the processes and numbers them by environment variables; without it there is one.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gaitd_train.errors import UserError

AUTO = "auto"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class World:
    """This process's number among `size` processes, and its device."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and shows progress."""
        return self.rank == 0

    def share(self, batch: torch.Tensor) -> torch.Tensor:
        """This process's part of a batch that all processes share."""
        return batch[self.rank :: self.size]

    def learner(self, network: nn.Module) -> nn.Module:
        """The module to call instead of `network` so that gradients become the mean over all processes."""
        if self.size == 1:
            return network
        devices = [self.device.index] if self.device.type == "cuda" else None
        # Batch-norm keeps no statistics while training, so there are no buffers to share.
        return DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)


SINGLE = World()


def unshared(learner: nn.Module) -> AbstractContextManager:
    """Gradients add up in this process inside the context; the next pass outside shares the sum."""
    return learner.no_sync() if isinstance(learner, DistributedDataParallel) else nullcontext()


@contextmanager
def world(device: str = AUTO) -> Iterator[World]:
    """Joins the other processes, if there are any, and leaves them at the end.

    `device`: `auto` takes a GPU where there is one; `cpu`, `cuda` and `cuda:N` name the device.
    """
    rank, size, local = (int(os.environ.get(name, default)) for name, default in _PLACE)
    chosen = _device(device, local)
    if size == 1:
        yield World(device=chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield World(rank, size, chosen)
    finally:
        distributed.destroy_process_group()


_PLACE = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))


def _device(name: str, local: int) -> torch.device:
    if name == AUTO:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device: '{name}' is none; use {AUTO}, cpu, cuda or cuda:N") from error
    if device.type == "cpu":
        return CPU
    if device.type != "cuda":
        raise UserError(f"--device: '{name}' is not supported; use {AUTO}, cpu, cuda or cuda:N")
    if not torch.cuda.is_available():
        raise UserError(f"--device {name}: PyTorch finds no GPU here; use cpu")
    return torch.device("cuda", local if device.index is None else device.index)
