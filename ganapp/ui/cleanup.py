"""The Cleanup tab: a picture enlarged, cleaned and finished, beside what it was."""

import html
from collections.abc import Callable, Sequence
from pathlib import Path

import gradio as gr
import numpy as np

from ganapp.pictures.finish import copy_alpha
from ganapp.pictures.png import encode_png
from ganapp.serve.arguments import Raw
from ganapp.serve.cleanup import METHODS, Cleanup
from ganapp.serve.library import Library
from ganapp.serve.recipe import Sample
from ganapp.ui import controls, errors, sample
from ganapp.ui.cleaner import Cleaned, Cleaner, named, upload
from ganapp.ui.files import cached, cut
from ganapp.ui.outlet import Outlet
from ganapp.ui.turns import Superseded, Turns

LABELS = {"auto": "Automatic", "network": "Neural network", "pixel-art": "Pixel art", "lanczos": "Lanczos"}
MADE = {"network": "cleaned by a neural network", "pixel-art": "by squares", "lanczos": "by Lanczos, nothing cleaned"}
EXACT = "exact"
SIZES = [("× 2", "2"), ("× 4", "4"), ("exact", EXACT)]
MAX_UPLOAD_MB = 20
LANES = 2
SHOWN_BY_BROWSERS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp")
NO_NETWORK = "There is no upscaling network among the models here: pixel art and Lanczos only."

NOTHING = np.zeros((1, 1, 3), np.uint8)
PROGRESS = gr.Progress()  # in a signature, Gradio puts one there that knows the call

SLIDER_JS = Path(__file__).with_name("slider.js").read_text(encoding="utf-8")

# A result beside another picture than its own would be taken for that picture's.
CLEAR_JS = "() => [null, null, '']"

# The last input of a call is the moment when it was asked for.
MOMENT_JS = "(...inputs) => [...inputs.slice(0, -1), performance.timeOrigin + performance.now()]"

# A small screen shows where the button was, which is nowhere in particular on this tab.
TO_RESULT_JS = """() => document.querySelector("#cleanup-out")?.scrollIntoView({ block: "nearest" })"""


def methods(library: Library) -> list[tuple[str, str]]:
    """Label and value of each method that the library can do."""
    return [(LABELS[method], method) for method in METHODS if method != "network" or library.upscalers]


def checked(
    library: Library,
    scale: Raw,
    size: Raw,
    method: Raw,
    denoise: Raw,
    flat: Raw,
    colours: Raw,
    palette: Raw,
    corners: Raw,
) -> Cleanup:
    """What the tab's controls ask for: `scale` may be EXACT, and a `palette` counts before `colours`."""
    size = size if scale == EXACT else ""
    if scale == EXACT and not str(size or "").strip():
        raise ValueError("Give the longer side in pixels, such as 631, or width and height, such as 631x400.")
    return Cleanup.checked(
        library,
        scale=Cleanup.scale if scale == EXACT else scale,
        size=size,
        method=method,
        denoise=denoise,
        flat=flat,
        colours=palette or colours,
        corners=corners,
    )


def received(file: Raw) -> str:
    """The path of an upload, checked to be a picture; of a kind that browsers do not show, that of a PNG of it.

    Raises ImageError where the file is not a picture.
    """
    data, name = upload(file, "image")
    image = named(data, name)
    if Path(name).suffix.lower() in SHOWN_BY_BROWSERS:
        return file["path"]
    return cached(encode_png(image), f"{cut(Path(name).stem, 80)}.png")


def story(cleaned: Cleaned) -> str:
    """HTML of the sizes that the picture had and has, and of what made it so."""
    return f"<b>{html.escape(cleaned.sizes())}</b> {MADE[cleaned.method]}"


def taking(outlet: Outlet) -> Callable[..., tuple]:
    """The handler that opens this tab with the outlet's picture."""

    @errors.in_the_page()
    def take(*values: Raw) -> tuple:
        path = outlet.picture(*values)
        return gr.update(selected="cleanup"), path, path

    return take


