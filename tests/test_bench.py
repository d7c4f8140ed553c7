"""The benchmark's arithmetic, and that it measures the network it says."""

from pathlib import Path

import pytest

from export.bundle import load_trained, make_spec
from ganapp.bench import row, same_network
from ganapp.train.checkpoint import FILE


def test_a_row_gives_the_median_of_the_rounds_ratios_and_their_range():
    line = row("a", "b", [2.0, 9.0, 4.0], [1.0, 3.0, 8.0])
    assert line == "| a | b | 2.00 (0.50–3.00) |"
    assert row("a", "b", [1.0], [4.0]) == "| a | b | 0.25 |"


def test_the_torch_side_is_the_network_of_the_bundle(run: Path):
    trained = load_trained(run / FILE)
    rebuilt = same_network(make_spec("shapes", trained))
    shapes = {name: tensor.shape for name, tensor in trained.G.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in rebuilt.state_dict().items()}


def test_rounds_that_do_not_pair_up_are_an_error():
    with pytest.raises(ValueError):
        row("a", "b", [1.0, 2.0], [1.0])
