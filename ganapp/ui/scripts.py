"""The page's scripts: ES modules in web/, served beside the page, and how components call them."""

import json
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

WEB = Path(__file__).with_name("web")
STYLE, ICON = WEB / "style.css", WEB / "favicon.svg"

# Beside the page, wherever that is: under a path of a proxy, or in a frame on another site.
MODULE = 'import(new URL("web/{}", location.origin + location.pathname.replace(/\\/?$/, "/")))'


def routes() -> list[Route]:
    """The route that serves the modules; nothing else of this machine can be reached by it.

    Starlette's StaticFiles finds nothing behind a proxy that takes a path away.
    """
    names = {path.name for path in WEB.iterdir()}

    def serve(request: Request) -> FileResponse:
        if (name := request.path_params["name"]) not in names:
            raise HTTPException(404)
        return FileResponse(WEB / name)

    return [Route("/web/{name}", serve)]


def call(module: str, function: str, *arguments: str) -> str:
    """JavaScript for an event: the module's function, given `arguments` or, without any, the values of the inputs."""
    given = ", ".join(map(json.dumps, arguments))
    return f"async (...inputs) => (await {MODULE.format(module)}).{function}({given or '...inputs'})"


def attach(module: str, function: str, *arguments: str) -> str:
    """JavaScript for `js_on_load` of a gr.HTML: the function gets {element, props, trigger, watch}.

    With `arguments` the module's function is called with them first, and gives back the one to attach.
    """
    made = f"({', '.join(map(json.dumps, arguments))})" if arguments else ""
    return f"{MODULE.format(module)}.then((module) => module.{function}{made}({{ element, props, trigger, watch }}));"
