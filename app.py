"""Serve the models of a weights folder as a web page: `python app.py --help`."""

import importlib.util
import logging
import os
import re
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import tyro

# Read when gradio is imported: the page must work without a network and report nothing.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class AppConfig:
    """Serve the models of a weights folder as a web page."""

    weights: Path = HERE / "weights"
    """the folder with one folder for each model"""
    host: str | None = None
    """the address to listen on: 127.0.0.1, or what GRADIO_SERVER_NAME says; 0.0.0.0 for the whole network"""
    port: int | None = None
    """the port to listen on: 7860, or what GRADIO_SERVER_PORT says"""
    share: bool = False
    """also make a public link through Gradio's relay, which needs the internet"""
    root_path: str | None = None
    """the path under which a proxy serves the page, such as /ganapp, or its whole address; GRADIO_ROOT_PATH too"""
    mcp: bool = False
    """also serve the API's calls as tools of the Model Context Protocol, which needs `pip install "mcp>=1.21,<2"`"""
    hosts: tuple[str, ...] = ()
    """names of hosts that the page answers to, and takes requests from, beside its own; any for all. By default all,
    but on 127.0.0.1 only this machine's"""


def main(config: AppConfig) -> int:
    """Serve until interrupted; the exit code is 2 where that cannot begin."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from ganapp.contract import BundleError
    from ganapp.serve.library import Library
    from ganapp.signals import end_as_ctrl_c

    end_as_ctrl_c()  # and leaves no files behind

    host = config.host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    # Taken out of the environment: gradio reads it too, and fails when it is imported if that is no number.
    asked = os.environ.pop("GRADIO_SERVER_PORT", "")
    port = config.port if config.port is not None else asked or 7860
    try:
        library = Library(config.weights)
    except BundleError as error:
        print(error, file=sys.stderr)
        return 2
    if problem := port_problem(host, port):
        print(problem, file=sys.stderr)
        return 2
    if config.mcp and importlib.util.find_spec("mcp") is None:
        print('--mcp needs the package mcp: pip install "mcp>=1.21,<2"', file=sys.stderr)
        return 2

    from ganapp.ui.room import own_room

    try:
        room = own_room()
    except OSError as error:
        where = error.filename or os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()
        print(
            f"{where}: no room for temporary files ({error.strerror}); set GRADIO_TEMP_DIR to a folder", file=sys.stderr
        )
        return 2
    from ganapp.ui.gate import close_idle, own_hosts
    from ganapp.ui.page import build_page, launch_options  # seconds, and only now known to be wanted

    unproxied(host)
    room.keep_within_bounds()
    demo = build_page(library)
    # Quiet, since gradio's own lines speak of its Python functions and not of the flags here.
    _, local, public = demo.launch(
        server_name=f"[{host}]" if ":" in host else host,  # as in an address
        server_port=int(port),
        share=config.share,
        root_path=config.root_path,
        mcp_server=config.mcp,
        quiet=True,
        prevent_thread_lock=True,
        **launch_options(library, own_hosts(host, config.hosts, config.share), room),
    )
    close_idle(demo.server)
    print(f"ganapp: {local.rstrip('/')}  (Ctrl-C stops)", flush=True)
    if public:
        print(f"public: {public}", flush=True)
    with suppress(KeyboardInterrupt):
        demo.block_thread()
    return 0


def unproxied(host: str) -> None:
    """Keep this machine's own addresses out of any proxy: gradio asks its server whether it is there."""
    own = {"localhost", "127.0.0.1", "::1", host}
    for name in ("no_proxy", "NO_PROXY"):
        known = [each.strip() for each in os.environ.get(name, "").split(",") if each.strip()]
        os.environ[name] = ",".join([*known, *sorted(own - {*known})])


def port_problem(host: str, port: int | str) -> str | None:
    """Why this address cannot be listened on and what to do, or None. From the environment a port is text."""
    if not re.fullmatch("[0-9]{1,5}", str(port)) or not 0 < int(port) < 65536:
        return f"{port!r:.60} is not a port; choose one from 1 to 65535 with --port or GRADIO_SERVER_PORT"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # lets it take a port just given up; on Windows, one that is in use
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return f"cannot listen on {host} port {port} ({error.strerror}); name another with --host or --port"
    return None


if __name__ == "__main__":
    sys.exit(main(tyro.cli(AppConfig)))
