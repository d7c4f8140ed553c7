"""What the page's own scripts ask for while a visitor plays: pictures at once, past Gradio's queue.

Gradio's calls cost tens of milliseconds each. These are plain requests, answered in one thread with a fair turn for
each visitor (see `FairTurns`), and every value is checked as in any other call.
"""

import asyncio
import json
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ganapp.draw.explore import Explore, image, painted, picture
from ganapp.draw.render import OWN, SVG, paints
from ganapp.draw.walk import Walk, film
from ganapp.pictures.packed import framed, pack_planes
from ganapp.serve.library import Library
from ganapp.ui.fair import FairTurns, QueueFull, Superseded
from ganapp.ui.files import file_name
from ganapp.ui.preview import PATH as PREVIEW
from ganapp.ui.preview import picture as picture_of_link

MOST_BODY = 20_000  # bytes of a wish
FILES = 8  # that one visitor may wait for
MOST_LIVE = 512  # pixels a side of a picture that is sent as pixels
WALK = "/live/walk/file"
MEDIA = {"png": "image/png", SVG: "image/svg+xml", "mp4": "video/mp4", "webp": "image/webp"}
KEPT = {"cache-control": "public, max-age=86400"}
BUSY = "The queue is full: too many are drawing; try again in a moment."


def routes(library: Library) -> list[Route]:
    """The requests: for what a browser draws itself, for a file of it, and for the picture that a link shows."""
    # A file may take seconds and a film a minute: no picture under a finger waits for them, and no file for a film.
    turns, slower, films = FairTurns(), FairTurns(FILES, newest=False), FairTurns(FILES, newest=False)

    async def live(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        return await answered(turns, request, lambda: wished(library, body))

    async def file(request: Request) -> Response:
        query = without_tab(request)
        return await answered(slower, request, lambda: as_file(library, query))

    async def walk(request: Request) -> Response:
        query = without_tab(request)
        return await answered(films, request, lambda: as_film(library, query))

    async def preview(request: Request) -> Response:
        query = dict(request.query_params)
        return await answered(
            slower, request, lambda: Response(picture_of_link(library, query), media_type=MEDIA["png"], headers=KEPT)
        )

    return [
        Route(PREVIEW, preview, methods=["GET"]),
        Route("/live/explore", live, methods=["POST"]),
        Route("/live/explore/file", file, methods=["GET"]),
        Route(WALK, walk, methods=["GET"]),
    ]


async def answered(turns: FairTurns, request: Request, work: Callable[[], Response]) -> Response:
    """What the work makes when it is this visitor's turn, or a sentence that says why it does not."""
    host = request.client.host if request.client else ""
    visitor = host, request.headers.get("x-visitor", "")[:40]
    doing = asyncio.ensure_future(turns.do(visitor, work))
    try:
        while not (await asyncio.wait({doing}, timeout=1))[0]:
            if await request.is_disconnected():  # nobody waits for it: it is not begun
                doing.cancel()
                return Response(status_code=499)
        return doing.result()
    except QueueFull:
        return PlainTextResponse(BUSY, 503)
    except Superseded:
        return Response(status_code=409)
    except ValueError as error:  # BundleError is one
        return PlainTextResponse(str(error), 422)


def wished(library: Library, body: bytes) -> Response:
    """What a browser needs to draw one picture, see `pack_planes`; or its pixels, where the model has no planes or the
    wish asks for `pixels`."""
    if len(body) > MOST_BODY:
        raise ValueError(f"a wish has at most {MOST_BODY:,} bytes")
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("a wish must be JSON") from None
    if not isinstance(values, dict):
        raise ValueError("a wish must be a JSON object")
    pixels = values.pop("pixels", False)
    record = Explore.checked(library, **values)
    spec = library.spec(record.model)
    if paints(spec) and not pixels:
        planes, colours = painted(library, record)
        data = pack_planes(planes, colours, spec.overlays, supersample=spec.supersample, plane_scale=spec.plane_scale)
    else:
        if record.size == SVG or (record.size != OWN and int(record.size) > MOST_LIVE):
            raise ValueError(f"size must be at most {MOST_LIVE} pixels a side here")
        drawn = image(library, record)
        header = {"kind": "pixels", "side": drawn.shape[0], "channels": drawn.shape[2]}
        data = framed({**header, "pixel_art": spec.pixel_size > 1}, drawn)
    return Response(data, media_type="application/octet-stream", headers={"cache-control": "no-store"})


def without_tab(request: Request) -> dict[str, str]:
    """The query of a record's address."""
    return {name: value for name, value in request.query_params.items() if name != "tab"}


def as_file(library: Library, query: dict[str, str]) -> Response:
    """The picture as a file to keep, PNG or SVG, with its record."""
    made = picture(library, Explore.checked(library, **query))
    return attached(made.data, made.name)


def as_film(library: Library, query: dict[str, str]) -> Response:
    """The walk as a file to keep, in its format."""
    drawn = film(library, Walk.checked(library, **query))
    return attached(drawn.file, drawn.name)


def attached(data: bytes, name: str) -> Response:
    """A file that a browser keeps and does not open."""
    suffix = name.rsplit(".", 1)[-1]
    plain = file_name(name)
    headers = {
        "content-disposition": f'attachment; filename="{plain if plain.isascii() else f"picture.{suffix}"}"',
        "cache-control": "no-store",
    }
    if suffix == SVG:
        headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return Response(data, media_type=MEDIA[suffix], headers=headers)
