"""The controls that several tabs share, and how they follow the chosen model."""

import functools
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component

from ganapp.contract import ANY, GeneratorSpec
from ganapp.draw.arguments import Raw
from ganapp.draw.records import PSI_HIGH, PSI_LOW, Record
from ganapp.draw.render import OWN, SVG, paints
from ganapp.serve.library import Library
from ganapp.ui import errors, scripts

Shown = TypeVar("Shown", bound=Record)

SIZES = (128, 256, 512, 1024, 2048, 4096)  # pixels a side; others can be typed

# The page's own events are no API; the calls in api.py are.
PRIVATE = {"api_visibility": "private"}


def drawing(tab: str) -> dict:
    """The options that run a tab's drawing events one at a time, in their order, apart from other tabs' events.

    Two at once would gain nothing on a CPU, and the picture that was asked for first could be shown last.
    What is asked for while an event is pending is drawn after it, the last of it once ("always_last"); else the page
    would leave it out, and show a picture beside values that are not its own.
    Values come as the browser sends them: the records check them all, in better words than the components do.
    What is shown stays until the new picture is there.
    """
    lane = {"concurrency_id": tab, "concurrency_limit": 1, "show_progress": "minimal"}
    return {**PRIVATE, **lane, "trigger_mode": "always_last", "preprocess": False}


def sharing(query: Component) -> dict:
    """The options of an event that puts the value of `query`, see `address_of`, into the address."""
    return {"fn": None, "inputs": query, "js": scripts.call("address.js", "share"), **PRIVATE}


def address_of(tab: str, record: Record) -> str:
    """The query of the page's address that opens a tab with this record."""
    return f"tab={tab}&{record.query()}"


def stays(tab: str, begun: bool, address: Mapping[str, str], first: Raw, now: Raw) -> bool:
    """Whether a tab that is opened has what it should show: it was open before, or the address is another tab's and it
    has the model `first`. What may have been typed meanwhile stays then."""
    return begun or (address.get("tab") != tab and bool(first == now))


def opened(library: Library, kind: type[Shown], tab: str, address: Mapping[str, str], first: Raw, shown: int) -> Shown:
    """The record that a tab opens with: what the address has, with a warning for each bad value in it, or else the
    defaults for the model `first`; `shown` pixels a side, see `sizes`, unless the address says another size."""
    query = dict(address) if address.get("tab") == tab else {"model": str(first)}
    name = query.get("model", "")
    spec = library.spec(name if name in library.specs else library.default)
    record, problems = kind.from_query(library, {"size": sizes(spec, shown)["value"], **query})
    for problem in problems:
        warn(f"From the address: {problem}")
    return record


def model(library: Library, names: Sequence[str] | None = None, render: bool = True) -> gr.Dropdown:
    """The choice of a model, among all of them unless `names` are given."""
    names = library.names() if names is None else names
    return gr.Dropdown(list(names), value=names[0] if names else None, label="Model", filterable=False, render=render)


class Unfinished(Exception):
    """A number is being typed: a box is empty, or has no more than a sign."""


