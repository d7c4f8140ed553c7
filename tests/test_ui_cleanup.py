import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from gradio.blocks import BlockFunction
from PIL import Image
from tiny_bundle import CRITTERS, write_bundle

from ganapp.contract import BundleError
from ganapp.draw.cleanup import METHODS, Cleanup
from ganapp.pictures.load import ImageError, load_image
from ganapp.pictures.png import save_png
from ganapp.serve.generator import Generator
from ganapp.serve.library import Library
from ganapp.ui import controls
from ganapp.ui.cleaner import Cleaned, Cleaner, upload
from ganapp.ui.files import file_record
from ganapp.ui.tab import Page
from ganapp.ui.tabs.cleanup import LABELS, MADE, SIZES, build, checked, largest, methods, shown_path, story

DEFAULTS = {
    "scale": "4", "size": "631", "method": "auto", "denoise": 1, "flat": 0, "colours": 0, "palette": "", "corners": 0
}  # fmt: skip
PIXELS = np.zeros((8, 6, 4), np.uint8)


def asked(library: Library, **changes: object) -> Cleanup:
    return checked(library, **(DEFAULTS | changes))


def test_the_controls_spell_the_record(library: Library):
    assert asked(library) == Cleanup(scale=4)
    assert [asked(library, scale=value).scale for _, value in SIZES[:-1]] == [2, 4]
    assert asked(library, scale="exact") == Cleanup(size="631")
    assert asked(library, colours=12) == Cleanup(scale=4, colours=12)
    assert asked(library, colours=12, palette="#FF0000, #0000ff").colours == ("#ff0000", "#0000ff")
    assert asked(library, denoise=0.4, flat=0.2, corners=7, method="lanczos") == Cleanup(
        4, "", "", "lanczos", 0.4, 0.2, 0, 7
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "exact", "size": " "}, "Give the longer side in pixels"),
        ({"scale": "exact", "size": None}, "Give the longer side in pixels"),
        ({"scale": "exact", "size": "abc"}, "size must be the longer side"),
        ({"scale": "99"}, "scale must be a whole number from 1 to 16"),
        ({"method": "magic"}, "method must be one of auto, network, pixel-art, lanczos, not 'magic'"),
        ({"denoise": 2}, "denoise must be a number from 0 to 1, not 2"),
        ({"palette": "red"}, "colours must be"),
        ({"corners": -1}, "corners must be a number from 0 to 50"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(library: Library, changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        asked(library, **changes)


def test_every_method_has_a_label_and_without_an_upscaler_there_is_no_network(library: Library, tmp_path: Path):
    assert [value for _, value in methods(library)] == list(METHODS) == list(LABELS)
    write_bundle(tmp_path / "critters", CRITTERS)
    bare = Library(tmp_path)
    assert [value for _, value in methods(bare)] == ["auto", "pixel-art", "lanczos"]
    with pytest.raises(ValueError, match="has no upscaler for method network"):
        asked(bare, method="network")


def test_an_upload_that_a_browser_shows_stays_the_file_it_is(tmp_path: Path):
    save_png(tmp_path / "cat.png", PIXELS)
    assert shown_path(upload(file_record(str(tmp_path / "cat.png")), "image")) == str(tmp_path / "cat.png")


def test_an_upload_that_no_browser_shows_becomes_a_png_of_the_same_pixels(tmp_path: Path):
    Image.fromarray(PIXELS).save(tmp_path / "cat.tiff")
    path = Path(shown_path(upload(file_record(str(tmp_path / "cat.tiff")), "image")))
    assert path.name == "cat.png"
    assert np.array_equal(load_image(path), PIXELS)


def test_an_upload_that_is_no_picture_is_refused_by_its_name(tmp_path: Path):
    (tmp_path / "cat.png").write_text("meow")
    with pytest.raises(ImageError, match=r"cat\.png is not an image"):
        shown_path(upload(file_record(str(tmp_path / "cat.png")), "image"))


@pytest.mark.parametrize("method", MADE)
def test_the_story_tells_the_size_it_had_and_has_and_what_made_it(method: str):
    line = story(Cleaned("a.png", "b.png", (64, 32), (631, 316), method))
    assert "64 × 32 → 631 × 316" in line and MADE[method] in line


# The handlers, called as Gradio calls them


VISITOR = SimpleNamespace(session_hash="visitor")
SKIP = gr.skip()


class Busy(Library):
    """A library that does something else while it opens a generator."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def generator(self, name: str) -> Generator:
        self.meanwhile()
        return super().generator(name)


def handlers(library: Library) -> dict[str, BlockFunction]:
    """The tab's events by the names of their handlers; of several the last one's."""

    async def built() -> gr.Blocks:  # in a loop, or else Gradio opens one of its own and leaves it open
        with gr.Blocks() as demo, gr.Tabs() as tabs, gr.Tab("Cleanup", id="cleanup") as tab:
            page = Page(library, Cleaner(library), demo, tabs, controls.model(library), gr.State({}))
            build(page, tab)
        return demo

    return {event.name: event for event in asyncio.run(built()).fns.values()}


def test_a_bad_value_does_not_end_what_is_being_made(library: Library, tmp_path: Path):
    clean = handlers(library)["on_cleanup"].fn
    save_png(tmp_path / "cat.png", np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    file = file_record(str(tmp_path / "cat.png"))

    def give_a_bad_value(share: float) -> None:
        with pytest.raises(gr.Error, match="denoise must be"):
            clean(VISITOR, lambda share: None, file, None, *(DEFAULTS | {"denoise": 2}).values(), 2.0)

    _, _, path, _ = clean(VISITOR, give_a_bad_value, file, None, *DEFAULTS.values(), 1.0)
    assert load_image(Path(path)).shape == (160, 160, 4)


def test_a_call_takes_its_moment_without_awaiting_anything(library: Library):
    """Calls made in a hurry would otherwise get their moments in any order."""
    events = handlers(library)
    for name in ("on_cleanup", "on_change", "on_opened"):
        assert "performance.now()" in events[name].js
        assert "import(" not in events[name].js and "async" not in events[name].js


def test_a_scale_that_goes_too_far_gives_the_largest_size_that_is_allowed():
    asked = Cleanup(scale=4)
    assert largest(asked, (1200, 300)).size == "4096" and largest(asked, (300, 1200)).size == "4096"
    assert largest(asked, (1024, 300)) is asked and largest(asked, None) is asked
    assert largest(Cleanup(scale=4, size="9000"), (1200, 300)).size == "9000"  # is refused


def test_opening_the_tab_sets_a_sample_and_nothing_that_is_made_of_it(library: Library):
    event = handlers(library)["on_open"]
    assert [component.elem_id for component in event.outputs if component.elem_id] == ["cleanup-in"]
    path, kept, opened = event.fn(VISITOR, None, "faces")
    assert Path(path).name.startswith("faces")  # the model of the first tab
    assert path == kept and opened and load_image(Path(path)).shape == (16, 16, 4)
    assert event.fn(VISITOR, file_record(path), "faces") == (SKIP, SKIP, False)


def test_a_sample_does_not_take_the_place_of_what_is_uploaded_meanwhile(weights_dir: Path, tmp_path: Path):
    library = Busy(weights_dir)
    events = handlers(library)
    save_png(tmp_path / "cat.png", PIXELS)
    file = file_record(str(tmp_path / "cat.png"))
    library.meanwhile = lambda: events["on_upload"].fn(VISITOR, file)
    assert events["on_open"].fn(VISITOR, None, "critters") == (SKIP, SKIP, False)


def test_a_model_that_breaks_when_the_tab_is_opened_is_a_message(weights_dir: Path):
    library = Busy(weights_dir)

    def broken() -> None:
        raise BundleError("mapping.onnx: <broken>")

    library.meanwhile = broken
    with pytest.raises(gr.Error, match=r"mapping\.onnx: &lt;broken&gt;"):
        handlers(library)["on_open"].fn(VISITOR, None, "critters")
