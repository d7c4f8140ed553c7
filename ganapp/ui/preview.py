"""What a link to the page looks like where it is shared: a title, a sentence, and the picture that the link opens."""

import html
import re
from collections.abc import Mapping
from urllib.parse import urlencode

import numpy as np
from starlette.datastructures import MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganapp.contract import GeneratorSpec
from ganapp.draw.explore import Explore, image
from ganapp.draw.render import paints
from ganapp.draw.sample import Sample, images
from ganapp.pictures.alpha import composite
from ganapp.pictures.png import encode_png
from ganapp.pictures.resize import resize, upscale_nearest
from ganapp.serve.library import Library

PATH = "/preview.png"
WIDTH, HEIGHT, MARGIN = 1200, 630, 24  # pixels; the size that most sites show
COLUMNS, ROWS = 4, 2
PAPER = (250, 248, 244)
SENTENCE = "A small network has looked at thousands of drawings; this is what it draws by itself."
THEIRS = re.compile(r'<meta\s+(?:property|name)="(?:og|twitter):[^>]*?/?>\s*', re.DOTALL)  # Gradio's own, and its name
MOST_QUERY = 2000  # characters


def picture(library: Library, query: Mapping[str, str]) -> bytes:
    """A PNG of WIDTH x HEIGHT for the query of an address: the picture of Explore, or samples of the model.

    What is wrong in the query gives way to defaults, as on the page. Raises BundleError for a broken model.
    """
    sheet = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    sheet[:] = PAPER
    known = {name: value for name, value in query.items() if len(value) <= MOST_QUERY}
    name = known.get("model", "")
    spec = library.spec(name if name in library.specs else library.default)
    squares = spec.pixel_size > 1
    if query.get("tab", "explore") == "explore":
        side = HEIGHT - 2 * MARGIN
        record, _ = Explore.from_query(library, {**known, "size": drawn_at(spec, side)})
        place(sheet, image(library, record), (WIDTH - side) // 2, MARGIN, side, squares)
    else:
        side = (HEIGHT - (ROWS + 1) * MARGIN) // ROWS
        wanted = {**known, "count": str(COLUMNS * ROWS), "size": drawn_at(spec, side)}
        samples, _ = Sample.from_query(library, wanted)
        left = (WIDTH - COLUMNS * side - (COLUMNS - 1) * MARGIN) // 2
        for i, drawn in enumerate(images(library, samples)):
            row, column = divmod(i, COLUMNS)
            place(sheet, drawn, left + column * (side + MARGIN), MARGIN + row * (side + MARGIN), side, squares)
    return encode_png(sheet)


def drawn_at(spec: GeneratorSpec, side: int) -> str:
    """The size to draw at for `side` pixels: of a model with planes that, of others their own."""
    return str(side) if paints(spec) else "own"


def place(sheet: np.ndarray, drawn: np.ndarray, left: int, top: int, side: int, squares: bool) -> None:
    """Lay a square picture [H, H, 3 or 4] on the sheet, in the middle of a square of `side` pixels, as large as it.

    With `squares` its pixels become squares, and it may be smaller.
    """
    own = drawn.shape[0]
    if squares and own <= side:
        drawn = upscale_nearest(drawn, side // own)
    elif own != side:
        drawn = resize(drawn, (side, side))
    gap = (side - drawn.shape[0]) // 2
    part = sheet[top + gap : top + gap + drawn.shape[0], left + gap : left + gap + drawn.shape[1]]
    part[:] = composite(drawn, PAPER) if drawn.shape[2] == 4 else drawn


class Preview:
    """ASGI middleware that puts a title, a sentence and a picture into the page's head, in place of Gradio's."""

    def __init__(self, app: ASGIApp, library: Library) -> None:
        self.app, self.library = app, library

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or scope["path"].rstrip("/") not in ("", scope_root(scope))
        ):
            await self.app(scope, receive, send)
            return
        begin: Message | None = None
        body = b""

        async def changed(message: Message) -> None:
            nonlocal begin, body
            if message["type"] == "http.response.start":
                begin = message
                return
            body += message.get("body", b"")
            if message.get("more_body") or begin is None:
                return
            headers = MutableHeaders(raw=begin["headers"])
            if headers.get("content-type", "").startswith("text/html"):
                body = self.with_preview(body.decode(), Request(scope)).encode()
                headers["content-length"] = str(len(body))
            await send(begin)
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, changed)

    def with_preview(self, page: str, request: Request) -> str:
        """The page with tags of ours."""
        return THEIRS.sub("", page).replace("<head>", f"<head>\n{self.tags(request)}", 1)

    def tags(self, request: Request) -> str:
        """The tags, with whole addresses, as those who show links ask for."""
        query = QueryParams(request.url.query)
        name = query.get("model", "")
        model = name if name in self.library.specs else self.library.default
        base = address_of(request)
        shown = {key: value for key, value in query.items() if not key.startswith("__")}
        picture = f"{base}{PATH}?{urlencode({**shown, 'model': model})}"
        texts = {
            "og:type": "website",
            "og:title": f"ganapp: {model}",
            "og:description": SENTENCE,
            "og:url": f"{base}/" + (f"?{urlencode(shown)}" if shown else ""),
            "og:image": picture[:MOST_QUERY],
            "og:image:width": str(WIDTH),
            "og:image:height": str(HEIGHT),
            "twitter:card": "summary_large_image",
        }
        lines = [
            f'<meta {"name" if key.startswith("twitter") else "property"}="{key}" content="{html.escape(text)}">'
            for key, text in texts.items()
        ]
        return "\n".join([*lines, f'<meta name="description" content="{html.escape(SENTENCE)}">', ""])


def scope_root(scope: Scope) -> str:
    return str(scope.get("root_path", "")).rstrip("/")


def address_of(request: Request) -> str:
    """The address that the page has for its visitor, without a slash at its end, also behind a proxy."""
    headers = request.headers
    scheme = headers.get("x-forwarded-proto", request.url.scheme).split(",")[0].strip()
    host = headers.get("x-forwarded-host", headers.get("host", request.url.netloc)).split(",")[0].strip()
    root = scope_root(request.scope)
    return root if "://" in root else f"{scheme}://{host}{root}"