def build(
    library: Library, cleaner: Cleaner, demo: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab, outlets: Sequence[Outlet]
) -> None:
    """The tab's components and their wiring, inside the open `tab`; the pictures of `outlets` come here."""
    with gr.Row(elem_classes="stage"):
        with gr.Column(elem_classes="lead"):
            # Gradio would write its label across the picture
            gr.HTML("Picture", elem_classes="heading", js_on_load=SLIDER_JS)
            # The file itself: a decoded copy would have lost transparency and turned with its EXIF tag.
            image = gr.Image(
                label="Picture",
                show_label=False,
                type="filepath",
                image_mode=None,
                format="png",
                sources=["upload", "clipboard"],
                elem_id="cleanup-in",
                elem_classes="picture",
                height=220,
            )
            gr.HTML(f"{MAX_UPLOAD_MB} MB at most", elem_classes="hint")
            scale = gr.Radio(SIZES, value="4", label="Size", elem_id="cleanup-scale")
            size = gr.Textbox(
                "631",
                label="Exact size",
                info="the longer side in pixels, or width x height",
                visible=False,
                elem_id="cleanup-size",
            )
            method = gr.Radio(methods(library), value="auto", label="Method", elem_id="cleanup-method")
            if not library.upscalers:
                gr.HTML(NO_NETWORK, elem_classes="story")
            go = gr.Button("Clean up", variant="primary", elem_id="cleanup-go")
        with gr.Column(elem_classes="result"):
            result = gr.ImageSlider(
                label="Before and after",
                show_label=False,
                format="png",
                interactive=False,
                buttons=["fullscreen"],
                max_height=4000,  # style.css knows better
                elem_id="cleanup-out",
                elem_classes="compare",
            )
            with gr.Row(elem_classes="under"):
                denoise = gr.Slider(
                    0,
                    1,
                    1,
                    step=0.05,
                    label="Denoise",
                    info="0 is plain enlargement, 1 all that the network does",
                    buttons=[],
                    visible=bool(library.upscalers),
                    elem_id="cleanup-denoise",
                )
                with gr.Column(min_width=200):
                    sizes = gr.HTML(elem_id="cleanup-sizes", elem_classes="story")
                    file = gr.DownloadButton("Download PNG", size="sm", elem_id="cleanup-file")
        with gr.Column(elem_classes="more"), gr.Accordion("Finishing", open=False, elem_classes="finishing"):
            flat = gr.Slider(
                0, 1, 0, step=0.05, label="Flat colours", info="evens out what is nearly one colour", buttons=[]
            )
            colours = gr.Slider(0, 64, 0, step=1, label="Palette", info="so many colours; 0 for any", buttons=[])
            palette = gr.Textbox(label="or these colours", placeholder="#1a181c, #e9542b, #f4f1ea", max_lines=1)
            corners = gr.Slider(
                0, 50, 0, step=1, label="Rounded corners", info="percent of the shorter side", buttons=[]
            )
            gr.HTML("Cut out like this picture", elem_classes="heading")
            cut_out = gr.Image(
                label="Cut out like this picture",
                show_label=False,
                type="filepath",
                image_mode=None,
                format="png",
                sources=["upload", "clipboard"],
                elem_id="cleanup-cut-out",
                elem_classes="picture",
                height=140,
            )
    turns = Turns()
    kept = gr.State(None)  # the path of the last picture that could be read, for when the next one cannot
    opened = gr.State(False)  # whether the tab has just been opened with a sample

    @errors.in_the_page()
    def on_cleanup(
        request: gr.Request, progress: gr.Progress = PROGRESS, file: Raw = None, cut_out: Raw = None, *values: Raw
    ) -> tuple:
        if file is None:
            raise ValueError("Choose a picture first.")
        *values, moment = values
        asked = checked(library, *values)  # before the turn: a bad value must not end what is being made

        def passed(share: float) -> None:
            in_turn()
            progress(share)

        try:
            in_turn = turns.begin(request.session_hash, moment)
            cleaned = cleaner.clean(file, asked, cut_out, passed)
            in_turn()
        except Superseded:
            return (gr.skip(),) * len(outputs)
        return (
            gr.update(elem_classes=["picture", cleaned.looks]),
            gr.update(value=(cleaned.plain_path, cleaned.path), elem_classes=["compare", cleaned.looks]),
            cleaned.path,
            story(cleaned),
        )

    def on_change(
        request: gr.Request, progress: gr.Progress = PROGRESS, file: Raw = None, cut_out: Raw = None, *values: Raw
    ) -> tuple:
        if file is None:
            return (gr.skip(),) * len(outputs)
        return on_cleanup(request, progress, file, cut_out, *values)

    @errors.in_the_page()
    def on_open(request: gr.Request, file: Raw) -> tuple:
        if file is not None:
            return gr.skip(), gr.skip(), False
        in_turn = turns.begin(request.session_hash)
        [(path, _)] = sample.draw(library, Sample(library.default, seed=1, count=1)).gallery()
        try:
            in_turn()
        except Superseded:  # by a picture of the visitor's own
            return gr.skip(), gr.skip(), False
        return path, path, True

    def on_opened(
        request: gr.Request,
        progress: gr.Progress = PROGRESS,
        is_sample: Raw = None,
        file: Raw = None,
        cut_out: Raw = None,
        *values: Raw,
    ) -> tuple:
        if not is_sample:
            return (gr.skip(),) * len(outputs)
        return on_change(request, progress, file, cut_out, *values)

    @errors.in_the_page()
    def on_upload(request: gr.Request, file: Raw) -> tuple:
        turns.begin(request.session_hash)
        path = received(file)
        return gr.skip() if path == file["path"] else path, path

    @errors.in_the_page()
    def on_cut_out(file: Raw) -> None:
        copy_alpha(NOTHING, named(*upload(file, "cut_out")))  # before every turn of a dial would say so

    def on_leave(request: gr.Request) -> None:
        turns.begin(request.session_hash)  # what is being made for nobody stops

    def on_scale(scale: Raw) -> dict:
        return gr.update(visible=scale == EXACT)

    values = [scale, size, method, denoise, flat, colours, palette, corners]
    moment = gr.Number(visible=False)  # when a call was asked for
    inputs, outputs = [image, cut_out, *values, moment], [image, result, file, sizes]
    quietly = {"show_progress": "hidden", **controls.PRIVATE, "preprocess": False}
    # A picture may take a minute, which nobody else shall wait for; of one visitor's own calls the last one counts.
    lanes = {**controls.drawing("cleanup"), "concurrency_limit": LANES}
    cleaning = {"inputs": inputs, "outputs": outputs, "show_progress_on": result, "js": MOMENT_JS, **lanes}
    clearing = {"fn": None, "js": CLEAR_JS, "outputs": [result, file, sizes], **controls.PRIVATE}
    go.click(on_cleanup, **cleaning, trigger_mode="multiple")
    for field in (size, palette):
        field.submit(on_change, **cleaning, trigger_mode="multiple")
    method.input(on_change, **cleaning, trigger_mode="multiple")
    scale.input(on_scale, scale, size, **quietly, trigger_mode="multiple").then(on_change, **cleaning)
    for dial in (denoise, flat, colours, corners):  # what the network made is kept, so that these are quick
        dial.input(on_change, **cleaning | {"show_progress": "hidden"}, trigger_mode="always_last")
    uploaded = image.upload(on_upload, image, [image, kept], **quietly)
    uploaded.success(**clearing).then(on_change, **cleaning)
    # What cannot be read does not take the place of what could, even where that had been cleared away for it.
    uploaded.failure(lambda path: path, kept, image, **quietly).then(on_change, **cleaning)
    masked = cut_out.upload(on_cut_out, cut_out, **quietly)
    masked.success(on_change, **cleaning)
    masked.failure(lambda: None, outputs=cut_out, **quietly)
    cut_out.clear(on_change, **cleaning)
    image.clear(**clearing).then(on_leave, **quietly)
    demo.unload(on_leave)
    opening = tab.select(on_open, image, [image, kept, opened], **quietly)
    opening.success(on_opened, **cleaning | {"inputs": [opened, *inputs], "show_progress": "hidden"})
    for outlet in outlets:
        sent = outlet.button.click(taking(outlet), outlet.inputs, [tabs, image, kept], js=outlet.js, **quietly)
        sent.success(**clearing).then(on_change, **cleaning).then(None, js=TO_RESULT_JS, **controls.PRIVATE)
