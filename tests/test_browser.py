"""The page as people see it, in a headless Chromium that may talk to the app alone."""

import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from conftest import Server
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from ganapp.pictures.load import load_image
from ganapp.pictures.png import encode_png, save_png

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
COLOURS_JS = """
(element) => {
    const canvas = document.createElement("canvas");
    canvas.width = element.naturalWidth || element.width;
    canvas.height = element.naturalHeight || element.height;
    const context = canvas.getContext("2d");
    context.drawImage(element, 0, 0);
    const data = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return new Set(data).size;
}
"""

PATIENCE = 90_000  # milliseconds: on a machine that does much else, everything comes, but late
expect.set_options(timeout=PATIENCE)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")]


@dataclass
class Visit:
    """An open page of the app, and what went wrong in it."""

    page: Page
    url: str
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> Page:
        """Open the tab Sample, and wait for its pictures."""
        self.page.goto(f"{self.url}?tab=sample&{query.removeprefix('?')}")
        expect(self.page.locator("#sample-gallery img").first).to_be_visible()
        return self.page

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """A fresh page of the app over the tiny models."""
    with visited(browser, server) as visit:
        yield visit


@contextmanager
def visited(browser: Browser, server: Server) -> Iterator[Visit]:
    """A fresh page; the test fails if it asked another host for anything or raised an error of its own."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE)
    visit = Visit(page, server.url)

    def see(url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob") and not url.startswith(server.url):
            visit.foreign.append(url)

    page.on("request", lambda request: see(request.url))
    page.on("websocket", lambda socket: see(socket.url))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    yield visit
    page.close()
    assert not visit.foreign
    assert not visit.errors


def field(page: Page, label: str, exact: bool = False) -> Locator:
    """The control of this label in the tab that is open."""
    return page.get_by_label(label, exact=exact).locator("visible=true").first


def colours(image: Locator) -> int:
    """How many colours the image or canvas shows, once it is loaded."""
    expect(image).to_be_visible()
    image.evaluate("(element) => element.decode ? element.decode() : null")
    return image.evaluate(COLOURS_JS)


def test_the_page_opens_with_images(visit: Visit):
    page = visit.open()
    images = page.locator("#sample-gallery .grid-container img")
    expect(images).to_have_count(18)
    assert colours(images.first) > 1
    expect(page.locator("#sample-gallery .caption-label").nth(3)).to_have_text("seed 3")
    expect(page.locator("#story")).to_contain_text("Drawn by a test.")


def test_sample_draws_the_seed_that_was_asked_for_and_puts_it_into_the_address(visit: Visit):
    page = visit.open()
    field(page, "Seed", exact=True).fill("41")
    page.locator("#sample-go").click()
    expect(page.locator("#sample-gallery .caption-label").first).to_have_text("seed 41")
    assert colours(page.locator("#sample-gallery img").first) > 1
    page.wait_for_url(re.compile("seed=41"))
    page.reload()
    expect(page.locator("#sample-gallery .caption-label").first).to_have_text("seed 41")


def test_the_dice_draw_another_seed(visit: Visit):
    page = visit.open()
    page.locator("#sample-dice").click()
    expect(page.locator("#sample-gallery .caption-label").first).not_to_have_text("seed 0")


def test_one_image_and_all_images_can_be_kept(visit: Visit):
    page = visit.open()
    with page.expect_download() as download:
        page.locator("#sample-zip").click()
    assert download.value.suggested_filename == "critters-seeds0-17.zip"
    page.locator("#sample-gallery .thumbnail-item").nth(2).click()
    with page.expect_download() as download:
        page.locator("#sample-gallery").get_by_label(re.compile("download", re.I)).first.click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_attributes_and_the_noise_seed_follow_the_model(visit: Visit):
    page = visit.open()
    expect(field(page, "Body color")).to_be_visible()
    expect(field(page, "Noise seed")).to_be_visible()
    field(page, "Model").click()
    page.get_by_role("option", name="plain").click()
    expect(field(page, "Hat")).to_be_visible()
    expect(field(page, "Body color")).not_to_be_visible()
    expect(field(page, "Noise seed")).not_to_be_visible()
    expect(page.locator("#sample-gallery img").first).to_have_attribute("src", re.compile("plain-seed0"))


def test_a_value_that_is_seldom_shown_is_marked_and_drawn(visit: Visit):
    page = visit.open()
    field(page, "Eyes").click()
    page.get_by_role("option", name="two (seldom shown)").click()
    page.wait_for_url(re.compile("labels=.*eyes.*%22two%22"))
    expect(page.locator(".toast-body")).to_have_count(0)


def test_a_choice_marks_what_was_never_seen_with_it_and_keeps_what_is_chosen(visit: Visit):
    page = visit.open()
    field(page, "Body color").click()
    page.get_by_role("option", name="red").click()
    page.wait_for_url(re.compile("labels=.*red"))
    field(page, "Eyes").click()
    page.get_by_role("option", name="one (never with red)").click()
    page.wait_for_url(re.compile("labels=.*red.*one"))
    expect(field(page, "Body color")).to_have_value("red (never with one)")
    expect(page.locator(".toast-body")).to_have_count(0)


def test_one_image_large_is_a_square_that_fits_the_screen(visit: Visit):
    visit.page.set_viewport_size({"width": 390, "height": 844})
    page = visit.open("?count=1")
    expect(page.locator("#sample-gallery .caption-label")).to_have_count(1)
    page.locator("#sample-gallery .thumbnail-item").first.click()
    box = page.get_by_test_id("detailed-image").bounding_box()
    assert box["width"] == pytest.approx(box["height"], abs=1) and 250 < box["width"] <= 390
    expect(page.locator("#sample-gallery").get_by_label("Close")).to_be_in_viewport()


def test_the_other_tabs_begin_with_the_model_of_the_first(visit: Visit):
    page = visit.open("?model=faces")
    expect(page.locator("#sample-gallery img").first).to_have_attribute("src", re.compile("faces-seed0"))
    visit.tab("Style mixing")
    expect(page.locator("#mix-grid img")).to_have_attribute("src", re.compile("faces-mix"))
    visit.tab("Interpolation")
    expect(page.locator("#player output")).to_contain_text("/ 96")
    with page.expect_download() as download:
        page.locator("#walk-file a").click()
    assert download.value.suggested_filename.startswith("faces-walk")


def test_the_address_sets_the_start(visit: Visit):
    page = visit.open('?model=critters&seed=7&count=3&psi=1.25&labels={"eyes":"two"}')
    expect(page.locator("#sample-gallery .caption-label")).to_have_text(["seed 7", "seed 8", "seed 9"])
    expect(field(page, "Eyes")).to_have_value("two (seldom shown)")


def test_a_bad_address_is_a_warning_and_the_page_still_opens(visit: Visit):
    page = visit.open("?seed=<img src=x onerror=alert(1)>&count=10000")
    expect(page.locator(".toast-body").filter(has_text="seed must be a whole number")).to_be_visible()
    expect(page.locator("#sample-gallery .grid-container img")).to_have_count(18)
    assert page.locator(".toast-body img[src=x]").count() == 0


def test_mixing_shows_a_grid(visit: Visit):
    page = visit.open()
    visit.tab("Style mixing")
    page.get_by_label("Source seeds").fill("1-4")
    page.locator("#mix-go").click()
    image = page.locator("#mix-grid img")
    expect(image).to_have_js_property("naturalWidth", 5 * 16 + 4 * 4)
    assert colours(image) > 1


def test_an_interpolation_plays_and_scrubs_without_asking_the_server(visit: Visit):
    page = visit.open()
    visit.tab("Interpolation")
    page.get_by_label("the stops of the walk").fill("5-7")
    page.locator("#walk-go").click()
    canvas = page.locator("#player canvas")
    expect(page.locator("#player output")).to_contain_text("/ 72")
    expect(canvas).to_have_attribute("data-frame", re.compile("[1-9]"))
    assert colours(canvas) > 1
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    scrub = page.locator("#player .scrub")
    shots = []
    for frame in (0, 24, 48):
        scrub.fill(str(frame))
        expect(canvas).to_have_attribute("data-frame", str(frame))
        shots.append(canvas.screenshot())
    assert len(set(shots)) == 3
    assert not [url for url in asked if "heartbeat" not in url]
    with page.expect_download() as download:
        page.locator("#walk-file a").click()
    assert download.value.suggested_filename == "critters-walk-5-6-7.mp4"


def test_an_open_walk_is_played_there_and_back(visit: Visit):
    page = visit.open()
    visit.tab("Interpolation")
    page.get_by_label("the stops of the walk").fill("5, 6")
    page.get_by_label("Closed loop").uncheck()
    expect(page.locator("#player output")).to_contain_text("/ 25")
    frames = page.locator("#player canvas").evaluate(
        """async (canvas) => {
            const frames = [];
            const seen = () => frames.push(Number(canvas.dataset.frame));
            const observer = new MutationObserver(seen);
            observer.observe(canvas, { attributes: true, attributeFilter: ["data-frame"] });
            while (frames.length < 60) await new Promise(requestAnimationFrame);
            return frames;
        }"""
    )
    assert {0, 24} <= set(frames)
    assert {abs(after - before) for before, after in itertools.pairwise(frames)} == {1}


@pytest.mark.parametrize("rate", [60, 75, 144])
def test_the_player_keeps_its_pace_on_a_screen_of_any_rate(visit: Visit, rate: int):
    """By a clock of the test's own: no real time passes."""
    shown = visit.open().evaluate(
        """async (rate) => {
            const { player } = await import(new URL("web/player.js", location.href));
            const element = document.createElement("div");
            element.innerHTML = '<canvas></canvas><input class="scrub"><output></output><button class="play"></button>';
            document.body.append(element);
            const sheet = document.createElement("canvas");
            sheet.width = 4; sheet.height = 1;
            const value = { sheet: { url: sheet.toDataURL() }, size: 1, columns: 4, count: 4, fps: 24, loop: true };
            const honest = window.requestAnimationFrame;
            let tick = null;
            window.requestAnimationFrame = (next) => { tick = next; };
            player({ element, props: { value }, watch: () => {} });
            window.requestAnimationFrame = (next) => { if (next.name === "tick") tick = next; else honest(next); };
            const canvas = element.querySelector("canvas");
            while (canvas.dataset.frame === undefined) await new Promise((done) => setTimeout(done, 10));
            let shown = 0, before = canvas.dataset.frame;
            for (let i = 1; i <= 10 * rate; i++) {
                tick(5000 + (1000 * i) / rate);
                if (canvas.dataset.frame !== before) shown++;
                before = canvas.dataset.frame;
            }
            window.requestAnimationFrame = honest;
            element.remove();
            return shown;
        }""",
        rate,
    )
    assert abs(shown - 240) <= 1  # 24 a second for ten seconds


