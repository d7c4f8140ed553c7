"""The Cleanup tab: a picture enlarged by a whole factor."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import numpy as np

from ganapp.images import ImageError, encode_png, load_image, resize, upscale_nearest
from ganapp.serve import arguments
from ganapp.serve.arguments import Raw
from ganapp.serve.library import Library
from ganapp.serve.recipe import Sample
from ganapp.ui import controls, errors, sample
from ganapp.ui.files import cached, cut, file_record

METHODS = ("auto", "nearest", "lanczos")
LABELS = {"auto": "Automatic", "nearest": "Pixel art (nearest)", "lanczos": "Smooth (Lanczos)"}
LOWEST_FACTOR, HIGHEST_FACTOR = 2, 8
MAX_SIDE = 4096
MAX_UPLOAD_MB = 20
FEW_COLOURS = 64  # drawn pixel by pixel a picture has no more; smoothed edges alone make hundreds


def cleanup(image: np.ndarray, factor: Raw, method: Raw) -> np.ndarray:
    """The image uint8 [H, W, 4] at [H * factor, W * factor, 4]. Raises ValueError for a bad value or a result too big.

    `auto` enlarges by squares what has few colours, and by Lanczos anything else.
    """
    factor = arguments.whole(factor, "factor", LOWEST_FACTOR, HIGHEST_FACTOR)
    method = arguments.choice(method, "method", METHODS)
    height, width = image.shape[:2]
    if max(height, width) * factor > MAX_SIDE:
        raise ValueError(
            f"{width}x{height} pixels times {factor} would be over {MAX_SIDE} pixels a side: "
            "take a smaller factor or a smaller picture"
        )
    if by_squares(image, method):
        return upscale_nearest(image, factor)
    return resize(image, (width * factor, height * factor))


def by_squares(image: np.ndarray, method: str) -> bool:
    """Whether this method enlarges the image by squares."""
    return method == "nearest" or (method == "auto" and has_few_colours(image))


def has_few_colours(image: np.ndarray) -> bool:
    """Whether the visible pixels of uint8 [H, W, 4] have at most FEW_COLOURS colours, as pixel art does."""
    visible = image[image[..., 3] > 0]
    return len(np.unique(visible.view(np.uint32))) <= FEW_COLOURS


@dataclass(frozen=True)
class Enlarged:
    """The PNG file of an enlarged picture; `before` and `after` are its width and height in pixels.

    `squares` says that every pixel became a square, which a page must not blur.
    """

    path: str
    before: tuple[int, int]
    after: tuple[int, int]
    squares: bool

    def sizes(self) -> str:
        """As in "64 × 64 → 256 × 256"."""
        return " → ".join(f"{width} × {height}" for width, height in (self.before, self.after))


def cleanup_file(file: Raw, factor: Raw, method: Raw) -> Enlarged:
    """The enlarged picture; `file` is Gradio's record of an upload.

    Raises ValueError for a bad value, and ImageError where the file is not a picture.
    """
    # Gradio lets such a record through only if it wrote the file itself; anything else names a file of ours.
    if not isinstance(file, dict) or file.get("meta") != {"_type": "gradio.FileData"}:
        raise ValueError('image must be an uploaded picture (over the API: handle_file("cat.png"))')
    path = Path(file["path"])
    name = str(file.get("orig_name") or path.name)
    try:
        image = load_image(path)
    except ImageError as error:
        raise ImageError(f"{name} {error}") from None
    large = cleanup(image, factor, method)
    before, after = image.shape[1::-1], large.shape[1::-1]
    path = cached(encode_png(large), f"{cut(Path(name).stem, 80)}-{after[0]}x{after[1]}.png")
    return Enlarged(path, before, after, by_squares(image, str(method)))


# A result beside another picture than its own would be taken for that picture's.
CLEAR_JS = "() => [null, '']"


def build(library: Library, tab: gr.Tab) -> None:
    """The tab's components and their wiring, inside the open `tab`."""
    with gr.Row(elem_classes="stage"):
        with gr.Column(elem_classes="lead"):
            # The file itself: a decoded copy would have lost transparency and turned with its EXIF tag.
            gr.HTML("Picture", elem_classes="heading")  # Gradio would write its label across the picture
            image = gr.Image(
                label="Picture",
                show_label=False,
                type="filepath",
                image_mode=None,
                format="png",
                sources=["upload", "clipboard"],
                elem_id="cleanup-in",
                elem_classes="picture",
                height=260,
            )
            gr.HTML(f"{MAX_UPLOAD_MB} MB at most", elem_classes="hint")
            factor = gr.Slider(LOWEST_FACTOR, HIGHEST_FACTOR, 4, step=1, label="Factor", buttons=[])
            method = gr.Radio([(LABELS[key], key) for key in METHODS], value="auto", label="Kind of picture")
            go = gr.Button("Enlarge", variant="primary", elem_id="cleanup-go")
        with gr.Column(elem_classes="result"):
            result = gr.Image(
                label="Enlarged",
                show_label=False,
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="cleanup-out",
                elem_classes="picture",
            )
            sizes = gr.HTML(elem_id="cleanup-sizes", elem_classes="story")

    @errors.in_the_page()
    def on_cleanup(file: Raw, factor: Raw, method: Raw) -> tuple[dict, dict, str]:
        if file is None:
            raise ValueError("Choose a picture first.")
        enlarged = cleanup_file(file, factor, method)
        shown = {"elem_classes": ["picture", "pixel-art"] if enlarged.squares else ["picture"]}
        return gr.update(**shown), gr.update(value=enlarged.path, **shown), enlarged.sizes()

    @errors.in_the_page()
    def on_open(file: Raw, factor: Raw, method: Raw) -> tuple:
        if file is not None:
            return gr.skip(), gr.skip(), gr.skip()
        [(path, _)] = sample.draw(library, Sample(library.default, seed=1, count=1)).gallery()
        looks, *results = on_cleanup(file_record(path), factor, method)
        return looks | {"value": path}, *results

    inputs = [image, factor, method]
    outputs = [image, result, sizes]
    clearing = {"fn": None, "js": CLEAR_JS, "outputs": [result, sizes], **controls.PRIVATE}
    go.click(on_cleanup, inputs, outputs, show_progress_on=result, **controls.drawing("cleanup")).failure(**clearing)
    # By hand only: the first picture of the tab comes together with its result.
    gr.on([image.upload, image.clear], **clearing)
    tab.select(on_open, inputs, outputs, show_progress="hidden", **controls.drawing("cleanup"))
