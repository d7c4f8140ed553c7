"""What requests the page's server lets in: from whom, how large, and for how long their headers may take."""

import asyncio
import ipaddress
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganapp.ui.room import Room

ANY = "any"
OWN_NAMES = {"localhost", "127.0.0.1", "::1"}
MOST_BODY = 4 * 2**20  # bytes of a request that is no upload
MOST_UPLOAD = 64 * 2**20  # of one that is: several pictures
HEADERS_WITHIN = 15  # seconds, after which a connection without a request is closed
PART_WITHIN, BODY_WITHIN = 15, 600  # seconds for the next part of a body, and for all of it
MOST_CONNECTIONS = 512  # of those


class Gate:
    """ASGI middleware that answers what does not get in with one sentence.

    `hosts` are the names that the page is asked for by, ANY for all. A page that only this machine can reach would
    else be open to any site that a browser on it shows, which may send requests there (DNS rebinding) or from there.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (ANY,), room: Room | None = None) -> None:
        self.app, self.room = app, room
        self.hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self.stranger(headers)
        upload = scope["path"].rstrip("/").endswith("/upload")
        most = MOST_UPLOAD if upload else MOST_BODY
        if refusal is None and upload and self.room and self.room.full():
            refusal = 507, "The server has no room for more pictures now; try again in a minute."
        too_large = f"The request is over {most // 2**20} MiB, the limit."
        if refusal is None and int(length if (length := headers.get("content-length", "0")).isdigit() else 0) > most:
            refusal = 413, too_large
        if refusal is not None:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
            return
        taken, whole, until = 0, False, time.monotonic() + BODY_WITHIN

        async def bounded() -> Message:
            nonlocal taken, whole
            if whole:  # what comes now says that the caller has left, whenever that is
                return await receive()
            try:
                within = max(0.0, min(PART_WITHIN, until - time.monotonic()))
                message = await asyncio.wait_for(receive(), within)
            except TimeoutError:
                raise TooSlow from None
            whole = not message.get("more_body", False)
            size = len(message.get("body", b""))
            taken += size
            if upload and self.room:
                self.room.used += size
            if taken > most:
                raise TooLarge(too_large)
            return message

        begun = False

        async def told(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, bounded, told)
        except TooLarge as error:
            if not begun:
                await PlainTextResponse(str(error), 413)(scope, receive, send)
        except TooSlow:
            if not begun:
                late = {"connection": "close"}
                await PlainTextResponse("The request came too slowly; send it again.", 408, late)(scope, receive, send)

    def stranger(self, headers: Headers) -> tuple[int, str] | None:
        """Why a request is not for this page, or None."""
        if ANY in self.hosts:
            return None
        asked, origin = host_name("//" + headers.get("host", "")), headers.get("origin")
        if asked not in self.hosts:
            return 403, f"This page does not answer to the host {asked[:80]!r}; start it with --hosts to name others."
        if origin is not None and host_name(origin) not in self.hosts:
            return 403, f"This page takes no requests from {origin[:80]!r}; start it with --hosts to name others."
        return None


class TooLarge(Exception):
    """A body that goes on beyond its limit."""


class TooSlow(Exception):
    """A body of which no more comes."""


def host_name(url: str) -> str:
    """The host in a URL in lower case, "" where there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def own_hosts(host: str, named: Collection[str], public: bool) -> set[str]:
    """The names that a page on this address answers to: all if others can reach it, unless some are `named`."""
    if named:
        return {*named} if ANY in named else {*named, *OWN_NAMES, host}
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host.lower() == "localhost"
    return {ANY} if public or not loopback else {*OWN_NAMES, host}


def close_idle(server: Any, within: float = HEADERS_WITHIN, most: int = MOST_CONNECTIONS, every: float = 1.0) -> None:
    """From now on close connections to a uvicorn server on which no whole request came `within` so many seconds.

    Of more than `most` of them the oldest are closed at once. uvicorn itself waits for headers without end, and each
    connection holds one of the files that a process may open.
    """
    since: dict[tuple[Any, int], float] = {}  # by connection, and the request that it answered last

    def look() -> None:
        now = time.monotonic()
        waiting = []
        for each in list(server.server_state.connections):
            answered = getattr(each, "cycle", None)
            if hasattr(each, "cycle") and (answered is None or answered.response_complete):
                waiting.append((each, id(answered)))
        for gone in since.keys() - set(waiting):
            del since[gone]
        for key in waiting:
            since.setdefault(key, now)
        oldest = sorted(waiting, key=since.__getitem__)
        for i, key in enumerate(oldest):
            if now - since[key] > within or i < len(oldest) - most:
                key[0].transport.abort()

    def watch() -> None:
        while not server.should_exit:
            time.sleep(every)
            loop = server.servers[0].get_loop() if server.servers else None
            with suppress(RuntimeError):  # the loop has just ended
                if loop:
                    loop.call_soon_threadsafe(look)

    threading.Thread(target=watch, daemon=True, name="close idle connections").start()