def when_finished(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler of an event, which changes nothing while a number is being typed."""

    @functools.wraps(handler)
    def handle(*values: Any) -> Any:
        try:
            return handler(*values)
        except Unfinished:
            return gr.skip()

    return handle


def named(library: Library, parameters: Mapping[str, Component], values: Sequence[Raw]) -> dict[str, Raw]:
    """The values of these parameters' controls by name, with the values of the dropdowns after them as labels.

    Sliders' numbers lie within their ends, where the page brings them too once they are typed. Raises Unfinished for
    one that is being typed, and as Library.spec for an unknown model.
    """
    found = dict(zip(parameters, values, strict=False))
    for name, control in parameters.items():
        if isinstance(control, gr.Slider | gr.Number) and found[name] is None:
            raise Unfinished
        if isinstance(control, gr.Slider) and isinstance(found[name], int | float):
            found[name] = min(max(found[name], control.minimum), control.maximum)
    return {**found, "labels": chosen(library, found["model"], values[len(parameters) :])}


def psi(spec: GeneratorSpec) -> gr.Slider:
    """The slider of truncation, which says what it does, where this model draws best."""
    return gr.Slider(
        PSI_LOW,
        PSI_HIGH,
        spec.psi,
        step=0.05,
        label="Truncation ψ",
        info="0 is the average of what is chosen, 1 the whole variety",
        buttons=[],
    )


def noise_seed(spec: GeneratorSpec) -> gr.Number:
    """The seed of the noise, where `spec` has any that shows."""
    return gr.Number(0, label="Noise seed", info="fine detail", visible=spec.noise_shows)


def noise_seed_of(spec: GeneratorSpec) -> dict:
    """The update of the noise's seed for another model."""
    return gr.update(visible=spec.noise_shows)


def size(spec: GeneratorSpec, shown: int, vector: bool = False) -> gr.Dropdown:
    """The choice of a size, `shown` at first where the model paints at any; `vector` offers SVG too."""
    return gr.Dropdown(
        **sizes(spec, shown, vector), label="Size", info="or type one, in pixels", allow_custom_value=True
    )


def sizes(spec: GeneratorSpec, shown: int, vector: bool = False) -> dict:
    """Choices and value of the choice of a size for this model."""
    larger = [(f"{side:,} px", str(side)) for side in SIZES if side > spec.resolution]
    svg = [("SVG", SVG)] if vector and paints(spec) else []
    return {
        "choices": [(f"{spec.resolution} px, its own", OWN), *larger, *svg],
        "value": str(shown) if paints(spec) and spec.resolution < shown else OWN,
    }


def labels(library: Library, spec: GeneratorSpec, opened: bool) -> list[gr.Dropdown]:
    """A dropdown for each attribute of `spec`, as many as the richest model has; the rest is hidden.

    A fixed pool that is given new labels and choices, since components that come and go lose their events.
    """
    most = max(len(other.attributes) for other in library.specs.values())
    if not most:
        return []
    with gr.Accordion("Attributes", open=opened, elem_classes="attributes"):
        return [gr.Dropdown(**_dropdown(spec, i), filterable=False, min_width=120) for i in range(most)]


def labels_of(spec: GeneratorSpec, pool: int, chosen: Mapping[str, Raw] | None = None) -> list[dict]:
    """Updates of a pool of so many dropdowns for a model and these `chosen` values."""
    return [gr.update(**_dropdown(spec, i, chosen)) for i in range(pool)]


def chosen(library: Library, name: Raw, values: Sequence[Raw]) -> dict[str, Raw]:
    """The values of the pool by attribute."""
    return dict(zip(library.spec(name).attributes, values, strict=False))


def gallery_of(spec: GeneratorSpec) -> dict:
    """The update that makes a gallery enlarge images as this model's need it."""
    return gr.update(elem_classes=["gallery", *pixel_class(spec)])


def pixel_class(spec: GeneratorSpec) -> list[str]:
    """The CSS classes of pixel art, which is enlarged by squares and whole factors; none for anything else."""
    return ["pixel-art", f"side-{spec.resolution}"] if spec.pixel_size > 1 else []


def warn(message: str) -> None:
    """A warning in the page; Gradio reads it as HTML."""
    gr.Warning(html.escape(message, quote=False))


def title(name: str) -> str:
    """`body_color` as people write it: "Body color"."""
    return name.replace("_", " ").strip().capitalize()


def marking(library: Library, labels: Sequence[gr.Dropdown], model: Component) -> dict:
    """The options of an event that marks, in each dropdown, what no training picture has with the values chosen."""

    def mark(name: Raw, *values: Raw) -> list[dict] | dict:
        updates = labels_of(library.spec(name), len(labels), chosen(library, name, values))
        found = [gr.update(choices=update["choices"]) for update in updates]  # what is chosen meanwhile stays
        return found if len(found) > 1 else found[0]  # of a single output a list would be the value

    quietly = {"show_progress": "hidden", **PRIVATE, "trigger_mode": "always_last", "preprocess": False}
    return {"fn": errors.in_the_page()(mark), "inputs": [model, *labels], "outputs": [*labels], **quietly}


def _dropdown(spec: GeneratorSpec, i: int, chosen: Mapping[str, Raw] | None = None) -> dict:
    """What the dropdown at place i of the pool is for this model. Values that it does not show well come last."""
    if i >= len(spec.attributes):
        return {"visible": False, "choices": [ANY], "value": ANY}
    attribute, values = list(spec.attributes.items())[i]
    why = {value: "seldom shown" for value in spec.seldom_shown(attribute)}
    for (other, value), (_, unlike) in spec.never_with(chosen or {}).items():
        if other == attribute:
            why[value] = f"never with {unlike}"
    often = [value for value in values if value not in why]
    last = [(f"{value} ({why[value]})", value) for value in values if value in why]
    return {
        "visible": True,
        "label": title(attribute),
        "choices": [ANY, *often, *last],
        "value": (chosen or {}).get(attribute, ANY),
    }
