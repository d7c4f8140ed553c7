import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from conftest import served

import app
from ganapp.pictures.load import load_image

ROOT = Path(__file__).resolve().parent.parent


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The app started with these arguments and variables, from another folder, without an address from outside."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRADIO_SERVER")} | variables
    command = [sys.executable, str(ROOT / "app.py"), *arguments]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("exists", [True, False])
def test_without_models_it_says_what_to_do(tmp_path: Path, exists: bool):
    folder = tmp_path / "weights"
    if exists:
        folder.mkdir()
    ran = start("--weights", str(folder))
    assert ran.returncode == 2
    assert str(folder) in ran.stderr and "--weights" in ran.stderr and "Traceback" not in ran.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is listened on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_is_taken_is_said_in_one_line(weights_dir: Path, taken: int):
    ran = start("--weights", str(weights_dir), "--port", str(taken))
    assert ran.returncode == 2
    assert f"port {taken}" in ran.stderr and "--port" in ran.stderr and len(ran.stderr.splitlines()) == 1


def test_a_port_in_the_environment_that_is_no_number_is_said_in_one_line(weights_dir: Path):
    ran = start("--weights", str(weights_dir), GRADIO_SERVER_PORT="http")
    assert ran.returncode == 2
    assert "'http' is not a port" in ran.stderr and "GRADIO_SERVER_PORT" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_port_in_the_environment_is_not_looked_at_where_another_is_named(weights_dir: Path):
    script = f"""
import sys
from collections.abc import Iterator
from pathlib import Path

import app

app.port_problem = lambda host, port: f"stop at {{port}}"
code = app.main(app.AppConfig(weights=Path({str(weights_dir)!r}), port=8123))
import gradio
sys.exit(code)
"""
    environment = {**os.environ, "GRADIO_SERVER_PORT": "http"}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (ran.returncode, ran.stderr) == (2, "stop at 8123\n")


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("127.0.0.1", 0),
        ("127.0.0.1", 70_000),
        ("127.0.0.1", "http"),
        ("127.0.0.1", "9" * 5000),
        ("no.such.host.invalid", 7860),
    ],
)
def test_an_address_that_cannot_be_is_a_problem_and_not_an_exception(host: str, port: int | str):
    assert "--port" in app.port_problem(host, port)


def test_a_free_port_is_no_problem():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert app.port_problem("127.0.0.1", port) is None


def test_from_any_folder_it_finds_the_models_that_come_with_it(taken: int):
    """It asks for another port, and so has no want of models."""
    ran = start("--port", str(taken))
    assert ran.returncode == 2 and f"port {taken}" in ran.stderr and "--weights" not in ran.stderr


def test_a_proxy_in_the_environment_is_not_asked_for_this_machine(weights_dir: Path, taken: int):
    """The proxy is a port that answers nobody."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"), f"http://127.0.0.1:{taken}")
    command = [sys.executable, str(ROOT / "app.py"), "--weights", str(weights_dir), "--port", str(free)]
    with subprocess.Popen(command, env={**os.environ, **proxies}, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout.readline() == f"ganapp: http://127.0.0.1:{free}  (Ctrl-C stops)\n"
        finally:
            served.terminate()


def test_what_is_kept_out_of_proxies_already_stays_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "intra.example, 127.0.0.1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    app.unproxied("0.0.0.0")
    assert os.environ["no_proxy"].split(",") == ["intra.example", "127.0.0.1", "0.0.0.0", "::1", "localhost"]
    assert "127.0.0.1" in os.environ["NO_PROXY"]


def loopback() -> list[str]:
    """The loopback addresses of this machine."""
    found = ["127.0.0.1"]
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        found.append("::1")
    return found


@pytest.mark.parametrize("host", loopback())
def test_it_serves_under_a_path_and_ends_without_leaving_anything(host: str, weights_dir: Path, tmp_path: Path):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        free = probe.getsockname()[1]
    address = f"http://[{host}]:{free}" if ":" in host else f"http://{host}:{free}"
    command = [sys.executable, str(ROOT / "app.py"), "--weights", str(weights_dir), "--host", host, "--port", str(free)]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path / "room")}
    with subprocess.Popen(
        [*command, "--root-path", "/apes"], env=environment, stdout=subprocess.PIPE, text=True
    ) as served:
        try:
            assert served.stdout.readline() == f"ganapp: {address}  (Ctrl-C stops)\n"
            assert len(os.listdir(tmp_path / "room")) == 1
            with httpx.Client(base_url=address, trust_env=False) as client:
                # As a proxy does that serves this under /apes: it takes the path away.
                told = client.get("/config", headers={"x-forwarded-host": "here.example"}).json()
                assert told["root"].endswith("/apes")
                assert client.get("/web/player.js").status_code == 200
                assert client.get("/", headers={"host": "elsewhere.example"}).status_code == 403
        finally:
            served.send_signal(signal.SIGTERM)
        assert served.wait(60) == 0
    assert os.listdir(tmp_path / "room") == []


def test_a_temporary_folder_that_cannot_be_used_is_said_in_one_line(weights_dir: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path / "file")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, str(ROOT / "app.py"), "--weights", str(weights_dir), "--port", port]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1
    assert (
        ran.stderr.startswith(f"{tmp_path / 'file'}: no room for temporary files") and "GRADIO_TEMP_DIR" in ran.stderr
    )


def test_the_calls_are_tools_for_programs_that_speak_mcp(weights_dir: Path, tmp_path: Path):
    mcp = pytest.importorskip("mcp")
    http = pytest.importorskip("mcp.client.streamable_http")

    async def ask(url: str) -> tuple[dict, list]:
        async with http.streamable_http_client(url) as (read, write, _), mcp.ClientSession(read, write) as session:
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            made = await session.call_tool("explore", {"x": 0.2, "size": "40"})
            return tools, made.content

    with served(weights_dir, tmp_path / "log.txt", "--mcp") as running:
        tools, content = asyncio.run(ask(f"{running.url}gradio_api/mcp/"))
    assert list(tools) == ["sample", "explore", "mix", "interpolate", "cleanup"]
    for tool in tools.values():
        assert len(tool.description) > 40
        assert all(len(about["description"]) > 10 for about in tool.inputSchema["properties"].values())
    [shown] = [each for each in content if each.type == "image"]
    assert load_image(base64.b64decode(shown.data)).shape == (40, 40, 4)


def test_without_the_package_mcp_names_it(weights_dir: Path, tmp_path: Path):
    lines = ["import importlib.util as u", "find = u.find_spec"]
    lines += ["u.find_spec = lambda name, *rest: None if name == 'mcp' else find(name, *rest)"]
    (tmp_path / "sitecustomize.py").write_text("\n".join(lines))
    ran = start("--weights", str(weights_dir), "--mcp", PYTHONPATH=str(tmp_path))
    assert ran.returncode == 2 and "pip install" in ran.stderr and "Traceback" not in ran.stderr
