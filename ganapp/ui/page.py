"""The whole page: its frame and its tabs, and how it is served."""

from collections.abc import Collection
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from ganapp.serve.library import Library
from ganapp.ui import api, controls, live, scripts
from ganapp.ui.cleaner import Cleaner
from ganapp.ui.files import MAX_UPLOAD_MB
from ganapp.ui.gate import ANY, Gate
from ganapp.ui.preview import Preview
from ganapp.ui.room import Room
from ganapp.ui.tab import Page
from ganapp.ui.tabs import TABS
from ganapp.ui.theme import theme

HEADER = """
<header class="masthead">
  <h1>ganapp</h1>
  <p>A small network has looked at thousands of drawings; this is what it draws by itself.</p>
</header>
"""

SESSIONS = 200  # visitors whose state is kept, 0.3 MB each; one who comes back later finds the page as it was at first
QUEUE = 64  # waiting requests; more are turned away at once and not kept for minutes


def build_page(library: Library) -> gr.Blocks:
    """The page over the models of `library`, ready to launch with `launch_options`."""
    with gr.Blocks(title="ganapp", analytics_enabled=False, fill_width=True) as demo:
        gr.HTML(HEADER, js_on_load=scripts.attach("entrance.js", "entrance"))
        cleaner = Cleaner(library)
        address = gr.State({})
        with gr.Tabs() as tabs:
            first = controls.model(library, render=False)  # stands in the first tab
            page = Page(library, cleaner, demo, tabs, first, address)
            demo.load(on_load, outputs=[address, tabs], show_progress="hidden", **controls.PRIVATE)
            for tab in TABS:
                with gr.Tab(tab.title, id=tab.id) as opened:
                    outlet = tab.build(page, opened)
                    page.outlets += [outlet] if outlet else []
        api.build(library, cleaner, demo)
    demo.queue(max_size=QUEUE, default_concurrency_limit=4)
    return demo


def on_load(request: gr.Request) -> tuple:
    """The address of the page, and the tab that it opens."""
    query = dict(request.query_params)
    if query.get("tab") not in {tab.id for tab in TABS}:
        query["tab"] = "sample" if query.keys() & {"seed", "count"} else TABS[0].id  # links of earlier versions
    return query, gr.update(selected=query["tab"])


def launch_options(library: Library, hosts: Collection[str] = (ANY,), room: Room | None = None) -> dict[str, Any]:
    """What the page over `library` needs of `launch`, whoever calls it: its look, its limits, and nothing from the
    internet.

    `hosts` are the names that it answers to, and `room` is where visitors' files lie, see `Gate`.
    """
    return {
        "theme": theme(),
        "css_paths": [scripts.STYLE],
        "favicon_path": str(scripts.ICON),
        "app_kwargs": {
            "routes": [*scripts.routes(), *live.routes(library)],
            "middleware": [Middleware(Gate, hosts=hosts, room=room), Middleware(Preview, library=library)],
        },
        "state_session_capacity": SESSIONS,
        "show_error": True,
        "ssr_mode": False,
        "run_history": False,
        "pwa": False,
        "enable_monitoring": False,
        "max_file_size": f"{MAX_UPLOAD_MB}mb",
        "footer_links": ["api", "settings"],
    }