def clear(page: Page) -> None:
    page.locator("#cleanup-in").get_by_label(re.compile("clear|remove", re.I)).first.click()


def upload(page: Page, path: Path) -> None:
    """Choose a file in the place of what is there."""
    page.locator("#cleanup-in input[type=file]").set_input_files(path)


def after(page: Page) -> Locator:
    return page.locator("#cleanup-out img").nth(1)


def test_cleanup_enlarges_what_is_uploaded(visit: Visit, tmp_path: Path):
    picture = np.zeros((10, 12, 4), np.uint8)
    picture[3:7] = (200, 30, 30, 255)
    save_png(tmp_path / "cat.png", picture)
    page = visit.open()
    visit.tab("Cleanup")
    expect(after(page)).to_have_js_property("naturalWidth", 64)  # a sample, to begin with
    clear(page)
    upload(page, tmp_path / "cat.png")
    expect(after(page)).to_have_js_property("naturalWidth", 48)  # without being asked
    assert colours(after(page)) == 2
    expect(page.locator("#cleanup-sizes")).to_contain_text("12 × 10 → 48 × 40 by squares")
    expect(page.locator("#cleanup-out")).to_have_class(re.compile("pixel-art"))
    sizes = page.locator("#cleanup-out img").evaluate_all("all => all.map(e => [e.naturalWidth, e.clientWidth])")
    assert sizes[0] == sizes[1]
    with page.expect_download() as download:
        page.locator("#cleanup-file").click()
    assert download.value.suggested_filename == "cat-48x40.png"
    # A result is gone as soon as its picture is.
    clear(page)
    expect(page.locator("#cleanup-out img")).to_have_count(0)
    expect(page.locator("#cleanup-sizes")).to_have_text("")
    page.locator("#cleanup-go").click()
    expect(page.locator(".toast-body")).to_contain_text("Choose a picture first.")


