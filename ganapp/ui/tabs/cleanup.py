"""The Cleanup tab: a picture enlarged, cleaned and finished, beside what it was."""

import html
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr
import numpy as np

from ganapp.draw import arguments
from ganapp.draw.arguments import Raw
from ganapp.draw.cleanup import METHODS, Cleanup
from ganapp.draw.sample import Sample, pictures
from ganapp.pictures.finish import copy_alpha
from ganapp.pictures.png import encode_png
from ganapp.serve.library import Library
from ganapp.ui import controls, errors, scripts
from ganapp.ui.cleaner import MAX_SIDE, Cleaned, Cleaner, Upload, upload
from ganapp.ui.files import MAX_UPLOAD_MB, cached, cut
from ganapp.ui.tab import Outlet, Page, Tab
from ganapp.ui.turns import Superseded, Turns
from ganapp.ui.work import LANES, CallerLeft

LABELS = {"auto": "Automatic", "network": "Neural network", "pixel-art": "Pixel art", "lanczos": "Lanczos"}
MADE = {"network": "cleaned by a neural network", "pixel-art": "by squares", "lanczos": "by Lanczos, nothing cleaned"}
EXACT = "exact"
SIZES = [("× 2", "2"), ("× 4", "4"), ("exact", EXACT)]
SHOWN_BY_BROWSERS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp")
NO_NETWORK = "There is no upscaling network among the models here: pixel art and Lanczos only."

NOTHING = np.zeros((1, 1, 3), np.uint8)
PROGRESS = gr.Progress()  # as a default in a signature: Gradio puts one there that knows the call

# A result that stays beside a new picture would be taken for that picture's.
CLEAR_JS = "() => [null, null, '']"

# The last input of a call becomes the moment when it was asked for. This awaits no module: of two hurried calls, the
# later one's could come first.
MOMENT_JS = "(...inputs) => [...inputs.slice(0, -1), performance.timeOrigin + performance.now()]"


@dataclass(frozen=True)
class Controls:
    """The tab's components; `parameters` has by name those that say how to clean."""

    image: gr.Image
    cut_out: gr.Image
    parameters: dict[str, gr.components.Component]
    go: gr.Button
    result: gr.ImageSlider
    file: gr.DownloadButton
    sizes: gr.HTML

    def __getitem__(self, name: str) -> gr.components.Component:
        return self.parameters[name]


def methods(library: Library) -> list[tuple[str, str]]:
    """Label and value of each method that the library can do."""
    return [(LABELS[method], method) for method in METHODS if method != "network" or library.upscalers]


def checked(library: Library, scale: Raw, size: Raw, palette: Raw, colours: Raw, **values: Raw) -> Cleanup:
    """What the tab's controls ask for: `scale` may be EXACT, and a `palette` counts before `colours`."""
    if scale == EXACT:
        if not str(size or "").strip():
            raise ValueError("Give the longer side in pixels, such as 631, or width and height, such as 631x400.")
        values["size"] = size
    else:
        values["scale"] = scale
    return Cleanup.checked(library, colours=palette or colours, **values)


def shown_path(sent: Upload) -> str:
    """The path of an upload, checked to be a picture, or of a PNG copy if browsers do not show its kind.

    Raises ImageError where the file is not a picture.
    """
    image = sent.image()
    if Path(sent.name).suffix.lower() in SHOWN_BY_BROWSERS:
        return sent.path
    return cached(encode_png(image), f"{cut(Path(sent.name).stem, 80)}.png")


def largest(asked: Cleanup, size: tuple[int, int] | None) -> Cleanup:
    """What is asked for, or the largest size that is allowed where a picture of this width and height would become
    larger by its scale."""
    if asked.size or size is None or max(size) * asked.scale <= MAX_SIDE:
        return asked
    return replace(asked, size=str(MAX_SIDE))


def story(cleaned: Cleaned, limited: bool = False) -> str:
    """HTML of the sizes that the picture had and has, and of what made it so; `limited` if it could not be larger."""
    most = f"; {MAX_SIDE:,} pixels a side are the most here" if limited else ""
    return f"<b>{html.escape(cleaned.sizes())}</b> {MADE[cleaned.method]}{most}"


