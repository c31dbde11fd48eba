"""The slimmable network against PyTorch's own layers and the paper's figures."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from gaitd_train import recipe
from gaitd_train.calibrate import calibrate
from gaitd_train.costs import costs
from gaitd_train.data import Windows
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration, Grid
from gaitd_train.networks.slimmable import Classifier, ConfigurationNorm, keep_mask, slim
from gaitd_train.paper import PUBLISHED
from gaitd_train.resample import resample
from gaitd_train.task import TASKS, UCI_HAR


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return recipe.load("reference")[1].build(UCI_HAR)


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


RECIPES = {
    ("cnn", "uci-har"): "reference",
    ("resnet", "uci-har"): "reference-resnet",
    ("cnn", "wisdm"): "reference-wisdm",
    ("resnet", "wisdm"): "reference-wisdm-resnet",
    ("cnn", "unimib-shar"): "reference-unimib-shar",
    ("resnet", "unimib-shar"): "reference-unimib-shar-resnet",
}


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda p: f"{p.network} {p.dataset}")
def test_costs_agree_with_the_paper(published):
    _, loaded = recipe.load(RECIPES[published.network, published.dataset])
    network = loaded.build(TASKS[published.dataset])
    for point in published.collaborative:
        found = costs(network, loaded.grid.named(point.id)).macs / 1e6
        # It prints two decimals, once one.
        assert found == pytest.approx(point.mmacs, abs=0.0051 if point.mmacs < 40 else 0.05), point.id


@pytest.mark.parametrize("name", ["reference", "reference-resnet", "reference-wisdm-resnet"])
def test_costs_agree_with_pytorchs_own_counter(name):
    _, loaded = recipe.load(name)
    task = TASKS[loaded.dataset]
    network = loaded.build(task).train()  # normalises by the batch, so needs no statistics
    for configuration in (
        loaded.grid.full,
        loaded.grid.smallest,
        Configuration(0.55, loaded.grid.resolutions[2]),
    ):
        windows = torch.zeros(1, len(task.channels), task.window)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(windows, configuration)
        counted = counter.get_flop_counts()["Global"][torch.ops.aten.convolution] // 2
        channels = slim(network.classifier.weight.shape[1], configuration.width)
        classifier = network.classifier.weight[:, :channels].numel()
        assert costs(network, configuration).macs == counted + classifier


@pytest.mark.parametrize("name", ["reference", "reference-resnet"])
def test_parameters_of_the_full_configuration_are_all_parameters(name):
    network = recipe.load(name)[1].build(UCI_HAR)
    everything = sum(p.numel() for p in network.parameters())
    assert costs(network, network.grid.full).parameters == everything


def test_the_residual_block_is_that_of_pytorch():
    torch.manual_seed(0)
    _, loaded = recipe.load("reference-resnet")
    network = loaded.build(UCI_HAR)
    windows = Windows(torch.randn(24, 9, 128), torch.zeros(24, dtype=torch.long), None)
    chosen = Configuration(0.3, 112)
    calibrate(network, windows, [chosen], progress=False)

    def norm(layer, x):
        i, c = network.grid.index(chosen), x.shape[1]
        n = layer.norm
        return functional.batch_norm(x, n.mean[i, :c], n.var[i, :c], n.weight[:c], n.bias[:c], eps=n.eps)

    def conv(layer, x, stride, padding):
        weight = layer.weight[: slim(layer.outputs, 0.3), : x.shape[1]]
        return norm(layer, functional.conv2d(x, weight, stride=stride, padding=padding))

    with torch.no_grad():
        x = functional.interpolate(windows.x.double(), size=112, mode="nearest-exact").float()
        x = x.transpose(1, 2).unsqueeze(1)
        for block in network.blocks:
            main = functional.relu(conv(block.enter, x, (3, 1), (1, 0)))
            x = functional.relu(conv(block.refine, main, 1, (1, 0)) + conv(block.shortcut, x, (3, 1), (1, 0)))
        pooled = functional.adaptive_max_pool2d(x, (6, 9))
        weight = network.classifier.weight[:, : x.shape[1]].flatten(1)
        expected = functional.linear(pooled.flatten(1), weight, network.classifier.bias)
        torch.testing.assert_close(network(windows.x, chosen), expected, rtol=1e-4, atol=1e-4)


def test_dropout_keeps_its_share_and_the_mean():
    torch.manual_seed(0)
    mask = keep_mask(torch.empty(1000, 1001), 0.8)
    kept = (mask > 0).float().mean().item()
    assert kept == pytest.approx(0.8, abs=0.003)
    assert mask.mean().item() == pytest.approx(1, abs=0.005)
    assert len(mask.unique()) == 2


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
    network = recipe.load("demo")[1].build(UCI_HAR)
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
