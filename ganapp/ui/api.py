"""The four calls that other programs make. Their signatures and docstrings are the API page's text."""

from inspect import signature
from typing import TypedDict

import gradio as gr

from ganapp.serve.cleanup import Cleanup
from ganapp.serve.library import Library
from ganapp.serve.recipe import PSI, Interpolation, Mix, Sample
from ganapp.ui import errors
from ganapp.ui import interpolate as interpolate_tab
from ganapp.ui import mix as mix_tab
from ganapp.ui import sample as sample_tab
from ganapp.ui.cleaner import Cleaner
from ganapp.ui.files import file_record

SEEDS = [1, 2, 3, 4]
SOURCES = [1, 2, 3, 4]
DESTINATIONS = [11, 12, 13]

LIMIT = 2  # calls at a time, so that a long one does not hold up all others


class File(TypedDict):
    """A file as Gradio's clients send and receive it: `handle_file(...)` going in, a path coming out."""

    path: str
    meta: dict


class Picture(TypedDict):
    """One sampled image with its caption."""

    image: File
    caption: str


def build(library: Library, cleaner: Cleaner, demo: gr.Blocks) -> None:
    """Register the calls in `demo`, inside its open context."""
    default = library.default

    @errors.over_the_api()
    def sample(
        model: str = default,
        seed: int = 0,
        count: int = 4,
        psi: float = PSI,
        noise_seed: int = 0,
        labels: dict[str, str] | None = None,
    ) -> list[Picture]:
        """Draw images of consecutive seeds.

        Answers a list of {image, caption}: PNG files, each with its own recipe as JSON in the text chunk "ganapp".
        model: the name of a weights folder. seed: the first seed, 0 to 4294967295. count: 1 to 64 images.
        psi: truncation, -2 to 2; 0 is the average image, 1 the whole variety. noise_seed: the fine detail.
        labels: values by attribute, such as {"body_color": "red"}; an attribute left out may be anything.
        """
        drawn = sample_tab.draw(library, Sample.checked(library, model, seed, count, psi, noise_seed, labels))
        return [{"image": file_record(path), "caption": caption} for path, caption in drawn.gallery()]

    @errors.over_the_api()
    def mix(
        model: str = default,
        source_seeds: list[int] = SOURCES,
        destination_seeds: list[int] = DESTINATIONS,
        layers: str = "coarse",
        psi: float = PSI,
        noise_seed: int = 0,
        labels: dict[str, str] | None = None,
    ) -> File:
        """Mix styles: a grid with the sources along the top and the destinations down the left.

        Answers one PNG. Each cell is its row's destination with some layers of its column's source.
        source_seeds, destination_seeds: up to 8 each, as a list or as text such as "1, 5, 8-11".
        layers: coarse, middle, fine, or layer numbers such as "0-3". The rest as in /sample.
        """
        recipe = Mix.checked(library, model, source_seeds, destination_seeds, layers, psi, noise_seed, labels)
        return file_record(mix_tab.draw(library, recipe))

    @errors.over_the_api()
    def interpolate(
        model: str = default,
        seeds: list[int] = SEEDS,
        frames: int = 24,
        space: str = "w" if library.spec(default).num_ws else "z",
        loop: bool = True,
        psi: float = PSI,
        noise_seed: int = 0,
        labels: dict[str, str] | None = None,
        fps: int = 24,
        format: str = "mp4",
        background: str = "white",
    ) -> File:
        """Walk from seed to seed and back: a video or an animated image.

        Answers one file. seeds: 2 to 32, as a list or as text such as "1, 5, 8-11". frames: how many a step; all
        together at most 600. space: "w" for straight lines in style space, "z" for arcs in latent space. loop: go
        back to the first seed, so that it repeats without a jump. fps: frames a second, 1 to 60. format: "mp4"
        (H.264), or "webp" or "png", which are animated and keep transparency. background: what shows through in an
        mp4: white, black or "#rrggbb".
        The rest as in /sample.
        """
        recipe = Interpolation.checked(
            library, model, seeds, frames, space, loop, psi, noise_seed, labels, fps, format, background
        )
        return file_record(interpolate_tab.draw(library, recipe).path)

    @errors.over_the_api()
    def cleanup(
        image: File,
        scale: int = Cleanup.scale,
        size: str = Cleanup.size,
        model: str = Cleanup.model,
        method: str = Cleanup.method,
        denoise: float = Cleanup.denoise,
        flat: float = Cleanup.flat,
        colours: str = "0",
        corners: float = Cleanup.corners,
        cut_out: File | None = None,
    ) -> File:
        """Enlarge a picture, remove its noise and finish it.

        Answers one PNG, with the values that make it again as JSON in the text chunk "ganapp", and in it under "source"
        the record that the picture came with. image: a picture file, `handle_file("cat.png")` in Python. scale: 1 to
        16. size: the longer side in pixels, such as "631", or width and height, such as "631x400", in place of scale;
        the result has at most 4096 pixels a side. model: the name of a weights folder with an upscaler, or some, "a,
        b", to choose from by scale; empty for all. method: "network", "pixel-art" for squares, "lanczos", or "auto" to
        decide by the picture. denoise: 0 to 1, from plain enlargement to all that the network does. flat: 0 to 1, evens
        out what is nearly one colour. colours: how many colours to keep, such as "16", "0" for any, or the colours
        themselves, such as "#1a181c, #f4f1ea". corners: the radius of rounded corners, 0 to 50 percent of the shorter
        side. cut_out: a picture whose transparency the result gets.
        """
        asked = Cleanup.checked(library, scale, size, model, method, denoise, flat, colours, corners)
        return file_record(cleaner.clean(image, asked, cut_out).path)

    for call in (sample, mix, interpolate, cleanup):
        gr.api(call, api_name=call.__name__, concurrency_id="api", concurrency_limit=LIMIT)
        # The API page calls a parameter by its label, and Gradio labels them "1st", "2nd" and so on.
        inputs = list(demo.fns.values())[-1].inputs
        for component, name in zip(inputs, signature(call).parameters, strict=True):
            component.label = f"parameter {name}"  # a bare "image" is a word that Gradio would translate
