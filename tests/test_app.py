import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import app

ROOT = Path(__file__).resolve().parent.parent


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The app started with these arguments, from another folder, without an address from the environment."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRADIO_SERVER")}
    command = [sys.executable, str(ROOT / "app.py"), *arguments]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("exists", [True, False])
def test_without_models_it_says_what_to_do(tmp_path: Path, exists: bool):
    folder = tmp_path / "weights"
    if exists:
        folder.mkdir()
    ran = start("--weights", str(folder))
    assert ran.returncode == 2
    assert str(folder) in ran.stderr and "--weights" in ran.stderr and "Traceback" not in ran.stderr


def test_a_port_that_is_taken_is_said_in_one_line(weights_dir: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = start("--weights", str(weights_dir), "--port", str(port))
    assert ran.returncode == 2
    assert f"port {port}" in ran.stderr and "--port" in ran.stderr and len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 0), ("127.0.0.1", 70_000), ("127.0.0.1", "http"), ("no.such.host.invalid", 7860)]
)
def test_an_address_that_cannot_be_is_a_problem_and_not_an_exception(host: str, port: int | str):
    assert "--port" in app.port_problem(host, port)


def test_a_free_port_is_no_problem():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert app.port_problem("127.0.0.1", port) is None


def test_the_default_weights_lie_beside_the_app():
    assert app.AppConfig().weights == ROOT / "weights"
