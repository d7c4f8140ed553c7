"""The Sample tab: images of consecutive seeds, each to keep with the record that draws it again."""

import random
from dataclasses import dataclass

import gradio as gr
import numpy as np

from ganapp.pictures.png import encode_png
from ganapp.serve.arguments import Raw
from ganapp.serve.library import Library
from ganapp.serve.recipe import MAX_COUNT, RECORD_KEY, Sample
from ganapp.ui import controls, errors, outlet
from ganapp.ui.files import cached, zipped
from ganapp.ui.story import story

Captioned = list[tuple[np.ndarray, str]]


def sample(library: Library, recipe: Sample) -> Captioned:
    """Images uint8 [H, W, C] of the recipe's seeds, each with its seed as the caption."""
    generator = library.generator(recipe.model)
    labels = generator.spec.labels(recipe.labels)
    images = generator.generate(recipe.seeds(), labels, recipe.psi, recipe.noise_seed)
    return [(image, f"seed {seed}") for seed, image in zip(recipe.seeds(), images, strict=True)]


@dataclass(frozen=True)
class Drawn:
    """A sample as files: PNG bytes with their names and captions."""

    pngs: list[tuple[bytes, str, str]]

    def gallery(self) -> list[tuple[str, str]]:
        """Path and caption of each image, as Gradio's gallery takes them."""
        return [(cached(png, name), caption) for png, name, caption in self.pngs]

    def archive(self) -> bytes:
        """All images in one zip file."""
        return zipped((png, name) for png, name, _ in self.pngs)


def draw(library: Library, recipe: Sample) -> Drawn:
    """The sample as PNG files, each with its own record as the text `ganapp`."""
    return Drawn(
        [
            (encode_png(image, {RECORD_KEY: recipe.record(seed)}), f"{recipe.model}-seed{seed}.png", caption)
            for seed, (image, caption) in zip(recipe.seeds(), sample(library, recipe), strict=True)
        ]
    )


def picked(gallery: list[tuple[str, str]] | None, place: int | None) -> tuple[str, str]:
    """Path and caption of the image at `place`, or of the first where none such is large. Raises ValueError."""
    if not gallery:
        raise ValueError("Draw a sample first.")
    return gallery[place if place is not None and place < len(gallery) else 0]


def roll() -> int:
    """A seed that is short enough to say aloud."""
    return random.randint(0, 999_999)


# Puts the recipe into the address bar, so that the page can be shared as it stands. Other parameters stay.
SHARE_JS = """
(query) => {
    const url = new URL(window.location);
    url.searchParams.delete("labels");
    for (const [key, value] of new URLSearchParams(query)) url.searchParams.set(key, value);
    window.history.replaceState(null, "", url);
}
"""


# The large image may lie above or below what a small screen shows.
TO_PREVIEW_JS = """
() => {
    setTimeout(() => document.querySelector("#sample-gallery .preview")?.scrollIntoView({ block: "nearest" }), 50);
}
"""


def build(library: Library, demo: gr.Blocks) -> tuple[gr.Dropdown, outlet.Outlet]:
    """The tab's components and their wiring, inside the open `gr.Tab` of `demo`.

    Returns the choice of a model, and the way out of the large image, or of the first.
    """
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
                about = gr.HTML(story(library.spec(library.default)), elem_id="story")
                cleanup = outlet.button("Clean up", "sample-cleanup")
                archive = gr.DownloadButton("Download all", size="sm", elem_id="sample-zip", min_width=140)
        with gr.Column(elem_classes="more"):
            count = gr.Slider(1, MAX_COUNT, Sample.count, step=1, label="Count", buttons=[])
            psi = controls.psi()
            noise_seed = controls.noise_seed()
            labels = controls.labels(library, library.spec(library.default), opened=True)
    query = gr.Textbox(visible=False)
    shown, place = gr.State(None), gr.State(None)  # the gallery's files, and which of them is large

    recipe_inputs = [model, seed, count, psi, noise_seed, *labels, place]
    outputs = [gallery, archive, query, shown, cleanup]

    def show(recipe: Sample, place: int | None) -> tuple:
        drawn = draw(library, recipe)
        name = f"{recipe.model}-seeds{recipe.seed}-{recipe.seeds()[-1]}.zip"
        files = drawn.gallery()
        return files, cached(drawn.archive(), name), recipe.query(), files, on_place(files, place)

    def on_place(files: list[tuple[str, str]] | None, place: int | None) -> str:
        return f"Clean up {picked(files, place)[1]}" if files else gr.skip()

    def on_select(files: list[tuple[str, str]] | None, event: gr.SelectData) -> tuple[int, str]:
        return event.index, on_place(files, event.index)

    @errors.in_the_page()
    def on_sample(model: Raw, seed: Raw, count: Raw, psi: Raw, noise_seed: Raw, *values: Raw) -> tuple:
        *values, place = values
        chosen = controls.chosen(library, model, values)
        return show(Sample.checked(library, model, seed, count, psi, noise_seed, chosen), place)

    @errors.in_the_page()
    def on_load(request: gr.Request) -> list:
        recipe, problems = Sample.from_query(library, dict(request.query_params))
        for problem in problems:
            controls.warn(f"From the address: {problem}")
        controls_now = [recipe.model, recipe.seed, recipe.count, recipe.psi, recipe.noise_seed]
        return [
            *controls_now,
            *controls.labels_of(library.spec(recipe.model), len(labels), recipe.labels),
            story(library.spec(recipe.model)),
            controls.gallery_of(library.spec(recipe.model)),
        ]

    @errors.in_the_page()
    def on_model(model: str) -> list:
        spec = library.spec(model)
        return [*controls.labels_of(spec, len(labels)), story(spec), controls.gallery_of(spec)]

    drawing = {"fn": on_sample, "inputs": recipe_inputs, "outputs": outputs, **controls.drawing("sample")}
    sharing = {"fn": None, "inputs": query, "js": SHARE_JS, **controls.PRIVATE}
    start = [model, seed, count, psi, noise_seed, *labels, about, gallery]
    starting = demo.load(on_load, outputs=start, show_progress="hidden", **controls.PRIVATE)
    starting.then(**drawing)
    go.click(**drawing).then(**sharing)
    seed.submit(**drawing).then(**sharing)
    noise_seed.submit(**drawing).then(**sharing)
    dice.click(roll, outputs=seed, show_progress="hidden", **controls.PRIVATE).then(**drawing).then(**sharing)
    model.input(on_model, model, [*labels, about, gallery], show_progress="hidden", **controls.PRIVATE).then(
        **drawing
    ).then(**sharing)
    # Every step of a drag asks, only the last one is drawn: the picture ends where the thumb does.
    for control in (count, psi, *labels):
        control.input(**drawing, trigger_mode="always_last", show_progress="hidden").then(**sharing)
    gallery.preview_open(None, js=TO_PREVIEW_JS, **controls.PRIVATE)
    quietly = {"show_progress": "hidden", **controls.PRIVATE}
    gallery.select(on_select, shown, [place, cleanup], **quietly)
    gallery.preview_close(lambda files: (None, on_place(files, None)), shown, [place, cleanup], **quietly)
    return model, outlet.Outlet(cleanup, lambda files, place: picked(files, place)[0], [shown, place])
