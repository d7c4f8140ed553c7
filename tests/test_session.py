import logging
from pathlib import Path

import numpy as np
import onnxruntime as ort
import psutil
import pytest
from tiny_bundle import PLAIN
from tiny_bundle import plain as plain_model

from ganapp.contract import BundleError
from ganapp.serve.session import CPU, CUDA, cuda_devices, open_session, run, usable_cpus, wanted_providers


@pytest.fixture
def model() -> bytes:
    return plain_model(PLAIN, np.random.RandomState(0)).SerializeToString()


@pytest.mark.parametrize(
    ("built_for", "devices", "wanted"),
    [
        ([CUDA, CPU], 1, [CUDA, CPU]),
        ([CUDA, CPU], 0, [CPU]),  # a runtime for CUDA on a plain host
        ([CPU], 1, [CPU]),  # a plain runtime on a host with a device
        (["TensorrtExecutionProvider", CUDA, CPU], 2, [CUDA, CPU]),
    ],
)
def test_cuda_is_wanted_where_a_runtime_for_it_meets_a_device(
    built_for: list[str], devices: int, wanted: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ort, "get_available_providers", lambda: built_for)
    monkeypatch.setattr("ganapp.serve.session.cuda_devices", lambda: devices)
    assert wanted_providers() == wanted


class Driver:
    """A CUDA driver that starts up and counts its devices with these answers; 0 is success."""

    def __init__(self, starts: int, counts: int, devices: int):
        self.starts, self.counts, self.devices = starts, counts, devices

    def cuInit(self, flags: int) -> int:
        return self.starts

    def cuDeviceGetCount(self, count) -> int:
        count._obj.value = self.devices
        return self.counts


@pytest.mark.parametrize(
    ("driver", "count"),
    [(Driver(0, 0, 2), 2), (Driver(0, 0, 0), 0), (Driver(100, 0, 2), 0), (Driver(0, 3, 2), 0), (None, 0)],
)
def test_devices_are_those_that_the_driver_counts(driver: Driver | None, count: int, monkeypatch: pytest.MonkeyPatch):
    def load(name: str) -> Driver:
        if driver is None:
            raise OSError(f"{name}: no such file")
        return driver

    monkeypatch.setattr("ganapp.serve.session.ctypes.CDLL", load)
    assert cuda_devices.__wrapped__() == count


@pytest.mark.skipif(cuda_devices() > 0, reason="CUDA comes up here")
def test_a_provider_that_does_not_come_up_is_warned_about(model: bytes, caplog: pytest.LogCaptureFixture):
    if CUDA not in ort.get_available_providers():
        pytest.skip("a runtime without CUDA refuses to be asked for it")
    with caplog.at_level(logging.WARNING):
        session = open_session(model, "flowers", [CUDA, CPU])
    assert session.get_providers() == [CPU]
    assert f"flowers runs on {CPU}, not on {CUDA}" in caplog.text


def test_the_provider_that_was_wanted_is_not_warned_about(model: bytes, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        open_session(model, "flowers", [CPU])
    assert not caplog.records


def test_a_refused_model_is_a_bundle_error_with_a_remedy():
    with pytest.raises(BundleError, match=r"ONNX Runtime refuses it .*export the checkpoint again"):
        open_session(b"no model", "flowers")


def test_a_session_runs(model: bytes):
    inputs = {"z": np.zeros((2, 4), np.float32), "labels": np.zeros((2, 2), np.float32)}
    images = run(open_session(model, "plain"), inputs)
    assert images.shape == (2, 8, 8, 3) and images.dtype == np.uint8


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("max 100000\n", None), ("50000 100000\n", 1), ("100000 100000\n", 1), ("", None), ("1 0", None)],
)
def test_no_more_cpus_are_used_than_a_container_is_given_time_for(quota: str, cpus: int | None, tmp_path: Path):
    free = usable_cpus(tmp_path / "missing")
    assert free >= 1
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cpus(tmp_path / "cpu.max") == (cpus or free)


def test_a_quota_beyond_the_machine_adds_no_cpus(tmp_path: Path):
    (tmp_path / "cpu.max").write_text("99900000 100000\n")
    assert usable_cpus(tmp_path / "cpu.max") == usable_cpus(tmp_path / "missing")


@pytest.mark.gpu
@pytest.mark.skipif(cuda_devices() == 0, reason="needs a CUDA device")
def test_cuda_draws_what_the_cpu_draws(model: bytes):
    inputs = {"z": np.random.RandomState(0).randn(3, 4).astype(np.float32), "labels": np.zeros((3, 2), np.float32)}
    session = open_session(model, "plain")
    assert session.get_providers()[0] == CUDA
    difference = run(session, inputs).astype(int) - run(open_session(model, "plain", [CPU]), inputs)
    assert np.abs(difference).max() <= 1


def test_a_session_computes_on_the_cpus_it_may_use_and_sleeps_between_requests(
    model: bytes, monkeypatch: pytest.MonkeyPatch
):
    for cpus in (1, 3):
        monkeypatch.setattr("ganapp.serve.session.usable_cpus", lambda cpus=cpus: cpus)
        options = open_session(model, "plain", [CPU]).get_session_options()
        assert options.intra_op_num_threads == cpus
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_the_memory_of_large_requests_is_given_back(model: bytes):
    """A request works on four bytes for each byte of its result, in several steps; kept, they would be ten of it."""
    session, process = open_session(model, "plain", [CPU]), psutil.Process()

    def size(rows: int) -> int:
        inputs = {"z": np.zeros((rows, 4), np.float32), "labels": np.zeros((rows, 2), np.float32)}
        return run(session, inputs).nbytes

    size(1)
    before = process.memory_info().rss
    largest = max(size(rows) for rows in (100_000, 200_000))
    assert process.memory_info().rss - before < 4 * largest