def taking(outlet: Outlet) -> Callable[..., tuple]:
    """The handler that opens this tab with the outlet's picture."""

    @errors.in_the_page()
    def take(*values: Raw) -> tuple:
        path = outlet.picture(*values)
        return gr.update(selected="cleanup"), path, path

    return take


def upload_field(label: str, elem_id: str, height: int) -> gr.Image:
    """A place for a picture. It keeps the file itself: a decoded copy would lose transparency and turn by its EXIF."""
    return gr.Image(
        label=label,
        show_label=False,  # Gradio would write it across the picture
        type="filepath",
        image_mode=None,
        format="png",
        sources=["upload", "clipboard"],
        elem_id=elem_id,
        elem_classes="picture",
        height=height,
    )


def place_controls(library: Library) -> Controls:
    """The components, placed where they are shown."""
    with gr.Row(elem_classes="stage"):
        with gr.Column(elem_classes="lead"):
            gr.HTML("Picture", elem_classes="heading", js_on_load=scripts.attach("compare.js", "scrollable"))
            image = upload_field("Picture", "cleanup-in", 220)
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
                max_height=4000,  # style.css sets the limit
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
            cut_out = upload_field("Cut out like this picture", "cleanup-cut-out", 140)
    parameters = {
        "scale": scale,
        "size": size,
        "method": method,
        "denoise": denoise,
        "flat": flat,
        "colours": colours,
        "palette": palette,
        "corners": corners,
    }
    return Controls(image, cut_out, parameters, go, result, file, sizes)


class Handlers:
    """What the tab's events do. Only the last of a visitor's calls counts."""

    SKIPPED = (gr.skip(),) * 4  # one for each output of a cleaning

    def __init__(self, library: Library, cleaner: Cleaner, parameters: tuple[str, ...]) -> None:
        self.library, self.cleaner, self.parameters = library, cleaner, parameters
        self.turns = Turns()

    @errors.in_the_page()
    def on_cleanup(
        self, request: gr.Request, progress: gr.Progress = PROGRESS, file: Raw = None, cut_out: Raw = None, *values: Raw
    ) -> tuple:
        if file is None:
            raise ValueError("Choose a picture first.")
        *how, moment = values
        # Before the turn: a bad value must not end what is being made.
        asked = checked(self.library, **dict(zip(self.parameters, how, strict=True)))

        def passed(share: float) -> None:
            in_turn()
            progress(share)

        try:
            in_turn = self.turns.begin(request.session_hash, arguments.real(moment, "moment", 0, math.inf))
            wanted = largest(asked, upload(file, "image").size())
            cleaned = self.cleaner.clean(file, wanted, cut_out, passed)
            in_turn()
        except (Superseded, CallerLeft):
            return self.SKIPPED
        return (
            gr.update(elem_classes=["picture", cleaned.looks]),
            gr.update(value=(cleaned.plain_path, cleaned.path), elem_classes=["compare", cleaned.looks]),
            cleaned.path,
            story(cleaned, limited=wanted != asked),
        )

    def on_change(
        self, request: gr.Request, progress: gr.Progress = PROGRESS, file: Raw = None, cut_out: Raw = None, *values: Raw
    ) -> tuple:
        if file is None:
            return self.SKIPPED
        return self.on_cleanup(request, progress, file, cut_out, *values)

    @errors.in_the_page()
    def on_open(self, request: gr.Request, file: Raw, name: Raw) -> tuple:
        if file is not None:
            return gr.skip(), gr.skip(), False
        in_turn = self.turns.begin(request.session_hash)
        [picture] = pictures(self.library, Sample.checked(self.library, model=name, seed=1, count=1))
        path = cached(picture.data, picture.name)
        try:
            in_turn()
        except Superseded:  # by a picture of the visitor's own
            return gr.skip(), gr.skip(), False
        return path, path, True

    def on_opened(
        self,
        request: gr.Request,
        progress: gr.Progress = PROGRESS,
        is_sample: Raw = None,
        file: Raw = None,
        cut_out: Raw = None,
        *values: Raw,
    ) -> tuple:
        if not is_sample:
            return self.SKIPPED
        return self.on_change(request, progress, file, cut_out, *values)

    @errors.in_the_page()
    def on_upload(self, request: gr.Request, file: Raw) -> tuple:
        self.turns.begin(request.session_hash)
        sent = upload(file, "image")
        path = shown_path(sent)
        return gr.skip() if path == sent.path else path, path

    @errors.in_the_page()
    def on_cut_out(self, file: Raw) -> None:
        copy_alpha(NOTHING, upload(file, "cut_out").image())  # now, or every turn of a dial would report it

    def on_leave(self, request: gr.Request) -> None:
        self.turns.begin(request.session_hash)  # stops what is being made, as nobody waits for it

    def on_scale(self, scale: Raw) -> dict:
        return gr.update(visible=scale == EXACT)


