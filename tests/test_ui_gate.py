"""What the page's server lets in."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ganapp.ui import gate
from ganapp.ui.gate import ANY, MOST_BODY, MOST_UPLOAD, Gate, close_idle, host_name, own_hosts
from ganapp.ui.room import Room

LOCAL = own_hosts("127.0.0.1", (), public=False)


async def length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def app(**options: object) -> Starlette:
    routes = [Route(path, length, methods=["GET", "POST"]) for path in ("/", "/gradio_api/upload")]
    return Starlette(routes=routes, middleware=[Middleware(Gate, **options)])


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:7860", None, 200),
        ("localhost:7860", "http://localhost:7860", 200),
        ("LOCALHOST", "http://127.0.0.1:1", 200),
        ("[::1]:7860", "http://[::1]:7860", 200),
        ("evil.example", None, 403),
        ("127.0.0.1.evil.example", None, 403),
        ("127.0.0.1:7860", "http://evil.example", 403),
        ("127.0.0.1:7860", "null", 403),
        ("127.0.0.1:7860", "http://[", 403),
        ("", None, 403),
    ],
)
def test_a_page_of_this_machine_answers_to_its_own_names_alone(host: str, origin: str | None, status: int):
    headers = {"host": host} | ({"origin": origin} if origin else {})
    answer = TestClient(app(hosts=LOCAL)).get("/", headers=headers)
    assert answer.status_code == status
    assert ("--hosts" in answer.text) == (status == 403)
    assert TestClient(app()).get("/", headers=headers).status_code == 200


def test_who_is_answered_by_default_and_who_if_named():
    assert own_hosts("0.0.0.0", (), public=False) == {ANY} and own_hosts("127.0.0.1", (), public=True) == {ANY}
    assert "localhost" in own_hosts("::1", (), public=False) and ANY not in own_hosts("127.0.0.9", (), public=False)
    assert {"apes.example", "localhost", "10.0.0.2"} <= own_hosts("10.0.0.2", ("apes.example",), public=False)
    assert own_hosts("127.0.0.1", (ANY, "x"), public=False) == {ANY, "x"}
    assert [host_name(url) for url in ("https://A.b:1/c", "null", "http://[")] == ["a.b", "", ""]


@pytest.mark.parametrize(("path", "most"), [("/", MOST_BODY), ("/gradio_api/upload", MOST_UPLOAD)])
@pytest.mark.parametrize("said", [True, False])
def test_a_body_beyond_the_limit_is_refused_whether_it_says_its_length_or_not(path: str, most: int, said: bool):
    client = TestClient(app())
    part = bytes(2**20)

    def body(size: int):
        return bytes(size) if said else (part for _ in range(size // 2**20))

    assert client.post(path, content=body(most)).text == str(most)
    answer = client.post(path, content=body(most + 2**20))
    assert (answer.status_code, answer.text) == (413, f"The request is over {most // 2**20} MiB, the limit.")


def test_no_more_is_taken_than_there_is_room_for(tmp_path: Path):
    room = Room(tmp_path, most=3 * 2**20)
    client = TestClient(app(room=room))
    codes = [client.post("/gradio_api/upload", content=bytes(2**20)).status_code for _ in range(6)]
    assert codes == [200] * 4 + [507] * 2
    assert client.post("/", content=b"x").status_code == 200
    room.sweep()
    assert client.post("/gradio_api/upload", content=b"x").status_code == 200


@pytest.fixture
def server():
    config = uvicorn.Config(app(), port=0, log_level="error", timeout_keep_alive=60)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def connect(server: uvicorn.Server) -> Iterator[Callable[[bytes], socket.socket]]:
    links: list[socket.socket] = []

    def connected(sent: bytes) -> socket.socket:
        links.append(socket.create_connection(server.servers[0].sockets[0].getsockname()))
        links[-1].settimeout(30)
        links[-1].sendall(sent)
        return links[-1]

    yield connected
    for link in links:
        link.close()


def closed(link: socket.socket) -> bool:
    try:
        return link.recv(1000) == b""
    except ConnectionError:
        return True


def test_headers_that_never_end_are_waited_for_only_so_long_and_the_page_answers_meanwhile(
    server: uvicorn.Server, connect: Callable[[bytes], socket.socket]
):
    close_idle(server, within=0.3, every=0.05)
    half = [connect(b"GET / HTTP/1.1\r\nHost: x\r\nX: ") for _ in range(20)]
    whole = connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\n0"):
        answer += whole.recv(1000)
    assert answer.startswith(b"HTTP/1.1 200")
    whole.sendall(b"GET / HTTP/1.1\r\nHost:")  # a second request on the same connection, that never ends
    assert all(map(closed, [*half, whole]))


def test_of_too_many_that_wait_the_oldest_go_at_once(server: uvicorn.Server, connect: Callable[[bytes], socket.socket]):
    first = connect(b"GET / HT")
    while len(server.server_state.connections) < 1:
        time.sleep(0.01)
    close_idle(server, within=1000, most=3, every=0.05)
    time.sleep(0.2)  # the first has been seen by then
    rest = [connect(b"GET / HT") for _ in range(3)]
    assert closed(first)
    rest[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        rest[0].recv(1)


def test_a_body_of_which_no_more_comes_is_not_waited_for(
    server: uvicorn.Server, connect: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gate, "PART_WITHIN", 0.2)
    for path in (b"/", b"/gradio_api/upload"):
        link = connect(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        assert link.recv(1000).startswith(b"HTTP/1.1 408")
    link = connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    assert link.recv(1000).startswith(b"HTTP/1.1 200")
