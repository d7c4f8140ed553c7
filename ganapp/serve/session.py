"""ONNX Runtime sessions: the choice of device, said honestly, and memory that stays flat."""

import contextlib
import ctypes
import functools
import io
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import onnxruntime as ort

from ganapp.contract import BundleError
from ganapp.cpus import threads

log = logging.getLogger(__name__)

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the exhaustive search takes seconds for every new shape
    "use_tf32": "0",  # its 10 bits of mantissa change a picture by up to 5 grey levels; a seed is one picture
}

# The most threads of a session. Each session has a pool of its own: a pool shared by all would spin between two
# requests, which Python cannot turn off, and twenty pictures with pauses would take 1.1 seconds of CPU time, not 0.1.
SESSION_THREADS = 4

MOST_LATE = 2  # runs in a row that take too long, after which a graph is given up
LONGEST_RUN = 60.0  # seconds of one run; the slowest honest one, an upscaler's tile, takes two

FATAL_ONLY = 4


class Graph(ort.InferenceSession):
    """A session of ONNX Runtime with the name of its file; who serves it may ask to be told, once, that it fails."""

    name = "a graph"
    on_failure: Callable[[str], None] | None = None
    late = 0  # runs in a row that took too long
    gives_back = True  # its memory, after each run; to take it anew costs a fourth of a small generator's time

    def failed(self, reason: str, late: bool, said: str) -> None:
        """Tell that the graph fails, if that is its own fault.

        It is not where memory lacks, which others hold too, nor at one run that took too long: a machine may sleep.
        """
        self.late += late
        memory = any(word in said for word in ("alloc", "out of memory"))
        if self.on_failure and (self.late >= MOST_LATE if late else not memory):
            self.on_failure(reason)


@functools.cache
def cuda_devices() -> int:
    """How many CUDA devices the driver offers; 0 without a driver.

    `onnxruntime-gpu` lists its CUDA provider on any machine and prints an error when it is asked for in vain.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def wanted_providers() -> list[str]:
    """CUDA then CPU where there is a CUDA device and a runtime built for it, else CPU alone."""
    if CUDA in ort.get_available_providers() and cuda_devices() > 0:
        return [CUDA, CPU]
    return [CPU]


def open_session(
    model: bytes, name: str, wanted: list[str] | None = None, most_threads: int = SESSION_THREADS
) -> Graph:
    """A session on the first of the `wanted` providers that comes up; `name` is for messages.

    Logs a warning when that is not the first one. Raises BundleError when ONNX Runtime refuses the model.
    """
    wanted = wanted or wanted_providers()
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY  # what goes wrong is raised or warned about here, in one line
    # Threads that spin between two requests would take the machine from everything else on it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = min(most_threads, threads())
    if CUDA in wanted:
        _preload_cuda()
    providers = [(CUDA, CUDA_OPTIONS) if provider == CUDA else provider for provider in wanted]
    try:
        session = Graph(model, options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions share no base class but this one
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"ONNX Runtime refuses it ({reason}); export the checkpoint again") from None
    session.name = name
    if session.get_providers()[0] != wanted[0]:  # a missing CUDA library is not an error to ONNX Runtime
        log.warning("%s runs on %s, not on %s as wanted", name, session.get_providers()[0], wanted[0])
    return session


def run(session: ort.InferenceSession, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The session's first output; no other is asked for. Safe from many threads.

    Raises BundleError when the graph fails, or takes over LONGEST_RUN seconds; whoever serves it is told.
    """
    return run_for(session, inputs, [session.get_outputs()[0].name])[0]


def run_for(session: ort.InferenceSession, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
    """As `run`, the outputs of these names."""
    options = _run_options(session.get_providers()[0], getattr(session, "gives_back", True))
    try:
        with WATCH.over(options):
            found = session.run(outputs, inputs, options)
    except Exception as error:  # ONNX Runtime's exceptions share no base class but this one
        said = " ".join(str(error).split())
        why = f"took over {LONGEST_RUN:g} seconds" if options.terminate else f"fails to run ({said[:200]})"
        reason = f"{getattr(session, 'name', 'a graph')}: {why}; export the checkpoint again"
        if tell := getattr(session, "failed", None):
            tell(reason, late=options.terminate, said=said.lower())
        raise BundleError(reason) from None
    if getattr(session, "late", 0):
        session.late = 0
    return found


class Watch:
    """Ends runs that take too long; one thread looks after all of them."""

    def __init__(self) -> None:
        self._until: dict[int, tuple[float, ort.RunOptions]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def over(self, options: ort.RunOptions) -> Iterator[None]:
        """A run with these options of its own goes on inside."""
        with self._lock:
            self._until[id(options)] = time.monotonic() + LONGEST_RUN, options
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, daemon=True, name="watch")
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._until[id(options)]

    def _look(self) -> None:
        while True:
            time.sleep(min(1.0, LONGEST_RUN / 4))
            with self._lock:
                for until, options in self._until.values():
                    if time.monotonic() > until:
                        options.terminate = True


WATCH = Watch()


def _run_options(provider: str, gives_back: bool) -> ort.RunOptions:
    options = ort.RunOptions()
    options.log_severity_level = FATAL_ONLY  # what goes wrong is raised
    if provider == CPU and gives_back:  # else the arena keeps the largest request's memory for ever
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


_preloading = threading.Lock()


def _preload_cuda() -> None:
    """Load the CUDA and cuDNN libraries from NVIDIA's wheels where those are installed, the first time it is called."""
    with _preloading:  # two threads that redirect sys.stdout at once could leave it redirected
        _preload_once()


@functools.cache
def _preload_once() -> None:
    said = io.StringIO()  # ONNX Runtime prints what it misses, and standard output is for results
    try:
        with contextlib.redirect_stdout(said):
            ort.preload_dlls()
    except Exception as error:  # absent or half-installed wheels: the system's libraries may still do
        log.debug("no CUDA libraries preloaded: %s", error)
    for line in said.getvalue().splitlines():
        log.debug("%s", line)
