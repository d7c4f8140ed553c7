"""The benchmark's arithmetic, and that it measures the network it says."""

import re
from pathlib import Path

import pytest
from test_browser import CHROMIUM

from export import bench, bench_ui
from export.bench import row, same_network
from export.bundle import export_bundle, load_trained, make_spec
from ganapp.contract import CHECKPOINT
from ganapp.serve.library import Library
from ganapp.serve.session import SESSION_THREADS


def test_a_row_gives_the_median_of_the_rounds_ratios_and_their_range():
    line = row("a", "b", [2.0, 9.0, 4.0], [1.0, 3.0, 8.0])
    assert line == "| a | b | 2.00 (0.50–3.00) |"
    assert row("a", "b", [1.0], [4.0]) == "| a | b | 0.25 |"


def test_the_torch_side_is_the_network_of_the_bundle(run: Path):
    trained = load_trained(run / CHECKPOINT)
    rebuilt = same_network(make_spec("shapes", trained))
    shapes = {name: tensor.shape for name, tensor in trained.G.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in rebuilt.state_dict().items()}


@pytest.mark.slow
def test_the_table_has_a_row_for_each_promise(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    export_bundle(run, tmp_path / "shapes")
    bench.run("bench", ["--weights", str(tmp_path), "--rounds", "1"])
    rows = capsys.readouterr().out.splitlines()[2:]
    promises = ("batch 1:", "batch 16:", "first page", "memory", "threads")
    assert [sum(word in line for line in rows) for word in promises] == [1] * len(promises)
    assert all(float(line.split("|")[3].split()[0]) > 0 for line in rows)


def test_a_model_adds_few_threads_however_many_cpus_there_are(weights_dir: Path):
    """Three models without a mapping's own, and an upscaler; a pool has the calling thread and three more."""
    alone = bench.thread_count(weights_dir, cpus=1)
    assert bench.thread_count(weights_dir) - alone == 4 * (SESSION_THREADS - 1)


def test_the_installed_package_says_where_to_run_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"^bench needs app\.py.*: run it in a clone of the repository$"):
        bench.run("bench", [])


def test_rounds_that_do_not_pair_up_are_an_error():
    with pytest.raises(ValueError):
        row("a", "b", [1.0, 2.0], [1.0])


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_the_page_is_measured_beside_a_plain_one(
    painting: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(bench_ui, "SECONDS", 1)
    monkeypatch.setattr(bench_ui, "STEPS", 3)
    bench_ui.run(painting.weights_dir, 1)
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert len(rows) == 5
    shown = [float(re.search(r"\((\d+)\)", cell)[1]) for cell in rows[0][1:3]]
    assert min(shown) > 0 and all(float(line[3].split()[0]) > 0 for line in rows)
