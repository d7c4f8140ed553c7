"""The Interpolation tab: a walk from seed to seed, to watch, to scrub through and to keep as a file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import gradio as gr
import numpy as np

from ganapp.latents import lerp, slerp, walk, z_from_seeds
from ganapp.pictures.load import load_image
from ganapp.pictures.png import contact_sheet, encode_png
from ganapp.pictures.video import encode
from ganapp.serve import arguments
from ganapp.serve.arguments import Raw
from ganapp.serve.library import Library
from ganapp.serve.recipe import MAX_FRAMES, RECORD_KEY, Interpolation
from ganapp.ui import controls, errors, outlet
from ganapp.ui.files import cached, file_record

PLAYER_JS = Path(__file__).with_name("player.js").read_text(encoding="utf-8")
PLAYER_HTML = """
<canvas width="1" height="1" role="img" aria-label="The walk, frame by frame"></canvas>
<div class="bar">
  <button type="button" class="play" aria-label="Play or pause"></button>
  <input type="range" class="scrub" min="0" max="0" value="0" step="1" aria-label="Frame">
  <output>–</output>
</div>
"""

SPACES = [("lerp in W", "w"), ("slerp in Z", "z")]
FORMATS = [("MP4", "mp4"), ("WebP", "webp"), ("PNG", "png")]
BACKGROUNDS = [("white", "white"), ("paper", "#f4f1ea"), ("night", "#121115")]


def interpolate(library: Library, recipe: Interpolation) -> np.ndarray:
    """The frames uint8 [N, H, W, C] of the walk."""
    generator = library.generator(recipe.model)
    spec = generator.spec
    labels = spec.labels(recipe.labels)
    z = z_from_seeds(recipe.seeds, spec.z_dim)
    if not spec.num_ws:
        frames = generator.stream_z(walk(z, recipe.frames, recipe.loop, slerp), labels, recipe.psi)
    elif recipe.space == "z":
        ws = generator.map(walk(z, recipe.frames, recipe.loop, slerp), labels, recipe.psi)
        frames = generator.stream(ws, recipe.noise_seed)
    else:
        ws = walk(generator.map(z, labels, recipe.psi), recipe.frames, recipe.loop, lerp)
        frames = generator.stream(ws, recipe.noise_seed)
    return np.stack(list(frames))


@dataclass(frozen=True)
class Walk:
    """An interpolation drawn: its frames, and the file of them."""

    recipe: Interpolation
    frames: np.ndarray
    path: str
    pixel_art: bool

    def player(self) -> dict:
        """What player.js plays: all frames as one sheet, so that scrubbing needs no server."""
        columns = sheet_columns(len(self.frames))
        sheet = cached(encode_png(contact_sheet(self.frames, columns, gap=0)), f"{self.recipe.model}-frames.png")
        return {
            "sheet": file_record(sheet),
            "columns": columns,
            "count": len(self.frames),
            "size": self.frames.shape[1],
            "fps": self.recipe.fps,
            "loop": self.recipe.loop,
            "pixelArt": self.pixel_art,
        }


def frame_file(recipe: Interpolation, sheet: str, size: int, frame: int) -> str:
    """The path of one frame, cut from the sheet of all that the player shows, as a PNG with its record."""
    columns = sheet_columns(recipe.total)
    frame = min(max(frame, 0), recipe.total - 1)
    top, left = frame // columns * size, frame % columns * size
    image = load_image(Path(sheet))[top : top + size, left : left + size]
    record = json.dumps({"kind": "interpolate", **asdict(recipe), "frame": frame}, ensure_ascii=False)
    return cached(encode_png(image, {RECORD_KEY: record}), f"{recipe.model}-walk-frame{frame + 1}.png")


def sheet_columns(count: int) -> int:
    """How many frames of so many stand side by side on the player's sheet."""
    return int(np.ceil(count**0.5))


# Which frame is shown only the browser knows; State values do not go there and come back as nothing.
FRAME_JS = """(frame, walk) => [Number(document.querySelector("#player canvas")?.dataset.frame ?? 0), walk]"""


