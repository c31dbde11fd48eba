"""What rounds say, on rounds whose medians and ratios are known."""

import pytest
from summary import CNN, Gate, Result, Row, Spread, Tail, against, gates, tail

PEERS = ["a", "b"]


def test_a_spread_leaves_out_the_outermost_round_at_each_end() -> None:
    assert Spread.of([5.0, 1.0, 2.0, 3.0, 100.0]) == Spread(3.0, 2.0, 5.0)
    assert Spread.of([4.0, 1.0, 2.0, 3.0]) == Spread(2.5, 2.0, 3.0)
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)


def test_a_ratio_is_that_of_each_round() -> None:
    # the second round was ten times as slow for both: a ratio of medians would be 0.5 by chance alone
    assert Spread.of_ratios([1.0, 10.0, 3.0], [2.0, 20.0, 6.0]) == Spread(0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="shorter"):
        Spread.of_ratios([1.0, 2.0], [1.0])


def test_the_peer_to_compare_with_is_the_faster_one() -> None:
    found = against({"own": [2.0, 2.0, 2.0], "a": [8.0, 1.0, 8.0], "b": [4.0, 4.0, 4.0], "forced": [3.0] * 3}, PEERS)
    assert found.us == {"own": 2.0, "a": 8.0, "b": 4.0, "forced": 3.0}
    assert {name: spread.median for name, spread in found.ratios.items()} == {"own": 0.5, "forced": 0.75}


def test_a_tail_is_a_share_of_the_inference_measured_beside_it() -> None:
    assert tail([]) is None
    assert tail([(10.0, 1.0), (20.0, 4.0), (30.0, 9.0)]) == Tail(20.0, 4.0, Spread(0.2, 0.1, 0.3))


def row(name: str, macs: int, ratio: float, of_tail: float | None = None, share: float = 0.95) -> Row:
    found = against({"gaitd": [ratio], "a": [1.0], "b": [2.0]}, PEERS)
    of_last = Tail(1.0, of_tail, Spread.of([of_tail])) if of_tail else None
    return Row(name, macs, macs // 2, found, found, Spread.of([share]), of_last, of_last)


def verdicts(results: list[Result]) -> dict[str, bool | None]:
    return {gate.text: gate.reached for gate in gates(results)}


def test_a_gate_tells_the_worst_rung_and_its_limit_counts_as_reached() -> None:
    gate = Gate("slow", 0.5, found=[(0.5, "small"), (0.2, "large")])
    assert (gate.reached, gate.worst) == (True, (0.5, "small"))
    assert str(gate) == "reached      slow, at most 0.5: 0.500 (small)"
    gate = Gate("busy", 0.5, least=True, found=[(0.49, "small"), (0.8, "large")])
    assert str(gate) == "MISSED       busy, at least 0.5: 0.490 (small)"
    assert str(Gate("late", 1)) == "not measured late, at most 1"


def test_gates_are_of_the_kernels_and_ladders_that_they_name() -> None:
    rows = [row("small", 10, 0.5, 0.1), row("full", 100, 0.8, 0.2)]
    found = verdicts([Result(CNN, 4, {"gaitd": "supernet-1-avx512"}, rows)])
    assert found["every rung against the faster peer, avx512, hot"] is True
    assert found[f"geometric mean of {CNN}, avx512, hot"] is True  # sqrt(0.4) is 0.632
    assert found["every rung against the faster peer, avx2 for gaitd alone, hot"] is None
    assert found["tail / whole, hot, every rung of the CNN"] is False
    assert found["tail / whole, cold, every rung of the CNN"] is True
    found = verdicts([Result("another", 4, {"gaitd": "supernet-1-avx2"}, rows)])
    assert found["every rung against the faster peer, avx2 for gaitd alone, hot"] is True
    assert [text for text, reached in found.items() if reached is not None] == [
        "every rung against the faster peer, avx2 for gaitd alone, hot"
    ]


def test_the_share_of_the_peak_is_that_of_the_largest_rung() -> None:
    result = Result(
        CNN, 4, {"gaitd": "supernet-1-avx2"}, [row("full", 100, 0.5, share=0.93), row("small", 10, 0.5, share=0.5)]
    )
    assert verdicts([result])["share of the FMA peak, full CNN and full ResNet"] is True
    assert result.rows[0].share_nominal == pytest.approx(1.86)
