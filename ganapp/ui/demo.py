"""The whole page: its frame and its tabs, and how it is served."""

from typing import Any

import gradio as gr

from ganapp.serve.library import Library
from ganapp.ui import api, cleanup, interpolate, mix, sample
from ganapp.ui.cleaner import Cleaner
from ganapp.ui.theme import CSS, theme

HEADER = """
<header class="masthead">
  <h1>ganapp</h1>
  <p>A small network has looked at thousands of drawings; this is what it draws by itself.</p>
</header>
"""

CACHE = (3600, 6 * 3600)  # seconds: how often old files are looked for, and how old is old
QUEUE = 64  # waiting requests; more are turned away at once and not kept for minutes


def build_demo(library: Library) -> gr.Blocks:
    """The page over the models of `library`, ready to launch with `launch_options`."""
    with gr.Blocks(title="ganapp", analytics_enabled=False, delete_cache=CACHE, fill_width=True) as demo:
        gr.HTML(HEADER)
        cleaner = Cleaner(library)
        with gr.Tabs() as tabs:
            with gr.Tab("Sample", id="sample"):
                first, sampled = sample.build(library, demo)
            with gr.Tab("Style mixing", id="mix") as tab:
                mixed = mix.build(library, tab, first)
            with gr.Tab("Interpolation", id="interpolate") as tab:
                walked = interpolate.build(library, tab, first)
            with gr.Tab("Cleanup", id="cleanup") as tab:
                outlets = [outlet for outlet in (sampled, mixed, walked) if outlet]
                cleanup.build(library, cleaner, demo, tabs, tab, outlets)
        api.build(library, cleaner, demo)
    demo.queue(max_size=QUEUE, default_concurrency_limit=4)
    return demo


def launch_options() -> dict[str, Any]:
    """What the page needs of `launch`, whoever calls it: its look, its limits, and nothing from the internet."""
    return {
        "theme": theme(),
        "css_paths": [CSS],
        "show_error": True,
        "ssr_mode": False,
        "run_history": False,
        "pwa": False,
        "enable_monitoring": False,
        "max_file_size": f"{cleanup.MAX_UPLOAD_MB}mb",
        "footer_links": ["api", "settings"],
    }
