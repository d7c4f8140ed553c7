"""Fixtures that several test files share."""

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from drawn_upscaler import write_graph
from tiny_bundle import CRITTERS, FACES, PAINTED, PLAIN, write_bundle

from ganapp.serve.generator import PlainGenerator, StyleGenerator, open_generator
from ganapp.serve.library import Library
from ganapp.serve.session import CPU

ROOT = Path(__file__).resolve().parent.parent

# The tests of the serving half, by the names of their files. They need no torch; without it the others are left out.
SERVING = (
    "test_api*",
    "test_app*",
    "test_browser*",
    "test_contract*",
    "test_cpus*",
    "test_draw_*",
    "test_files*",
    "test_generator*",
    "test_latents*",
    "test_layers*",
    "test_library*",
    "test_pictures*",
    "test_requirements*",
    "test_session*",
    "test_ui_*",
    "test_upscaler*",
)


def serving_tests() -> list[Path]:
    return sorted(path for name in SERVING for path in (ROOT / "tests").glob(f"{name}.py"))


if importlib.util.find_spec("torch") is None:
    collect_ignore = [str(path) for path in (ROOT / "tests").glob("test_*.py") if path not in serving_tests()]


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with a tiny upscaler and three tiny models: with labels and noise, pixel art, no styles."""
    root = tmp_path_factory.mktemp("weights")
    for seed, spec in enumerate((CRITTERS, FACES, PLAIN)):
        write_bundle(root / spec.name, spec, seed)
    write_graph(root / "cleanup-x2")
    return root


@pytest.fixture(scope="session")
def library(weights_dir: Path) -> Library:
    return Library(weights_dir)


@pytest.fixture(scope="session")
def painting(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of one tiny model, which paints in a palette."""
    root = tmp_path_factory.mktemp("painting")
    write_bundle(root / PAINTED.name, PAINTED)
    return Library(root)


@pytest.fixture(scope="session")
def style(weights_dir: Path) -> StyleGenerator:
    return open_generator(weights_dir / CRITTERS.name, [CPU])


@pytest.fixture(scope="session")
def plain(weights_dir: Path) -> PlainGenerator:
    return open_generator(weights_dir / PLAIN.name, [CPU])


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Gradio's files go to a folder of the test run and not to the one that all of the machine's Gradio apps share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        yield


@dataclass(frozen=True)
class Server:
    """The app as people start it: its address, and the file of what it prints."""

    url: str
    log: Path


@contextmanager
def served(weights_dir: Path, log: Path, *more: str) -> Iterator[Server]:
    """`app.py` over a weights folder, in a process of its own: Gradio leaves sockets open in the one it runs in."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "app.py"), "--weights", str(weights_dir), "--port", str(port), *more]
    with log.open("wb") as file, subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file) as process:
        try:
            for _ in range(3000):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
            else:
                pytest.fail(f"no answer on port {port} after 300 seconds:\n{log.read_text()}")
            yield Server(f"http://127.0.0.1:{port}/", log)
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def server(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory, _own_cache: None) -> Iterator[Server]:
    """The app over the tiny models."""
    with served(weights_dir, tmp_path_factory.mktemp("server") / "log.txt") as running:
        yield running


@pytest.fixture(scope="session")
def painting_server(painting: Library, tmp_path_factory: pytest.TempPathFactory, _own_cache: None) -> Iterator[Server]:
    """The app over the tiny model that paints in a palette."""
    with served(painting.weights_dir, tmp_path_factory.mktemp("painting_server") / "log.txt") as running:
        yield running


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Sums in one order, so that training is the same to the bit; where no test has asked for torch, nothing."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


# What training needs is imported by the fixtures that need it: the serving half is tested without torch too.


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled RGBA dataset of 40 pictures at 16 px."""
    from tiny_run import write_dataset

    return write_dataset(tmp_path_factory.mktemp("data") / "shapes")


@pytest.fixture(scope="session")
def run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 10 steps on `shapes`."""
    from tiny_run import TINY

    from ganapp.train.gan.loop import Budget
    from ganapp.train.gan.start import train

    out = tmp_path_factory.mktemp("runs") / "shapes"
    train(shapes, out, TINY, Budget(kimg=0.08), device="cpu")
    return out


@pytest.fixture
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sets that upscalers are measured on, cut to styles that load fast."""
    from ganapp.metrics import upscaler_measure

    for name, styles in (("PICTURES", ("patchwork", "lorelei", "thumbs")), ("STRANGERS", ("big-smile", "fun-emoji"))):
        chosen = [picture for picture in getattr(upscaler_measure, name) if picture[0] in styles]
        monkeypatch.setattr(upscaler_measure, name, tuple(chosen))
    cached = (upscaler_measure.pairs, upscaler_measure.rgba_pairs)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()
