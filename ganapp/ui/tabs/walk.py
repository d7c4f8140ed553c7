"""The Interpolation tab: a walk from seed to seed, to watch, to scrub through and to keep as a file."""

import html
from pathlib import Path

import gradio as gr

from ganapp.draw import arguments
from ganapp.draw.arguments import Raw
from ganapp.draw.walk import MAX_FRAMES, Film, Walk, film, frame_of_sheet
from ganapp.ui import controls, errors, scripts
from ganapp.ui.files import cached, file_record
from ganapp.ui.live import WALK
from ganapp.ui.tab import Outlet, Page, Tab, outlet_button

PLAYER_HTML = """
<canvas width="1" height="1" role="img" aria-label="The walk, frame by frame"></canvas>
<div class="bar">
  <button type="button" class="play" aria-label="Pause"></button>
  <input type="range" class="scrub" min="0" max="0" value="0" step="1" aria-label="Frame">
  <output>–</output>
</div>
"""

SPACES = [("lerp in W", "w"), ("slerp in Z", "z")]
FORMATS = [("MP4", "mp4"), ("WebP", "webp"), ("PNG", "png")]
BACKGROUNDS = [("white", "#ffffff"), ("paper", "#f4f1ea"), ("night", "#121115")]
SHOWN = 256  # pixels a side


def backgrounds(chosen: str) -> list[tuple[str, str]]:
    """The backgrounds to choose from, `chosen` among them."""
    known = {value for _, value in BACKGROUNDS}
    return BACKGROUNDS if chosen in known else [*BACKGROUNDS, (chosen, chosen)]


def link(record: Walk) -> str:
    """HTML of a link that makes the walk's file when it is followed."""
    address = html.escape(f".{WALK}?{record.query()}")
    return f'<a class="download" download href="{address}">Download {record.format.upper()}</a>'


def playable(drawn: Film) -> dict:
    """What player.js plays: all frames as one sheet, so that scrubbing needs no server."""
    record = drawn.record
    return {
        "sheet": file_record(cached(drawn.sheet(), f"{record.model}-frames.png")),
        "columns": drawn.columns,
        "count": len(drawn.frames),
        "size": drawn.frames.shape[1],
        "fps": record.fps,
        "loop": record.loop,
        "pixelArt": drawn.pixel_art,
    }


