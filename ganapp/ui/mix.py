"""The Style mixing tab: a grid of destinations that take some layers from sources."""

import gradio as gr
import numpy as np

from ganapp.images import contact_sheet, encode_png, upscale_nearest
from ganapp.latents import LAYER_RANGES, layer_range, mix, z_from_seeds
from ganapp.serve.arguments import Raw
from ganapp.serve.library import Library
from ganapp.serve.recipe import RECORD_KEY, Mix
from ganapp.ui import controls, errors
from ganapp.ui.files import cached

EXACT = "exact"
GAP = 4  # pixels between two images
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
    # Pixel art loses nothing by being enlarged, and a page then need not do it, by a factor that may not be whole.
    return upscale_nearest(grid, max(1, WIDE // grid.shape[1])) if spec.pixel_size > 1 else grid


def draw(library: Library, recipe: Mix) -> str:
    """The path of the grid as a PNG with its record."""
    png = encode_png(mixing_grid(library, recipe), {RECORD_KEY: recipe.record()})
    return cached(png, f"{recipe.model}-mix.png")


def layer_choices(library: Library, name: str) -> list[tuple[str, str]]:
    """Label and value of each choice of layers, with the layers that it means for this model."""
    num_ws = library.spec(name).num_ws
    ranges = [(third, layer_range(third, num_ws)) for third in LAYER_RANGES]
    return [(f"{third} {span[0]}–{span[-1]}", third) for third, span in ranges if span] + [(EXACT, EXACT)]


def build(library: Library, tab: gr.Tab, first: gr.Dropdown) -> None:
    """The tab's components and their wiring, inside the open `tab`; it begins with the model chosen in `first`."""
    names = [name for name in library.names() if library.spec(name).num_ws]
    if not names:
        gr.Markdown("None of the models here has a style space to mix in.")
        return
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
        with gr.Column(elem_classes="more"):
            psi = controls.psi()
            noise_seed = controls.noise_seed()
            labels = controls.labels(library, library.spec(names[0]), opened=False)

    @errors.in_the_page()
    def on_mix(
        model: Raw, sources: Raw, destinations: Raw, third: Raw, exact: Raw, psi: Raw, noise_seed: Raw, *values: str
    ) -> str:
        chosen = controls.chosen(library, model, values)
        layers = exact if third == EXACT else third
        return draw(library, Mix.checked(library, model, sources, destinations, layers, psi, noise_seed, chosen))

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
        return (gr.skip() if opened else on_mix(*values)), True

    def on_layers(third: str) -> dict:
        return gr.update(visible=third == EXACT)

    inputs = [model, source_seeds, destination_seeds, layers, exact, psi, noise_seed, *labels]
    drawing = {"fn": on_mix, "inputs": inputs, "outputs": grid, **controls.drawing("mix")}
    go.click(**drawing)
    opened = gr.State(False)
    following = {"show_progress": "hidden", **controls.PRIVATE, "preprocess": False}
    tab.select(on_first, [opened, first, model], [model, layers, exact, grid, *labels], **following).then(
        on_open, [opened, *inputs], [grid, opened], **controls.drawing("mix")
    )
    for field in (source_seeds, destination_seeds, exact, noise_seed):
        field.submit(**drawing)
    layers.input(on_layers, layers, exact, show_progress="hidden", **controls.PRIVATE).then(**drawing)
    model.input(on_model, model, [layers, exact, grid, *labels], show_progress="hidden", **controls.PRIVATE).then(
        **drawing
    )
    for control in (psi, *labels):
        control.input(**drawing, trigger_mode="always_last", show_progress="hidden")
