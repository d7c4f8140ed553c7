"""The Style mixing tab: a grid of destinations that take some layers from sources."""

from pathlib import Path

import gradio as gr

from ganapp.draw import arguments
from ganapp.draw.arguments import Raw
from ganapp.draw.mix import Mix, cell_name, grid, opened, place
from ganapp.latents import LAYER_RANGES, layer_range
from ganapp.serve.library import Library
from ganapp.ui import controls, errors, scripts
from ganapp.ui.files import cached
from ganapp.ui.tab import Outlet, Page, Tab, outlet_button

EXACT = "exact"
WHOLE = "Clean up the grid"
SHOWN = 256  # pixels a side of one image
MAX_SIDE = 100_000  # pixels; far more than the largest grid has


def layer_choices(library: Library, name: str) -> list[tuple[str, str]]:
    """Label and value of each choice of layers, with the layers that it means for this model."""
    num_ws = library.spec(name).num_ws
    ranges = [(third, layer_range(third, num_ws)) for third in LAYER_RANGES]
    return [(f"{third} {span[0]}–{span[-1]}", third) for third, span in ranges if span] + [(EXACT, EXACT)]


def build(page: Page, tab: gr.Tab) -> Outlet | None:
    """The tab's components and their wiring; its picture is the grid, or an image in it that was clicked."""
    library = page.library
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
            shown = gr.Image(
                label="Mixing grid",
                show_label=False,
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="mix-grid",
                elem_classes=["picture", *controls.pixel_class(library.spec(names[0]))],
            )
            with gr.Row(elem_classes="under"):
                hint = gr.HTML(
                    "Click on a picture to choose it.",
                    elem_classes="story",
                    js_on_load=scripts.attach("grid.js", "picking", "#mix-grid"),
                )
                cleanup = outlet_button(WHOLE, "mix-cleanup")
        with gr.Column(elem_classes="more"):
            size = controls.size(library.spec(names[0]), SHOWN)
            psi = controls.psi(library.spec(names[0]))
            noise_seed = controls.noise_seed(library.spec(names[0]))
            labels = controls.labels(library, library.spec(names[0]), opened=False)

    parameters = {
        "model": model,
        "source_seeds": source_seeds,
        "destination_seeds": destination_seeds,
        "layers": layers,
        "exact": exact,
        "psi": psi,
        "noise_seed": noise_seed,
        "size": size,
    }

    @controls.when_finished
    @errors.in_the_page()
    def on_mix(*values: Raw) -> tuple:
        named = controls.named(library, parameters, values)
        exact = named.pop("exact")
        if named["layers"] == EXACT:
            named["layers"] = exact
        record = Mix.checked(library, **named)
        picture = grid(library, record).picture()
        path = cached(picture.data, picture.name)
        return path, (record, path), None, WHOLE, controls.address_of(TAB.id, record)

    @errors.in_the_page()
    def on_select(drawn: tuple[Mix, str] | None, event: gr.EventData) -> tuple:
        if not drawn:
            return None, WHOLE
        record, _ = drawn
        x, y = (arguments.whole(getattr(event, axis, None), axis, 0, MAX_SIDE) for axis in ("x", "y"))
        found = place(library.spec(record.model), record, x, y)
        return found, f"Clean up {cell_name(record, *found)}" if found else WHOLE

    def filled(record: Mix) -> list:
        """What the controls and the grid's frame show for a record."""
        spec = library.spec(record.model)
        choices = layer_choices(library, record.model)
        third = next(
            (third for third in LAYER_RANGES if record.layers == tuple(layer_range(third, spec.num_ws))), EXACT
        )
        return [
            record.model,
            ", ".join(map(str, record.source_seeds)),
            ", ".join(map(str, record.destination_seeds)),
            gr.update(choices=choices, value=third),
            gr.update(value=",".join(map(str, record.layers)), visible=third == EXACT),
            record.psi,
            {**controls.noise_seed_of(spec), "value": record.noise_seed},
            gr.update(**controls.sizes(spec, SHOWN) | {"value": str(record.size)}),
            *controls.labels_of(spec, len(labels), record.labels),
            gr.update(elem_classes=["picture", *controls.pixel_class(spec)]),
        ]

    @errors.in_the_page()
    def on_open(begun: bool, address: dict[str, str], first: Raw, now: Raw) -> list:
        """The first time that the tab is opened: what the address has, or else the model of the first tab."""
        if controls.stays(TAB.id, begun, address, first, now):
            return [gr.skip()] * (len(inputs) + 1)
        model = first if first in names else names[0]
        return filled(controls.opened(library, Mix, TAB.id, address, model, SHOWN))

    @errors.in_the_page()
    def on_model(model: str) -> list:
        """The controls for another model; the seeds stay as they are."""
        _, _, _, *rest = filled(controls.opened(library, Mix, TAB.id, {}, model, SHOWN))
        return rest

    def on_first(begun: bool, *values: Raw) -> tuple:
        return (*([gr.skip()] * len(outputs) if begun else on_mix(*values)), True)

    def on_layers(third: str) -> dict:
        return gr.update(visible=third == EXACT)

    inputs = [*parameters.values(), *labels]
    drawn, chosen_cell = gr.State(None), gr.State(None)  # record and file of the grid; row and column in it
    query = gr.Textbox(visible=False)
    outputs = [shown, drawn, chosen_cell, cleanup, query]
    drawing = {"fn": on_mix, "inputs": inputs, "outputs": outputs, **controls.drawing("mix")}
    sharing = controls.sharing(query)
    begun = gr.State(False)
    quietly = {"show_progress": "hidden", **controls.PRIVATE}
    opening = tab.select(on_open, [begun, page.address, page.first, model], [*inputs, shown], **quietly)
    opening.then(on_first, [begun, *inputs], [*outputs, begun], **controls.drawing("mix")).then(**sharing)
    go.click(**drawing).then(**sharing)
    for field in (source_seeds, destination_seeds, exact, noise_seed):
        field.submit(**drawing).then(**sharing)
    thirds = layers.input(on_layers, layers, exact, **quietly, trigger_mode="always_last")
    thirds.then(**drawing).then(**sharing)
    following = [layers, exact, psi, noise_seed, size, *labels, shown]
    model.input(on_model, model, following, **quietly, trigger_mode="always_last").then(**drawing).then(**sharing)
    for control in (size, psi, noise_seed, *labels):
        control.input(**drawing | {"show_progress": "hidden"}).then(**sharing)
    for choice in labels:
        choice.input(**controls.marking(library, labels, model))
    hint.select(on_select, drawn, [chosen_cell, cleanup], show_progress="hidden", **controls.PRIVATE)

    def picture(drawn: tuple[Mix, str] | None, chosen: tuple[int, int] | None) -> str:
        if not drawn:
            raise ValueError("Mix a grid first.")
        record, path = drawn
        if not chosen:
            return path
        alone = opened(library, record, Path(path).read_bytes()).cell(*chosen)
        return cached(alone.data, alone.name)

    return Outlet(cleanup, picture, [drawn, chosen_cell])


TAB = Tab("mix", "Style mixing", build)
