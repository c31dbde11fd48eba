"""The slimmable network against PyTorch's own layers and the paper's figures."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from gaitd_train import checkpoint, recipe
from gaitd_train.calibrate import calibrate
from gaitd_train.data import Windows
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration, Grid
from gaitd_train.macs import count_macs, count_parameters
from gaitd_train.resample import resample
from gaitd_train.slimmable import Classifier, ConfigurationNorm, slim


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return checkpoint.build_network(recipe.load("reference")[1])


@pytest.mark.parametrize(
    ("window", "resolutions"),
    [(128, range(96, 129, 4)), (200, range(150, 201, 5)), (151, (112, 120, 136, 144, 151))],
)
def test_resampling_is_nearest_exact(window, resolutions):
    # In single precision PyTorch itself falls one sample short where the exact position is a whole number.
    x = torch.arange(window, dtype=torch.double).repeat(2, 3, 1)
    for resolution in resolutions:
        expected = functional.interpolate(x, size=resolution, mode="nearest-exact")
        assert torch.equal(resample(x, resolution), expected), resolution


@pytest.mark.parametrize(("channels", "pool"), [(8, 6), (4, 1), (12, 25)])
def test_classifier_equals_adaptive_pool_and_linear(channels, pool):
    torch.manual_seed(0)
    layer = Classifier(16, pool, axes=3, classes=5, dropout=0.0)
    for length in range(1, 2 * pool + 3):
        x = torch.randn(2, channels, length, 3)
        pooled = functional.adaptive_max_pool2d(x, (pool, 3))
        expected = functional.linear(pooled.flatten(1), layer.weight[:, :channels].flatten(1), layer.bias)
        torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("configuration", "paper_mmacs"),
    [
        (Configuration(1.0, 128), 13.06),
        (Configuration(0.8, 128), 8.56),
        (Configuration(0.7, 128), 6.30),
        (Configuration(0.55, 104), 3.28),
        (Configuration(0.1, 96), 0.12),
    ],
)
def test_macs_agree_with_the_paper(network, configuration, paper_mmacs):
    assert count_macs(network, configuration) / 1e6 == pytest.approx(paper_mmacs, abs=0.0051)


def test_parameters_of_the_full_configuration_are_all_parameters(network):
    everything = sum(p.numel() for p in network.parameters())
    assert count_parameters(network, network.grid.full) == everything == 329_990


def test_slimmed_channels_are_multiples_of_four():
    assert [slim(64, w) for w in (0.1, 0.15, 0.25, 0.55, 1.0)] == [8, 8, 16, 36, 64]
    assert slim(16, 0.01) == 4


def test_calibration_is_the_cumulative_mean_of_batches():
    grid = Grid((0.5, 1.0), (16,))
    ours, reference = ConfigurationNorm(8, grid).eval(), nn.BatchNorm2d(8, momentum=None)
    torch.manual_seed(0)
    ours.collecting = True
    for _ in range(5):
        x = 3 * torch.randn(4, 8, 7, 2) + 1
        torch.testing.assert_close(ours(x, grid.full), reference(x))
    ours.collecting = False
    x = torch.randn(4, 8, 7, 2)
    torch.testing.assert_close(ours(x, grid.full), reference.eval()(x))


def test_uncalibrated_configurations_are_refused(network):
    network.eval()
    with pytest.raises(UserError, match=r"0\.55x-104: .*never calibrated"):
        network(torch.zeros(1, 9, 128), Configuration(0.55, 104))


def test_calibration_of_one_configuration_leaves_the_others_alone():
    torch.manual_seed(0)
    network = checkpoint.build_network(recipe.load("demo")[1])
    windows = Windows(torch.randn(40, 9, 128), torch.zeros(40, dtype=torch.long), None)
    first, second = network.grid.full, network.grid.smallest
    calibrate(network, windows, [first], progress=False)
    before = network(windows.x, first)
    calibrate(network, windows, [second], progress=False)
    assert torch.equal(network(windows.x, first), before)
    calibrate(network, windows, [first], progress=False)
    assert torch.equal(network(windows.x, first), before), "calibrating again must give the same statistics"


def test_a_configuration_outside_the_grid_is_refused(network):
    with pytest.raises(UserError, match=r"0\.33x-100 is not one of"):
        network.grid.index(Configuration(0.33, 100))
