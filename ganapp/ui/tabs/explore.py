"""The Explore tab: one large picture, drawn in the browser, and a plane through four seeds to drag a point over."""

import json
from dataclasses import asdict

import gradio as gr

from ganapp.contract import GeneratorSpec
from ganapp.draw.arguments import Raw
from ganapp.draw.explore import Explore, picture
from ganapp.draw.render import SVG, paints
from ganapp.ui import controls, errors, scripts
from ganapp.ui.files import cached
from ganapp.ui.story import story
from ganapp.ui.tab import Outlet, Page, Tab, outlet_button

FIRST, ADDRESS, MODEL = "first", "address", "model"
HTML = '<div class="explore-here"></div>'


def shown(spec: GeneratorSpec, record: Explore, how: str) -> dict:
    """What explore.js shows: the record, and what it must know of the model.

    `how` is FIRST for what is shown until the address is known, ADDRESS for what that has, and MODEL where another
    model is chosen: corners and point stay then, and it is a step that Back undoes.
    """
    facts = {
        "model": record.model,
        "resolution": spec.resolution,
        "paints": paints(spec),
        "pixel_art": spec.pixel_size > 1,
        "attributes": list(spec.attributes),
        "directions": [direction.name for direction in spec.directions],
    }
    return {"record": asdict(record), "facts": facts, "how": how}


def build(page: Page, tab: gr.Tab) -> Outlet:
    """The tab's components and their wiring; its picture is the one at the point of the pad."""
    library = page.library
    spec = library.spec(library.default)
    start = Explore.checked(library)
    with gr.Row(elem_classes=["stage", "playing"]):
        with gr.Column(elem_classes="lead"):
            page.first.render()
            psi = controls.psi(spec)
            noise_seed = controls.noise_seed(spec)
            labels = controls.labels(library, spec, opened=True)
        with gr.Column(elem_classes="result"):
            instrument = gr.HTML(
                shown(spec, start, FIRST),
                html_template=HTML,
                js_on_load=scripts.attach("explore.js", "explore"),
                elem_id="explore",
                container=False,
            )
            with gr.Row(elem_classes="under"):
                about = gr.HTML(story(spec), elem_id="explore-story")
                cleanup = outlet_button("Clean up", "explore-cleanup")
    model = page.first
    record = gr.Textbox(visible=False)

    @errors.in_the_page()
    def on_load(request: gr.Request) -> list:
        query = dict(request.query_params)
        others = {each.id for each in page.tabs.children} - {TAB.id}
        if query.get("tab") in others:  # the model of an address is that of all tabs
            query = {"model": query["model"]} if query.get("model") in library.specs else {}
        found, problems = Explore.from_query(library, query)
        for problem in problems:
            controls.warn(f"From the address: {problem}")
        spec = library.spec(found.model)
        return [
            found.model,
            found.psi,
            {**controls.noise_seed_of(spec), "value": found.noise_seed},
            *controls.labels_of(spec, len(labels), found.labels),
            story(spec),
            shown(spec, found, ADDRESS),
        ]

    @errors.in_the_page()
    def on_model(name: str) -> list:
        spec = library.spec(name)
        found = Explore.checked(library, model=name)
        return [
            found.psi,
            controls.noise_seed_of(spec),
            *controls.labels_of(spec, len(labels)),
            story(spec),
            shown(spec, found, MODEL),
        ]

    quietly = {"show_progress": "hidden", **controls.PRIVATE}
    page.demo.load(on_load, outputs=[model, psi, noise_seed, *labels, about, instrument], **quietly)
    model.input(on_model, model, [psi, noise_seed, *labels, about, instrument], **quietly, trigger_mode="always_last")
    tab.select(fn=None, js=scripts.call("explore.js", "reopened"), **controls.PRIVATE)
    changed = {"fn": None, "inputs": [psi, noise_seed, *labels], "js": scripts.call("explore.js", "set")}
    for control in (psi, noise_seed, *labels):
        control.input(**changed, **controls.PRIVATE, trigger_mode="always_last")
    for choice in labels:
        choice.input(**controls.marking(library, labels, model))

    def chosen(text: Raw) -> str:
        values = json.loads(text) if isinstance(text, str) and text else {}
        if values.get("size") == SVG:
            values["size"] = "1024"
        made = picture(library, Explore.checked(library, **values))
        return cached(made.data, made.name)

    return Outlet(cleanup, chosen, [record], scripts.call("explore.js", "shown"))


TAB = Tab("explore", "Explore", build)