def build(page: Page, tab: gr.Tab) -> None:
    """The tab's components and their wiring; the pictures of the page's other tabs come here."""
    shown = place_controls(page.library)
    on = Handlers(page.library, page.cleaner, tuple(shown.parameters))
    kept = gr.State(None)  # the path of the last picture that could be read, for when the next one cannot
    opened = gr.State(False)  # whether the tab has just been opened with a sample
    moment = gr.Number(visible=False)  # when a call was asked for

    inputs = [shown.image, shown.cut_out, *shown.parameters.values(), moment]
    outputs = [shown.image, shown.result, shown.file, shown.sizes]
    quietly = {"show_progress": "hidden", **controls.PRIVATE, "trigger_mode": "always_last", "preprocess": False}
    # A picture may take a minute, and nobody else must wait for it; only the last of a visitor's own calls counts.
    lanes = {
        **controls.drawing("cleanup"),
        "concurrency_limit": LANES,
        "trigger_mode": "multiple",
        "show_progress": "full",
    }
    cleaning = {"inputs": inputs, "outputs": outputs, "show_progress_on": shown.result, "js": MOMENT_JS, **lanes}
    clearing = {"fn": None, "js": CLEAR_JS, "outputs": [shown.result, shown.file, shown.sizes], **controls.PRIVATE}
    shown.go.click(on.on_cleanup, **cleaning)
    for field in (shown["size"], shown["palette"]):
        field.submit(on.on_change, **cleaning)
    shown["method"].input(on.on_change, **cleaning)
    shown["scale"].input(on.on_scale, shown["scale"], shown["size"], **quietly).then(on.on_change, **cleaning)
    # What the network made is kept, so that these are quick.
    for dial in (shown["denoise"], shown["flat"], shown["colours"], shown["corners"]):
        dial.input(on.on_change, **cleaning | {"show_progress": "hidden", "trigger_mode": "always_last"})
    uploaded = shown.image.upload(on.on_upload, shown.image, [shown.image, kept], **quietly)
    uploaded.success(**clearing).then(on.on_change, **cleaning)
    # A file that cannot be read does not replace the picture before it, even if that had been cleared away.
    uploaded.failure(lambda path: path, kept, shown.image, **quietly).then(on.on_change, **cleaning)
    masked = shown.cut_out.upload(on.on_cut_out, shown.cut_out, **quietly)
    masked.success(on.on_change, **cleaning)
    masked.failure(lambda: None, outputs=shown.cut_out, **quietly)
    shown.cut_out.clear(on.on_change, **cleaning)
    shown.image.clear(**clearing).then(on.on_leave, **quietly)
    page.demo.unload(on.on_leave)
    opening = tab.select(on.on_open, [shown.image, page.first], [shown.image, kept, opened], **quietly)
    opening.success(on.on_opened, **cleaning | {"inputs": [opened, *inputs], "show_progress": "hidden"})
    tab.select(fn=None, js=scripts.call("address.js", "share", f"tab={TAB.id}"), **controls.PRIVATE)
    # A small screen stays where the button was, which is an arbitrary place on this tab.
    look = {"fn": None, "js": scripts.call("view.js", "toResult", "#cleanup-out"), **controls.PRIVATE}
    for outlet in page.outlets:
        sent = outlet.button.click(
            taking(outlet), outlet.inputs, [page.tabs, shown.image, kept], js=outlet.js, **quietly
        )
        sent.success(**clearing).then(on.on_change, **cleaning).then(**look)


TAB = Tab("cleanup", "Cleanup", build)
