"""The Sample tab: images of consecutive seeds, each to keep with the record that draws it again."""

import random

import gradio as gr
from gradio.components import Component

from ganapp.draw.arguments import Raw
from ganapp.draw.render import SVG
from ganapp.draw.sample import MAX_COUNT, Picture, Sample, pictures
from ganapp.ui import controls, errors, scripts
from ganapp.ui.files import cached, zipped
from ganapp.ui.story import story
from ganapp.ui.tab import Outlet, Page, Tab, outlet_button

SHOWN = 256  # pixels a side: what a gallery of six columns shows on a sharp screen

Files = list[tuple[str, str]]  # path and caption of each image, as Gradio's gallery takes them


def gallery_of(drawn: list[Picture]) -> Files:
    """The pictures as files."""
    return [(cached(picture.data, picture.name), picture.caption) for picture in drawn]


def archive_of(drawn: list[Picture]) -> bytes:
    """All pictures in one zip file."""
    return zipped((picture.data, picture.name) for picture in drawn)


def picked(gallery: Files | None, place: int | None) -> tuple[str, str]:
    """Path and caption of the image at `place`, else of the first. Raises ValueError before any is drawn."""
    if not gallery:
        raise ValueError("Draw a sample first.")
    return gallery[place if place is not None and place < len(gallery) else 0]


def roll() -> int:
    """A seed that is short enough to say aloud."""
    return random.randint(0, 999_999)


def build(page: Page, tab: gr.Tab) -> Outlet:
    """The tab's components and their wiring."""
    library = page.library
    spec = library.spec(library.default)
    with gr.Row(elem_classes="stage"):
        with gr.Column(elem_classes="lead"):
            model = controls.model(library)
            with gr.Row(elem_classes="with-button"):
                seed = gr.Number(0, label="Seed", elem_id="sample-seed")
                dice = gr.Button("Roll a random seed", elem_classes="dice", elem_id="sample-dice")
            go = gr.Button("Sample", variant="primary", elem_id="sample-go")
        with gr.Column(elem_classes="result"):
            gallery = gr.Gallery(
                label="Images",
                show_label=False,
                format="png",
                columns=6,
                object_fit="contain",
                height="auto",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="sample-gallery",
                elem_classes="gallery",
            )
            with gr.Row(elem_classes="under"):
                about = gr.HTML(story(spec), elem_id="story")
                cleanup = outlet_button("Clean up", "sample-cleanup")
                archive = gr.DownloadButton("Download all", size="sm", elem_id="sample-zip", min_width=140)
        with gr.Column(elem_classes="more"):
            count = gr.Slider(1, MAX_COUNT, Sample.count, step=1, label="Count", buttons=[])
            size = controls.size(spec, SHOWN, vector=True)
            psi = controls.psi(spec)
            noise_seed = controls.noise_seed(spec)
            labels = controls.labels(library, spec, opened=True)
    query = gr.Textbox(visible=False)
    shown, place = gr.State(None), gr.State(None)  # the gallery's files, and which of them is large

    parameters: dict[str, Component] = {
        "model": model,
        "seed": seed,
        "count": count,
        "psi": psi,
        "noise_seed": noise_seed,
        "size": size,
    }
    outputs = [gallery, archive, query, shown, cleanup]

    def on_place(files: Files | None, place: int | None) -> str:
        return f"Clean up {picked(files, place)[1]}" if files else gr.skip()

    def on_select(files: Files | None, event: gr.SelectData) -> tuple[int, str]:
        return event.index, on_place(files, event.index)

    @controls.when_finished
    @errors.in_the_page()
    def on_sample(place: int | None, *values: Raw) -> tuple:
        record = Sample.checked(library, **controls.named(library, parameters, values))
        drawn = list(pictures(library, record))
        files = gallery_of(drawn)
        name = f"{record.model}-seeds{record.seed}-{record.seeds()[-1]}.zip"
        address = controls.address_of(TAB.id, record)
        return files, cached(archive_of(drawn), name), address, files, on_place(files, place)

    def filled(record: Sample) -> list:
        """What the controls show for a record."""
        spec = library.spec(record.model)
        return [
            record.model,
            record.seed,
            record.count,
            record.psi,
            {**controls.noise_seed_of(spec), "value": record.noise_seed},
            gr.update(**controls.sizes(spec, SHOWN, vector=True) | {"value": str(record.size)}),
            *controls.labels_of(spec, len(labels), record.labels),
            story(spec),
            controls.gallery_of(spec),
        ]

    @errors.in_the_page()
    def on_open(begun: bool, address: dict[str, str], first: Raw, now: Raw) -> list:
        """The first time that the tab is opened: what the address has, or else the model of the first tab."""
        if controls.stays(TAB.id, begun, address, first, now):
            return [gr.skip()] * len(start)
        return filled(controls.opened(library, Sample, TAB.id, address, first, SHOWN))

    @errors.in_the_page()
    def on_model(model: str) -> list:
        """The controls for another model; the seeds stay as they are."""
        _, _, _, *rest = filled(controls.opened(library, Sample, TAB.id, {}, model, SHOWN))
        return rest

    def on_first(begun: bool, *values: Raw) -> tuple:
        return (*([gr.skip()] * len(outputs) if begun else on_sample(*values)), True)

    inputs = [place, *parameters.values(), *labels]
    drawing = {"fn": on_sample, "inputs": inputs, "outputs": outputs, **controls.drawing("sample")}
    sharing = controls.sharing(query)
    start = [*parameters.values(), *labels, about, gallery]
    begun = gr.State(False)
    quietly = {"show_progress": "hidden", **controls.PRIVATE}
    opening = tab.select(on_open, [begun, page.address, page.first, model], start, **quietly)
    opening.then(on_first, [begun, *inputs], [*outputs, begun], **controls.drawing("sample")).then(**sharing)
    go.click(**drawing).then(**sharing)
    seed.submit(**drawing).then(**sharing)
    noise_seed.submit(**drawing).then(**sharing)
    dice.click(roll, outputs=seed, show_progress="hidden", **controls.PRIVATE).then(**drawing).then(**sharing)
    following = [psi, noise_seed, size, *labels, about, gallery]
    model.input(on_model, model, following, **quietly, trigger_mode="always_last").then(**drawing).then(**sharing)
    # Every step of a drag sends a request, but only the last is drawn: the picture ends where the thumb does.
    for control in (seed, noise_seed, count, size, psi, *labels):
        control.input(**drawing | {"show_progress": "hidden"}).then(**sharing)
    for choice in labels:
        choice.input(**controls.marking(library, labels, model))
    gallery.preview_open(None, js=scripts.call("view.js", "toResult", "#sample-gallery .preview"), **controls.PRIVATE)
    gallery.select(on_select, shown, [place, cleanup], **quietly)
    gallery.preview_close(lambda files: (None, on_place(files, None)), shown, [place, cleanup], **quietly)

    def picture(files: Files | None, place: int | None) -> str:
        path, _ = picked(files, place)
        if path.endswith(f".{SVG}"):
            raise ValueError("Cleanup works on pixels: choose a size in pixels first.")
        return path

    return Outlet(cleanup, picture, [shown, place])


TAB = Tab("sample", "Sample", build)
