"""How much of a convolution meets padding, against a count one by one."""

import numpy as np
import pytest
from ladder import meetings, padding_macs
from onnx import TensorProto, helper, numpy_helper


@pytest.mark.parametrize("length", [1, 5, 12])
@pytest.mark.parametrize(("kernel", "stride", "begin"), [(1, 1, 0), (3, 1, 1), (6, 3, 1), (3, 2, 2)])
def test_pairs_that_meet_data_are_those_of_ones_under_ones(length: int, kernel: int, stride: int, begin: int) -> None:
    positions = (length + 2 * begin - kernel) // stride + 1
    padded = np.pad(np.ones(length), begin)
    counted = sum(padded[place * stride : place * stride + kernel].sum() for place in range(max(0, positions)))
    assert meetings(length, max(0, positions), kernel, stride, begin) == counted


def test_what_meets_padding_is_counted_over_all_axes_and_channels() -> None:
    weight = numpy_helper.from_array(np.zeros((2, 3, 3, 3), np.float32), "weight")
    node = helper.make_node("Conv", ["x", "weight"], ["y"], pads=[1, 1, 1, 1])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 4, 5]), ("y", None))
    ]
    network = helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [weight]))
    ones = np.pad(np.ones((4, 5)), 1)
    met = sum(ones[time : time + 3, axis : axis + 3].sum() for time in range(4) for axis in range(5))
    assert padding_macs(network) == 2 * 3 * (4 * 5 * 9 - met)
    unpadded = helper.make_node("Conv", ["x", "weight"], ["y"])
    assert padding_macs(helper.make_model(helper.make_graph([unpadded], "g", ends[:1], ends[1:], [weight]))) == 0
