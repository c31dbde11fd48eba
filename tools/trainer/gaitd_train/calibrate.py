"""Batch-norm statistics for each configuration, re-estimated after training."""

from collections.abc import Iterable

import torch

from gaitd_train.data import Windows
from gaitd_train.grid import Configuration
from gaitd_train.networks.slimmable import ConfigurationNorm, Network
from gaitd_train.progress import bar

BATCH = 512
# 4,096 windows; all 7,352 of UCI-HAR change the answer of about one window in 2,000 and take twice the time.
MOST_BATCHES = 8


@torch.no_grad()
def calibrate(
    network: Network, windows: Windows, configurations: Iterable[Configuration], progress: bool = True
) -> None:
    """Sets the statistics of `configurations` to their cumulative mean over training batches.

    The batches are the same in every call, so that evaluation and export agree to the last bit.
    """
    network.eval()
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    # Batches of equal size: each weighs the same in the cumulative mean.
    batches = [batch for batch in order.split(BATCH) if len(batch) == min(BATCH, len(windows))]
    device = next(network.parameters()).device
    x = [windows.x[batch].to(device) for batch in batches[:MOST_BATCHES]]
    norms = [module for module in network.modules() if isinstance(module, ConfigurationNorm)]
    for configuration in bar(list(configurations), progress, unit="configuration", desc="calibrate"):
        for norm in norms:
            norm.forget(configuration)
            norm.collecting = True
        try:
            for batch in x:
                network(batch, configuration)
        finally:
            for norm in norms:
                norm.collecting = False
