import logging

import numpy as np
import onnx
import onnxruntime as ort
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_bundle import PLAIN
from tiny_bundle import plain as plain_model

import ganapp.cpus
from ganapp.contract import BundleError
from ganapp.serve import session
from ganapp.serve.session import CPU, CUDA, SESSION_THREADS, cuda_devices, open_session, run, wanted_providers


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
        opened = open_session(model, "flowers", [CUDA, CPU])
    assert opened.get_providers() == [CPU]
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


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[ort.SessionOptions, list]]:
    """The options and providers of the sessions opened from here on; those of CUDA are opened on the CPU."""
    calls, honest = [], session.Graph

    def opened(model: bytes, options: ort.SessionOptions, providers: list) -> session.Graph:
        calls.append((options, providers))
        return honest(model, options, providers=[CPU])

    monkeypatch.setattr(session, "Graph", opened)
    return calls


def test_cuda_multiplies_whole_floats_so_that_a_seed_is_one_picture(model: bytes, monkeypatch: pytest.MonkeyPatch):
    calls = recorded(monkeypatch)
    open_session(model, "flowers", [CUDA, CPU])
    [(_, [(provider, options), *others])] = calls
    assert provider == CUDA and options["use_tf32"] == "0" and others == [CPU]


def test_a_session_takes_few_threads_however_many_cpus_there_are(model: bytes, monkeypatch: pytest.MonkeyPatch):
    calls = recorded(monkeypatch)
    for usable in (1, 2, 64):
        monkeypatch.setattr(ganapp.cpus, "usable_cpus", lambda usable=usable: usable)
        open_session(model, "flowers", [CPU])
    open_session(model, "flowers", [CPU], most_threads=1)
    assert [options.intra_op_num_threads for options, _ in calls] == [1, 2, SESSION_THREADS, 1]
    assert all(options.get_session_config_entry("session.intra_op.allow_spinning") == "0" for options, _ in calls)


def test_cuda_libraries_are_looked_for_once_and_nothing_of_it_is_printed(
    model: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    looked = []
    monkeypatch.setattr(ort, "preload_dlls", lambda: looked.append(print("Failed to load libcublas.so")))
    recorded(monkeypatch)
    session._preload_once.cache_clear()
    try:
        for _ in range(3):
            open_session(model, "flowers", [CUDA, CPU])
    finally:
        session._preload_once.cache_clear()
    assert len(looked) == 1
    assert capfd.readouterr().out == ""


@pytest.mark.gpu
@pytest.mark.skipif(cuda_devices() == 0, reason="needs a CUDA device")
def test_cuda_draws_what_the_cpu_draws(model: bytes):
    inputs = {"z": np.random.RandomState(0).randn(3, 4).astype(np.float32), "labels": np.zeros((3, 2), np.float32)}
    on_cuda = open_session(model, "plain")
    assert on_cuda.get_providers()[0] == CUDA
    difference = run(on_cuda, inputs).astype(int) - run(open_session(model, "plain", [CPU]), inputs)
    assert np.abs(difference).max() <= 1


def test_a_session_computes_on_the_cpus_it_may_use_and_sleeps_between_requests(
    model: bytes, monkeypatch: pytest.MonkeyPatch
):
    for cpus, most, used in ((1, 4, 1), (3, 4, 3), (8, 4, 4), (8, 1, 1)):
        monkeypatch.setattr("ganapp.serve.session.threads", lambda cpus=cpus: cpus)
        options = open_session(model, "plain", [CPU], most).get_session_options()
        assert options.intra_op_num_threads == used
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


def endless(model: bytes) -> bytes:
    """The model's graph with a long chain of large products behind its images."""
    made = onnx.load_model_from_string(model)
    [images] = [node for node in made.graph.node if "images" in node.output]
    images.output[0] = "real_images"
    side = np.eye(1500, dtype=np.float32)
    made.graph.initializer.append(numpy_helper.from_array(side, "side"))
    made.graph.initializer.append(numpy_helper.from_array(np.zeros(2, np.int64), "first"))
    made.graph.node.append(helper.make_node("Cast", ["z"], ["first_z"], to=TensorProto.FLOAT))
    made.graph.node.append(helper.make_node("ReduceMean", ["first_z"], ["mean"], keepdims=0))
    made.graph.node.append(helper.make_node("Mul", ["side", "mean"], ["p0"]))
    for i in range(400):
        made.graph.node.append(helper.make_node("MatMul", [f"p{i}", "side"], [f"p{i + 1}"]))
    made.graph.node.append(helper.make_node("ReduceMean", ["p400"], ["end"], keepdims=0))
    made.graph.node.append(helper.make_node("Cast", ["end"], ["nothing"], to=TensorProto.UINT8))
    made.graph.node.append(helper.make_node("Add", ["real_images", "nothing"], ["images"]))
    return made.SerializeToString()


def test_a_run_that_takes_too_long_is_ended_and_told_and_the_next_one_is_not(
    model: bytes, monkeypatch: pytest.MonkeyPatch
):
    inputs = {"z": np.ones((1, 4), np.float32), "labels": np.zeros((1, 2), np.float32)}
    slow, quick, told = open_session(endless(model), "slow.onnx", [CPU]), open_session(model, "quick", [CPU]), []
    slow.on_failure = told.append
    monkeypatch.setattr(session, "LONGEST_RUN", 0.2)
    monkeypatch.setattr(session, "WATCH", session.Watch())
    for count in (0, 1):  # once may be the machine's fault
        with pytest.raises(BundleError, match=r"slow\.onnx: took over 0\.2 seconds"):
            run(slow, inputs)
        assert len(told) == count
    assert "slow.onnx" in told[0]
    assert run(quick, inputs).dtype == np.uint8


def test_a_graph_that_fails_is_named_in_a_sentence(model: bytes):
    opened, told = open_session(model, "plain.onnx", [CPU]), []
    opened.on_failure = told.append
    with pytest.raises(BundleError, match=r"plain\.onnx: fails to run \(.*\); export the checkpoint again"):
        run(opened, {"z": np.ones((1, 9), np.float32), "labels": np.zeros((1, 2), np.float32)})
    assert len(told) == 1


@pytest.mark.parametrize(
    ("said", "own_fault"),
    [("node 3 broke", True), (300 * "x" + " Failed to allocate memory", False), ("CUDA out of memory", False)],
)
def test_a_lack_of_memory_is_no_fault_of_a_graph(model: bytes, said: str, own_fault: bool):
    opened, told = open_session(model, "plain.onnx", [CPU]), []
    opened.on_failure = told.append
    opened.run = lambda *_: (_ for _ in ()).throw(RuntimeError(said))
    for _ in range(3):
        with pytest.raises(BundleError):
            run(opened, {})
    assert bool(told) == own_fault