def draw(library: Library, recipe: Interpolation) -> Walk:
    """The walk and its file in the recipe's format."""
    frames = interpolate(library, recipe)
    pixel_art = library.spec(recipe.model).pixel_size > 1
    data = encode(frames, recipe.fps, recipe.format, pixel_art, recipe.background)
    name = "-".join(str(seed) for seed in recipe.seeds[:4])
    return Walk(recipe, frames, cached(data, f"{recipe.model}-walk-{name}.{recipe.format}"), pixel_art)


def build(library: Library, tab: gr.Tab, first: gr.Dropdown) -> outlet.Outlet:
    """The tab's components and their wiring, inside the open `tab`; it begins with the model chosen in `first`.

    Returns the way out of the frame that is shown.
    """
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
                js_on_load=PLAYER_JS,
                elem_id="player",
                elem_classes="player",
                container=False,
            )
            with gr.Row(elem_classes="under"):
                format = gr.Radio(FORMATS, value="mp4", label="File (WebP and PNG keep transparency)", min_width=280)
                background = gr.Radio(BACKGROUNDS, value="white", label="Background of the MP4", min_width=200)
                with gr.Column(min_width=140, elem_classes="buttons"):
                    file = gr.DownloadButton("Download", size="sm", elem_id="walk-file")
                    cleanup = outlet.button("Clean up this frame", "walk-cleanup")
        with gr.Column(elem_classes="more"):
            psi = controls.psi()
            noise_seed = controls.noise_seed()
            labels = controls.labels(library, spec, opened=False)

    @errors.in_the_page()
    def on_walk(
        model: Raw,
        seeds: Raw,
        frames: Raw,
        space: Raw,
        loop: Raw,
        psi: Raw,
        noise_seed: Raw,
        fps: Raw,
        format: Raw,
        background: Raw,
        *values: str,
    ) -> tuple:
        chosen = controls.chosen(library, model, values)
        drawn = draw(
            library,
            Interpolation.checked(
                library, model, seeds, frames, space, loop, psi, noise_seed, chosen, fps, format, background
            ),
        )
        player = drawn.player()
        return player, drawn.path, (drawn.recipe, player["sheet"]["path"], player["size"])

    def on_first(opened: bool, name: Raw, now: Raw) -> list:
        if opened or name == now or name not in library.names():
            return [gr.skip()] * (2 + len(labels))
        return [name, *on_model(name)]

    def on_open(opened: bool, *values: Raw) -> tuple:
        return (*([gr.skip()] * len(outputs) if opened else on_walk(*values)), True)

    @errors.in_the_page()
    def on_model(model: str) -> list[dict]:
        spec = library.spec(model)
        spaces = SPACES if spec.num_ws else SPACES[1:]
        return [gr.update(choices=spaces, value=spaces[0][1]), *controls.labels_of(spec, len(labels))]

    inputs = [model, seeds, frames, space, loop, psi, noise_seed, fps, format, background, *labels]
    walk, frame = gr.State(None), gr.Number(0, visible=False)  # the recipe with its sheet; the frame that is sent
    outputs = [player, file, walk]
    drawing = {"fn": on_walk, "inputs": inputs, "outputs": outputs, **controls.drawing("interpolate")}
    go.click(**drawing)
    opened = gr.State(False)
    following = {"show_progress": "hidden", **controls.PRIVATE, "preprocess": False}
    tab.select(on_first, [opened, first, model], [model, space, *labels], **following).then(
        on_open, [opened, *inputs], [*outputs, opened], **controls.drawing("interpolate")
    )
    seeds.submit(**drawing)
    model.input(on_model, model, [space, *labels], show_progress="hidden", **controls.PRIVATE).then(**drawing)
    for control in (space, loop, format, background):
        control.input(**drawing)

    def picture(frame: Raw, walk: tuple[Interpolation, str, int] | None) -> str:
        if not walk:
            raise ValueError("Draw a walk first.")
        return frame_file(*walk, arguments.whole(frame, "frame", 0, MAX_FRAMES))

    return outlet.Outlet(cleanup, picture, [frame, walk], FRAME_JS)