def build(page: Page, tab: gr.Tab) -> Outlet:
    """The tab's components and their wiring; its picture is the frame that is shown."""
    library = page.library
    spec = library.spec(library.default)
    with gr.Row(elem_classes="stage"):
        with gr.Column(elem_classes="lead"):
            model = controls.model(library)
            seeds = gr.Textbox("1, 2, 3, 4", label="Seeds", info="the stops of the walk: 1, 5, 8-11")
            frames = gr.Slider(2, 120, 24, step=1, label="Frames from stop to stop", buttons=[])
            fps = gr.Slider(1, 60, 24, step=1, label="Frames a second", buttons=[])
            space = gr.Radio(SPACES, value="w" if spec.num_ws else "z", label="Way between two stops")
            loop = gr.Checkbox(True, label="Closed loop", info="back to the first stop; an open one turns round")
            go = gr.Button("Interpolate", variant="primary", elem_id="walk-go")
        with gr.Column(elem_classes="result"):
            player = gr.HTML(
                html_template=PLAYER_HTML,
                js_on_load=scripts.attach("player.js", "player"),
                elem_id="player",
                elem_classes="player",
                container=False,
            )
            with gr.Row(elem_classes="under"):
                format = gr.Radio(FORMATS, value="mp4", label="File (WebP and PNG keep transparency)", min_width=280)
                background = gr.Radio(BACKGROUNDS, value="#ffffff", label="Background of the MP4", min_width=200)
                with gr.Column(min_width=140, elem_classes="buttons"):
                    file = gr.HTML(elem_id="walk-file")
                    cleanup = outlet_button("Clean up this frame", "walk-cleanup")
        with gr.Column(elem_classes="more"):
            size = controls.size(spec, SHOWN)
            psi = controls.psi(spec)
            noise_seed = controls.noise_seed(spec)
            labels = controls.labels(library, spec, opened=False)

    parameters = {
        "model": model,
        "seeds": seeds,
        "frames": frames,
        "space": space,
        "loop": loop,
        "psi": psi,
        "noise_seed": noise_seed,
        "fps": fps,
        "format": format,
        "background": background,
        "size": size,
    }

    @controls.when_finished
    @errors.in_the_page()
    def on_walk(*values: Raw) -> tuple:
        drawn = film(library, Walk.checked(library, **controls.named(library, parameters, values)))
        player = playable(drawn)
        walk = drawn.record, player["sheet"]["path"], player["size"]
        return player, link(drawn.record), walk, controls.address_of(TAB.id, drawn.record)

    @controls.when_finished
    @errors.in_the_page()
    def on_file(*values: Raw) -> tuple:
        """Another file of the walk that is shown: nothing is drawn before it is asked for."""
        record = Walk.checked(library, **controls.named(library, parameters, values))
        return link(record), controls.address_of(TAB.id, record)

    def filled(record: Walk) -> list:
        """What the controls show for a record."""
        spec = library.spec(record.model)
        spaces = SPACES if spec.num_ws else SPACES[1:]
        return [
            record.model,
            ", ".join(map(str, record.seeds)),
            record.frames,
            gr.update(choices=spaces, value=record.space),
            record.loop,
            record.psi,
            {**controls.noise_seed_of(spec), "value": record.noise_seed},
            record.fps,
            record.format,
            gr.update(choices=backgrounds(record.background), value=record.background),
            gr.update(**controls.sizes(spec, SHOWN) | {"value": str(record.size)}),
            *controls.labels_of(spec, len(labels), record.labels),
        ]

    @errors.in_the_page()
    def on_open(begun: bool, address: dict[str, str], first: Raw, now: Raw) -> list:
        """The first time that the tab is opened: what the address has, or else the model of the first tab."""
        if controls.stays(TAB.id, begun, address, first, now):
            return [gr.skip()] * len(inputs)
        return filled(controls.opened(library, Walk, TAB.id, address, first, SHOWN))

    def on_first(begun: bool, *values: Raw) -> tuple:
        return (*([gr.skip()] * len(outputs) if begun else on_walk(*values)), True)

    @errors.in_the_page()
    def on_model(model: str) -> list:
        """The controls for another model; seeds, frames and the file stay as they are."""
        own = {"space", "psi", "noise_seed", "size"}
        found = filled(controls.opened(library, Walk, TAB.id, {}, model, SHOWN))
        pairs = zip([*parameters, *labels], found, strict=True)
        return [value for name, value in pairs if not isinstance(name, str) or name in own]

    inputs = [*parameters.values(), *labels]
    walk, frame = gr.State(None), gr.Number(0, visible=False)  # the record with its sheet; the frame that is sent
    query = gr.Textbox(visible=False)
    outputs = [player, file, walk, query]
    lane = controls.drawing("interpolate") | {"show_progress": "full"}  # it takes seconds
    drawing = {"fn": on_walk, "inputs": inputs, "outputs": outputs, **lane}
    sharing = controls.sharing(query)
    begun = gr.State(False)
    quietly = {"show_progress": "hidden", **controls.PRIVATE}
    opening = tab.select(on_open, [begun, page.address, page.first, model], inputs, **quietly)
    opening.then(on_first, [begun, *inputs], [*outputs, begun], **lane).then(**sharing)
    go.click(**drawing).then(**sharing)
    seeds.submit(**drawing).then(**sharing)
    following = [space, psi, noise_seed, size, *labels]
    model.input(on_model, model, following, **quietly, trigger_mode="always_last").then(**drawing).then(**sharing)
    for control in (size, space, loop, noise_seed, *labels):
        control.input(**drawing).then(**sharing)
    for control in (frames, fps, psi):  # a walk takes seconds: not at every step of a drag
        control.release(**drawing).then(**sharing)
    for control in (format, background):
        control.input(on_file, inputs, [file, query], **quietly, trigger_mode="always_last", preprocess=False).then(
            **sharing
        )
    for choice in labels:
        choice.input(**controls.marking(library, labels, model))

    def picture(frame: Raw, walk: tuple[Walk, str, int] | None) -> str:
        if not walk:
            raise ValueError("Draw a walk first.")
        record, sheet, size = walk
        frame = arguments.whole(frame, "frame", 0, MAX_FRAMES)
        alone = frame_of_sheet(record, Path(sheet).read_bytes(), size, frame)
        return cached(alone.data, alone.name)

    # Only the browser knows which frame is shown. State values are not sent to it and come back as null.
    return Outlet(cleanup, picture, [frame, walk], scripts.call("player.js", "shownFrame"))


TAB = Tab("interpolate", "Interpolation", build)
