"""Counting what a configuration costs."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gaitd_train.grid import Configuration
from gaitd_train.slimmable import slim


def count_macs(network: nn.Module, configuration: Configuration) -> int:
    """Multiply-accumulates of the convolutions and the classifier for one window.

    The convolutions are counted on a real pass. The classifier counts each of its pooled features, as the
    paper does, although repeated ones are folded before it runs.
    """
    window = torch.zeros(1, network.axes, network.grid.resolutions[0])
    was_training = network.training
    network.train()  # normalises by the batch, so that uncalibrated configurations can be counted too
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(window, configuration)
    finally:
        network.train(was_training)
    features = slim(network.blocks[-1].outputs, configuration.width)
    convolutions = counter.get_flop_counts()["Global"][torch.ops.aten.convolution] // 2
    return convolutions + network.classifier.weight[:, :features].numel()


def count_parameters(network: nn.Module, configuration: Configuration) -> int:
    """Weights that one configuration uses: convolutions, batch-norm scale and shift, classifier."""
    total, inputs = 0, 1
    for block in network.blocks:
        outputs = slim(block.outputs, configuration.width)
        total += outputs * inputs * block.weight[0, 0].numel() + 2 * outputs
        inputs = outputs
    classifier = network.classifier
    return total + classifier.weight[:, :inputs].numel() + classifier.bias.numel()
