"""The Style mixing tab: a grid of destinations that take some layers from sources."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np

from ganapp.latents import LAYER_RANGES, layer_range, mix, z_from_seeds
from ganapp.pictures.load import load_image
from ganapp.pictures.png import contact_sheet, encode_png
from ganapp.pictures.resize import upscale_nearest
from ganapp.serve import arguments
from ganapp.serve.arguments import Raw
from ganapp.serve.library import Library
from ganapp.serve.recipe import RECORD_KEY, Mix, Sample
from ganapp.ui import controls, errors, outlet
from ganapp.ui.files import cached

EXACT = "exact"
WHOLE = "Clean up the grid"
GAP = 4  # pixels between two images
MAX_SIDE = 100_000  # pixels; far more than the largest grid has
WIDE = 900  # pixels of a grid that fits a page


def mixing_grid(library: Library, recipe: Mix) -> np.ndarray:
    """One image uint8 [H, W, C]: the sources along the top, the destinations down the left, their mixtures between."""
    generator = library.generator(recipe.model)
    spec = generator.spec
    labels = spec.labels(recipe.labels)
    sources = generator.map(z_from_seeds(recipe.source_seeds, spec.z_dim), labels, recipe.psi)
    destinations = generator.map(z_from_seeds(recipe.destination_seeds, spec.z_dim), labels, recipe.psi)
    mixed = mix(sources, destinations, recipe.layers)  # [D, S, num_ws, w_dim]
    rows = [sources, *(np.concatenate([here[None], row]) for here, row in zip(destinations, mixed, strict=True))]
    images = generator.synthesize(np.concatenate(rows), recipe.noise_seed)
    corner = np.full_like(images[:1], 0 if spec.channels == 4 else 255)
    grid = contact_sheet(np.concatenate([corner, images]), len(sources) + 1, GAP)
    return upscale_nearest(grid, _factor(library, recipe))


def draw(library: Library, recipe: Mix) -> str:
    """The path of the grid as a PNG with its record."""
    png = encode_png(mixing_grid(library, recipe), {RECORD_KEY: recipe.record()})
    return cached(png, f"{recipe.model}-mix.png")


# Gradio's own select event counts pixels as if no page ever enlarged an image.
PICK_JS = """
document.addEventListener("click", (event) => {
    const image = event.target;
    if (!(image instanceof HTMLImageElement) || !image.closest("#mix-grid")) return;
    const box = image.getBoundingClientRect();
    const shown = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
    const x = (event.clientX - box.left - box.width / 2) / shown + image.naturalWidth / 2;
    const y = (event.clientY - box.top - box.height / 2) / shown + image.naturalHeight / 2;
    const inside = x >= 0 && y >= 0 && x < image.naturalWidth && y < image.naturalHeight;
    if (inside) trigger("select", { x: Math.floor(x), y: Math.floor(y) });
});
"""


def place(library: Library, recipe: Mix, x: int, y: int) -> tuple[int, int] | None:
    """Row and column of the image at this pixel of the grid, margins counted; None between images and in the corner."""
    side = library.spec(recipe.model).resolution
    pitch = (side + GAP) * _factor(library, recipe)
    row, column = y // pitch, x // pitch
    inside = max(x % pitch, y % pitch) < side * _factor(library, recipe)
    inside = inside and row <= len(recipe.destination_seeds) and column <= len(recipe.source_seeds)
    return (row, column) if inside and (row or column) else None


def cell(library: Library, recipe: Mix, path: str, row: int, column: int) -> str:
    """The path of one image of the grid at `path`, as the model drew it, as a PNG with its own record."""
    side, factor = library.spec(recipe.model).resolution, _factor(library, recipe)
    top, left = row * (side + GAP) * factor, column * (side + GAP) * factor
    image = load_image(Path(path))[top : top + side * factor : factor, left : left + side * factor : factor]
    sources, destinations = recipe.source_seeds[column - 1 :][:1], recipe.destination_seeds[row - 1 :][:1]
    if row and column:
        record = replace(recipe, source_seeds=sources, destination_seeds=destinations).record()
        name = f"{recipe.model}-mix-{sources[0]}-{destinations[0]}.png"
    else:
        [seed] = sources if column else destinations
        record = Sample(recipe.model, seed, 1, recipe.psi, recipe.noise_seed, recipe.labels).record(seed)
        name = f"{recipe.model}-seed{seed}.png"
    return cached(encode_png(image, {RECORD_KEY: record}), name)


def cell_name(recipe: Mix, row: int, column: int) -> str:
    """The seeds of one image of the grid: "3 × 12" for source 3 and destination 12."""
    seeds = [
        seed for i, seed in ((column, recipe.source_seeds[column - 1]), (row, recipe.destination_seeds[row - 1])) if i
    ]
    return " × ".join(str(seed) for seed in seeds)


def _factor(library: Library, recipe: Mix) -> int:
    """By how much the grid is enlarged.

    Pixel art loses nothing by that, and a page then need not do it, by a factor that may not be whole.
    """
    spec = library.spec(recipe.model)
    width = (len(recipe.source_seeds) + 1) * (spec.resolution + GAP) - GAP
    return max(1, WIDE // width) if spec.pixel_size > 1 else 1


def layer_choices(library: Library, name: str) -> list[tuple[str, str]]:
    """Label and value of each choice of layers, with the layers that it means for this model."""
    num_ws = library.spec(name).num_ws
    ranges = [(third, layer_range(third, num_ws)) for third in LAYER_RANGES]
    return [(f"{third} {span[0]}–{span[-1]}", third) for third, span in ranges if span] + [(EXACT, EXACT)]


def build(library: Library, tab: gr.Tab, first: gr.Dropdown) -> outlet.Outlet | None:
    """The tab's components and their wiring, inside the open `tab`; it begins with the model chosen in `first`.

    Returns the way out of the grid, or of an image in it that was clicked.
    """
    names = [name for name in library.names() if library.spec(name).num_ws]
    if not names:
        gr.Markdown("None of the models here has a style space to mix in.")
        return None
    with gr.Row(elem_classes="stage"):
        with gr.Column(elem_classes="lead"):
            model = controls.model(library, names)
            source_seeds = gr.Textbox("1, 2, 3, 4, 5", label="Source seeds", info="the top row, up to 8: 1, 5, 8-11")
            destination_seeds = gr.Textbox("11, 12, 13", label="Destination seeds", info="the left column, up to 8")
            choices = layer_choices(library, names[0])
            layers = gr.Radio(choices, value=choices[0][1], label="Layers taken from the source")
            exact = gr.Textbox("0-3", label="Exact layers", visible=False)
            go = gr.Button("Mix", variant="primary", elem_id="mix-go")
        with gr.Column(elem_classes="result"):
            grid = gr.Image(
                label="Mixing grid",
                show_label=False,
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="mix-grid",
                elem_classes=["picture", *controls.pixel_class(library.spec(names[0]))],
            )
            with gr.Row(elem_classes="under"):
                hint = gr.HTML("Click on a picture to choose it.", elem_classes="story", js_on_load=PICK_JS)
                cleanup = outlet.button(WHOLE, "mix-cleanup")
        with gr.Column(elem_classes="more"):
            psi = controls.psi()
            noise_seed = controls.noise_seed()
            labels = controls.labels(library, library.spec(names[0]), opened=False)

    @errors.in_the_page()
    def on_mix(
        model: Raw, sources: Raw, destinations: Raw, third: Raw, exact: Raw, psi: Raw, noise_seed: Raw, *values: str
    ) -> tuple:
        chosen = controls.chosen(library, model, values)
        layers = exact if third == EXACT else third
        recipe = Mix.checked(library, model, sources, destinations, layers, psi, noise_seed, chosen)
        path = draw(library, recipe)
        return path, (recipe, path), None, WHOLE

    @errors.in_the_page()
    def on_select(drawn: tuple[Mix, str] | None, event: gr.EventData) -> tuple:
        at = (arguments.whole(getattr(event, axis, None), axis, 0, MAX_SIDE) for axis in ("x", "y"))
        found = place(library, drawn[0], *at) if drawn else None
        return found, f"Clean up {cell_name(drawn[0], *found)}" if found else WHOLE

    @errors.in_the_page()
    def on_model(model: str) -> list[dict]:
        spec = library.spec(model)
        choices = layer_choices(library, model)
        return [
            gr.update(choices=choices, value=choices[0][1]),
            gr.update(visible=False),
            gr.update(elem_classes=["picture", *controls.pixel_class(spec)]),
            *controls.labels_of(spec, len(labels)),
        ]

    def on_first(opened: bool, name: Raw, now: Raw) -> list:
        if opened or name == now or name not in names:
            return [gr.skip()] * (4 + len(labels))
        return [name, *on_model(name)]

    def on_open(opened: bool, *values: Raw) -> tuple:
        return (*([gr.skip()] * len(outputs) if opened else on_mix(*values)), True)

    def on_layers(third: str) -> dict:
        return gr.update(visible=third == EXACT)

    inputs = [model, source_seeds, destination_seeds, layers, exact, psi, noise_seed, *labels]
    drawn, chosen_cell = gr.State(None), gr.State(None)  # recipe and file of the grid; row and column in it
    outputs = [grid, drawn, chosen_cell, cleanup]
    drawing = {"fn": on_mix, "inputs": inputs, "outputs": outputs, **controls.drawing("mix")}
    go.click(**drawing)
    opened = gr.State(False)
    following = {"show_progress": "hidden", **controls.PRIVATE, "preprocess": False}
    tab.select(on_first, [opened, first, model], [model, layers, exact, grid, *labels], **following).then(
        on_open, [opened, *inputs], [*outputs, opened], **controls.drawing("mix")
    )
    for field in (source_seeds, destination_seeds, exact, noise_seed):
        field.submit(**drawing)
    layers.input(on_layers, layers, exact, show_progress="hidden", **controls.PRIVATE).then(**drawing)
    model.input(on_model, model, [layers, exact, grid, *labels], show_progress="hidden", **controls.PRIVATE).then(
        **drawing
    )
    for control in (psi, *labels):
        control.input(**drawing, trigger_mode="always_last", show_progress="hidden")
    hint.select(on_select, drawn, [chosen_cell, cleanup], show_progress="hidden", **controls.PRIVATE)

    def picture(drawn: tuple[Mix, str] | None, chosen: tuple[int, int] | None) -> str:
        if not drawn:
            raise ValueError("Mix a grid first.")
        recipe, path = drawn
        return cell(library, recipe, path, *chosen) if chosen else path

    return outlet.Outlet(cleanup, picture, [drawn, chosen_cell])
