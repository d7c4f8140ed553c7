"""`python -m ganapp bench`: how serving compares with torch on this machine, as ratios measured side by side."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import torch
import tyro
from gradio_client import Client

from ganapp.contract import GeneratorSpec
from ganapp.models import MODELS
from ganapp.serve.generator import Generator
from ganapp.serve.library import Library

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 120  # seconds until an app that has not answered is given up
MANY_CPUS = 64  # of a large server, which this machine pretends to be
OPEN_ALL = """
import os, sys
from pathlib import Path
import psutil
cpus = int(sys.argv[2])
os.cpu_count, os.sched_getaffinity = lambda: cpus, lambda process: set(range(cpus))
import ganapp.cpus
ganapp.cpus.usable_cpus = lambda: cpus  # whatever this container is held to
from ganapp.serve.library import Library
library = Library(Path(sys.argv[1]))
opened = [*map(library.generator, library.names()), *map(library.upscaler, library.upscalers)]
print(psutil.Process().num_threads())
"""


@dataclass(frozen=True)
class BenchArgs:
    """Print a table of ratios: ONNX Runtime against torch eager, and the app against the torch that it does without."""

    weights: Path = ROOT / "weights"
    """Folder of the models to time."""
    rounds: int = 7
    """Times each pair is measured, in turn; the table gives the median ratio and the range."""
    ui: bool = False
    """Measure the page in a headless Chromium in place of that; it needs playwright."""


def run(prog: str, args: list[str]) -> None:
    """Parse, measure, print. Raises ValueError when there is no model to measure, or no app."""
    given = tyro.cli(BenchArgs, prog=prog, args=args)
    if given.rounds < 1:
        raise ValueError("--rounds must be at least 1")
    if not (ROOT / "app.py").is_file():
        raise ValueError("bench needs app.py, which the installed package has not: run it in a clone of the repository")
    if given.ui:
        from export import bench_ui  # playwright is needed for that alone

        bench_ui.run(given.weights, given.rounds)
        return
    library = Library(given.weights)
    print("| what | against | ratio, median (range) |\n| --- | --- | --- |")
    for name in library.names():
        spec = library.spec(name)
        if "network" not in spec.training:
            continue
        torch_G = same_network(spec)
        for batch in (1, 16):
            served, eager = images_per_second(library.generator(name), torch_G, batch, given.rounds)
            what = f"images a second, `{name}` ({spec.resolution} px), batch {batch}: ONNX Runtime"
            print(row(what, "the same network in torch eager", served, eager), flush=True)
    starts, imports = start_times(given.weights, given.rounds)
    print(row("seconds from `python app.py` to its first page", "`import gradio, torch`", starts, imports), flush=True)
    memory, torch_memory = memories(given.weights)
    what = "resident memory of the app after 64 images"
    print(row(what, "a process that has imported gradio and torch", [memory], [torch_memory]))
    what = f"threads of a process with all models open, on {MANY_CPUS} CPUs"
    print(row(what, "one", [thread_count(given.weights)], [1]))


def row(what: str, against: str, ours: list[float], theirs: list[float]) -> str:
    """A line of the table. Measures of one round are compared with each other, as a machine's speed drifts."""
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    spread = f" ({ratios[0]:.2f}–{ratios[-1]:.2f})" if len(ratios) > 1 else ""
    return f"| {what} | {against} | {median(ratios):.2f}{spread} |"


def same_network(spec: GeneratorSpec) -> torch.nn.Module:
    """The torch network that a spec describes; its weights are random, which costs the same."""
    model = MODELS[spec.training["architecture"]]
    network = model.config(**json.loads(spec.training["network"]))
    return model.generator(network, spec.resolution, spec.channels, spec.num_labels).eval()


def images_per_second(
    served: Generator, G: torch.nn.Module, batch: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Rates of both by round, from seeds to images; torch stops at floats, which is less work."""

    @torch.inference_mode()
    def eager() -> None:
        z, noise = torch.randn(batch, G.z_dim), torch.randn(batch, G.noise_dim)
        G(z, torch.zeros(batch, served.spec.num_labels), noise)

    def ours() -> None:
        for _ in served.generate(range(batch)):
            pass

    pairs = [(rate(ours, batch), rate(eager, batch)) for _ in range(rounds + 1)]
    return [a for a, _ in pairs[1:]], [b for _, b in pairs[1:]]  # the first round warms up


def rate(draw: Callable[[], None], batch: int, images: int = 64) -> float:
    """Images a second over at least `images` of them."""
    calls = max(1, images // batch)
    started = time.perf_counter()
    for _ in range(calls):
        draw()
    return calls * batch / (time.perf_counter() - started)


def start_times(weights: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds to the app's first page, and to import what an app on torch would need first, by round."""
    starts, imports = [], []
    for _ in range(rounds):
        with serving(weights) as (_, _, seconds):
            starts.append(seconds)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import gradio, torch"], check=True)
        imports.append(time.perf_counter() - started)
    return starts, imports


def memories(weights: Path) -> tuple[float, float]:
    """Resident bytes of the app after it has drawn 64 images, and of a process with gradio and torch imported."""
    with serving(weights) as (process, url, _):
        Client(url, verbose=False).predict(count=64, api_name="/sample")
        ours = resident(process)
    waiting = "import gradio, torch; print(flush=True); input()"
    idle = subprocess.Popen([sys.executable, "-c", waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    idle.stdout.readline()
    theirs = resident(idle)
    idle.communicate("\n")
    return ours, theirs


def thread_count(weights: Path, cpus: int = MANY_CPUS) -> int:
    """Threads of a process with every model of `weights` open, which is told that its machine has so many CPUs."""
    command = [sys.executable, "-c", OPEN_ALL, str(weights.resolve()), str(cpus)]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def resident(process: subprocess.Popen) -> float:
    """Resident bytes of a process and its children."""
    parent = psutil.Process(process.pid)
    return sum(each.memory_info().rss for each in [parent, *parent.children(recursive=True)])


@contextmanager
def serving(weights: Path) -> Iterator[tuple[subprocess.Popen, str, float]]:
    """The app as a process, its address, and the seconds it took until its page came."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, str(ROOT / "app.py"), "--weights", str(weights.resolve()), "--port", str(port)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers(url):
            if process.poll() is not None or time.perf_counter() - started > START_LIMIT:
                raise ValueError(f"the app did not come up; try it by hand: {' '.join(command)}")
            time.sleep(0.02)
        yield process, url, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as page:
            return page.status == 200
    except OSError:
        return False