def test_the_dial_blends_and_finishing_finishes_what_is_there(visit: Visit):
    page = visit.open()
    visit.tab("Cleanup")
    expect(after(page)).to_have_js_property("naturalWidth", 64)
    shots = [after(page).get_attribute("src")]
    for control in ("Denoise", "Flat colours", "Rounded corners"):
        if control == "Flat colours":
            page.get_by_text("Finishing").click()
        dial = page.get_by_label(f"number input for {control}").first
        for value in ("30", "28", "26") if control == "Rounded corners" else ("0.3", "0.35", "0.4"):
            dial.fill(value)  # one that has just been unfolded may not listen yet
            with suppress(AssertionError):
                expect(after(page)).not_to_have_attribute("src", shots[-1], timeout=20_000)
                break
        shots.append(after(page).get_attribute("src"))
    assert len(set(shots)) == 4
    page.locator("#cleanup-scale").get_by_label("exact").click()
    expect(after(page)).to_have_js_property("naturalWidth", 631)
    expect(page.locator("#cleanup-sizes")).to_contain_text("16 × 16 → 631 × 631 cleaned by a neural network")


def test_an_upload_that_cannot_be_read_costs_nothing_that_was_there(visit: Visit, tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (tmp_path / "broken.png").write_bytes(encode_png(noise)[:6000])
    page = visit.open()
    visit.tab("Cleanup")
    expect(after(page)).to_have_js_property("naturalWidth", 64)
    shown, result = page.locator("#cleanup-in img"), after(page).get_attribute("src")
    file = page.locator("#cleanup-in img").get_attribute("src")
    page.locator("#cleanup-method").get_by_label("Lanczos").click()
    expect(after(page)).not_to_have_attribute("src", result)
    result = after(page).get_attribute("src")
    clear(page)
    expect(after(page)).to_have_count(0)
    upload(page, tmp_path / "broken.png")
    expect(page.locator(".toast-body")).to_contain_text("broken.png is truncated")
    expect(shown).to_have_attribute("src", file)
    expect(after(page)).to_have_attribute("src", result)
    expect(page.locator("#cleanup-method").get_by_label("Lanczos")).to_be_checked()


def test_both_halves_begin_and_end_in_the_same_row(visit: Visit, tmp_path: Path):
    save_png(tmp_path / "red.png", np.full((40, 40, 3), (255, 0, 0), np.uint8))
    visit.page.set_viewport_size({"width": 1440, "height": 900})
    page = visit.open()
    visit.tab("Cleanup")
    expect(after(page)).to_have_js_property("naturalWidth", 64)
    upload(page, tmp_path / "red.png")
    expect(after(page)).to_have_js_property("naturalWidth", 160)
    shot = load_image(page.locator("#cleanup-out .slider-wrap").screenshot())
    middle = shot.shape[1] // 2
    before, now = (np.flatnonzero(shot[:, x, 1] < 128)[[0, -1]].tolist() for x in (middle - 80, middle + 80))
    assert before == now


def test_of_many_sizes_chosen_in_a_hurry_the_last_one_is_shown(visit: Visit):
    page = visit.open()
    visit.tab("Cleanup")
    expect(after(page)).to_have_js_property("naturalWidth", 64)
    for name in ("exact", "× 4", "exact", "× 2"):
        page.locator("#cleanup-scale").get_by_label(name).click()
    expect(after(page)).to_have_js_property("naturalWidth", 32)
    expect(page.locator("#cleanup-out [data-testid=status-tracker]")).to_have_class(re.compile("hide"))
    expect(after(page)).to_have_js_property("naturalWidth", 32)
    expect(page.locator("#cleanup-sizes")).to_contain_text("16 × 16 → 32 × 32")


def test_the_page_scrolls_over_the_slider_and_zooms_with_ctrl(visit: Visit):
    visit.page.set_viewport_size({"width": 390, "height": 700})
    page = visit.open()
    visit.tab("Cleanup")
    expect(after(page)).to_have_js_property("naturalWidth", 64)
    after(page).scroll_into_view_if_needed()
    before = page.evaluate("window.scrollY")
    box = page.locator("#cleanup-out").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.wheel(0, -120)
    page.wait_for_function(f"window.scrollY < {before}")
    expect(after(page)).to_have_css("transform", "matrix(1, 0, 0, 1, 0, 0)")
    box = page.locator("#cleanup-out").bounding_box()  # which went down
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    expect(after(page)).not_to_have_css("transform", "matrix(1, 0, 0, 1, 0, 0)")


def test_every_tab_sends_its_picture_to_be_cleaned_up(visit: Visit):
    page = visit.open()
    page.locator("#sample-gallery .thumbnail-item").nth(3).click()
    expect(page.locator("#sample-cleanup")).to_have_text("Clean up seed 3")
    page.locator("#sample-cleanup").click()
    expect(page.locator("#cleanup-in img")).to_have_attribute("src", re.compile("critters-seed3"))
    expect(page.locator("#cleanup-sizes")).to_contain_text("16 × 16 → 64 × 64")
    visit.tab("Style mixing")
    assert colours(page.locator("#mix-grid img")) > 1
    expect(page.locator("#mix-cleanup")).to_have_text("Clean up the grid")
    box = page.locator("#mix-grid img").bounding_box()
    page.locator("#mix-grid img").click(position={"x": box["width"] * 2.5 / 6, "y": box["height"] * 3.5 / 4})
    expect(page.locator("#mix-cleanup")).to_have_text("Clean up 2 × 13")
    page.locator("#mix-cleanup").click()
    expect(page.locator("#cleanup-in img")).to_have_attribute("src", re.compile("critters-mix-2-13"))
    visit.tab("Interpolation")
    expect(page.locator("#player output")).to_contain_text("/ 96")
    page.locator("#player .scrub").fill("17")
    page.locator("#walk-cleanup").click()
    expect(page.locator("#cleanup-in img")).to_have_attribute("src", re.compile("walk-frame18"))
    expect(page.locator("#cleanup-sizes")).to_contain_text("16 × 16 → 64 × 64")


def test_a_bad_value_is_a_sentence_and_never_a_traceback(visit: Visit, server: Server):
    printed = len(server.log.read_text())
    page = visit.open()
    field(page, "Seed", exact=True).fill("7.5")
    page.locator("#sample-go").click()
    expect(page.locator(".toast-body")).to_contain_text("seed must be a whole number from 0 to")
    field(page, "Seed", exact=True).fill("7")
    page.locator("#sample-go").click()
    page.wait_for_url(re.compile("seed=7&"))
    visit.tab("Style mixing")
    page.get_by_label("Source seeds").fill("<img src=x onerror=alert(1)>")
    page.locator("#mix-go").click()
    toast = page.locator(".toast-body").filter(has_text="source_seeds must be")
    expect(toast).to_contain_text("<img")
    assert toast.locator("img[src=x]").count() == 0
    assert "Traceback" not in server.log.read_text()[printed:]


def test_a_number_that_is_being_typed_is_waited_for_and_box_and_address_agree(visit: Visit):
    page = visit.open()
    box = field(page, "number input for Truncation ψ")
    box.fill("")
    page.wait_for_timeout(1000)
    box.press_sequentially("-")
    page.wait_for_timeout(1000)
    expect(page.locator(".toast-body")).to_have_count(0)
    box.fill("-0.5")
    page.wait_for_url(re.compile("psi=-0.5"))
    count = field(page, "number input for Count")
    count.fill("1000")
    count.press("Tab")
    page.wait_for_url(re.compile("count=64"))
    expect(count).to_have_value("64")
    expect(page.locator("#sample-gallery .caption-label")).to_have_count(64)
    expect(page.locator(".toast-body")).to_have_count(0)


def test_a_single_picture_is_large(visit: Visit):
    page = visit.open("?count=1&size=256")
    expect(page.locator("#sample-gallery .caption-label")).to_have_count(1)
    assert page.locator("#sample-gallery .thumbnail-item img").bounding_box()["width"] > 500


def test_the_page_fits_a_phone(visit: Visit):
    visit.page.set_viewport_size({"width": 390, "height": 844})
    page = visit.open()
    for name in ("Explore", "Sample", "Style mixing", "Interpolation", "Cleanup"):
        visit.tab(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_the_api_page_shows_the_calls(visit: Visit):
    page = visit.open()
    page.get_by_role("button", name="Use via API").click()
    for name in ("/explore", "/sample", "/mix", "/interpolate", "/cleanup"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    expect(page.get_by_text("Draw images of consecutive seeds.").first).to_be_visible()
