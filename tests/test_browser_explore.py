"""The Explore tab in a headless Chromium: what is drawn there is what Python draws."""

import base64
import io
import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from conftest import Server
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from test_browser import CHROMIUM, PATIENCE, Visit, browser, field, visited  # noqa: F401

from ganapp.draw.explore import Explore, image, painted, picture
from ganapp.draw.mix import Mix, grid
from ganapp.draw.records import RECORD_KEY
from ganapp.draw.sample import Sample, pictures
from ganapp.pictures.load import load_image
from ganapp.pictures.planes import draw_planes
from ganapp.pictures.png import encode_png
from ganapp.serve.library import Library

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")]

DRAW_JS = """
async ([record, size, fine, software]) => {
    const { painter } = await import(new URL("web/painter.js", location.href));
    const { server } = await import(new URL("web/engine.js", location.href));
    const holder = document.createElement("div");
    const brush = painter(holder, { software });
    const frame = await server.draw(record);
    brush.draw(frame, size, fine);
    return [brush.canvas().toDataURL("image/png"), !!brush.canvas().getContext("webgl2")];
}
"""
DRAG_JS = """
async ([from, to, steps]) => {
    const pad = document.querySelector(".pad");
    const box = pad.getBoundingClientRect();
    const send = (type, [x, y]) => pad.dispatchEvent(new PointerEvent(type, {
        clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerId: 1, bubbles: true,
    }));
    pad.setPointerCapture = () => {};
    send("pointerdown", from);
    for (let i = 1; i <= steps; i++) {
        send("pointermove", [0, 1].map((axis) => from[axis] + ((to[axis] - from[axis]) * i) / steps));
        await new Promise(requestAnimationFrame);
    }
    send("pointerup", to);
}
"""


@pytest.fixture
def playing(browser: Browser, painting_server: Server) -> Iterator[Visit]:  # noqa: F811
    with visited(browser, painting_server) as visit:
        yield visit


@contextmanager
def still(page: Page) -> Iterator[None]:
    """Waits until a new still picture is drawn after what is done inside."""
    view = page.locator("#explore .view")
    before = int(view.get_attribute("data-drawn") or 0)
    yield
    page.wait_for_function(
        "before => { const v = document.querySelector('#explore .view'); "
        "return v.dataset.drawn > before && v.dataset.fine === 'true'; }",
        arg=before,
    )


def opened(visit: Visit, query: str = "") -> Page:
    visit.page.goto(visit.url + query)
    expect(visit.page.locator("#explore .view[data-fine=true]")).to_be_visible()
    visit.page.wait_for_url(re.compile("tab=explore"))
    return visit.page


def record_of(page: Page, library: Library) -> Explore:
    record, problems = Explore.from_query(library, dict(parse_qsl(urlsplit(page.url).query)))
    assert not problems
    return record


def canvas(page: Page) -> np.ndarray:
    url = page.locator("#explore .view canvas:not([hidden])").evaluate("c => c.toDataURL('image/png')")
    return load_image(base64.b64decode(url.split(",")[1]))


def off(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """How far two pictures are apart in the mean, in grey levels, over black."""
    one, other = (x[..., :3] * (x[..., 3:] / 255.0) for x in (drawn, wanted))
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("software", [False, True])
@pytest.mark.parametrize("size", [16, 40, 128, 300])
def test_a_browser_draws_planes_as_python_does(playing: Visit, painting: Library, software: bool, size: int):
    page = opened(playing)
    record = {"seeds": [5, 6, 7, 8], "x": 0.3, "y": 0.6}
    url, webgl = page.evaluate(DRAW_JS, [record, size, True, software])
    assert webgl is not software
    wanted = draw_planes(*painted(painting, Explore.checked(painting, **record)), size)
    assert off(load_image(base64.b64decode(url.split(",")[1])), wanted) < 0.5


def test_the_last_picture_of_a_fast_drag_is_that_of_where_the_finger_stopped(playing: Visit, painting: Library):
    page = opened(playing)
    with still(page):
        page.evaluate(DRAG_JS, [[0.1, 0.1], [0.7, 0.4], 40])
    page.wait_for_url(re.compile(r"x=0\.7&y=0\.4"))
    drawn = canvas(page)
    wanted = draw_planes(*painted(painting, record_of(page, painting)), drawn.shape[0])
    assert off(drawn, wanted) < 0.5
    other = draw_planes(*painted(painting, Explore.checked(painting, x=0.66, y=0.38)), drawn.shape[0])
    assert off(drawn, wanted) < off(drawn, other)


def test_arrow_keys_move_the_point_and_the_address_restores_it(playing: Visit, painting: Library):
    page = opened(playing, "?tab=explore&seeds=9,8,7,6&x=0.5&y=0.5")
    page.locator(".pad").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    page.wait_for_url(re.compile(r"x=0\.44&y=0\.52"))
    expect(page.locator(".pad")).to_have_attribute("aria-valuetext", "44 % across, 52 % down")
    before, record = canvas(page), record_of(page, painting)
    assert record.seeds == (9, 8, 7, 6)
    page.reload()
    opened(playing, "?" + urlsplit(page.url).query)
    page.wait_for_function("document.querySelector('.explore .seeds').value === '9, 8, 7, 6'")
    page.wait_for_timeout(500)
    assert record_of(page, painting) == record
    assert np.array_equal(canvas(page), before)


def test_other_corners_are_a_step_that_back_undoes(playing: Visit, painting: Library):
    page = opened(playing)
    seeds = page.locator(".explore .seeds")
    expect(seeds).to_have_value("1, 2, 3, 4")
    with still(page):
        page.locator(".explore .others").click()
    expect(seeds).not_to_have_value("1, 2, 3, 4")
    page.wait_for_url(lambda url: "seeds=1%2C2%2C3%2C4" not in url)
    with still(page):
        page.go_back()
    expect(seeds).to_have_value("1, 2, 3, 4")
    seeds.fill("1, 2, x")
    seeds.press("Enter")
    expect(page.locator(".explore .said")).to_contain_text("Corners are four whole numbers")


def test_directions_move_the_picture_and_a_double_click_sets_one_back(playing: Visit, painting: Library):
    page = opened(playing)
    dial = page.get_by_label("hat: on – off")
    before = canvas(page)
    with still(page):
        dial.fill("1.5")
    page.wait_for_url(re.compile("moves="))
    assert record_of(page, painting).moves == {"hat: on – off": 1.5}
    assert off(canvas(page), before) > 1
    with still(page):
        dial.dblclick()
    page.wait_for_url(lambda url: "moves=" not in url)
    assert off(canvas(page), before) < 0.5


def test_attributes_and_truncation_are_drawn_at_once(playing: Visit, painting: Library):
    page = opened(playing)
    with still(page):
        field(page, "Hat").click()
        page.get_by_role("option", name="off").click()
    page.wait_for_url(re.compile("labels=.*off"))
    with still(page):
        field(page, "number input for Truncation ψ").fill("0.3")
        page.keyboard.press("Enter")
    page.wait_for_url(re.compile("psi=0.3"))
    drawn = canvas(page)
    wanted = draw_planes(*painted(painting, record_of(page, painting)), drawn.shape[0])
    assert off(drawn, wanted) < 0.5


def test_the_file_is_the_picture_with_its_record(playing: Visit, painting: Library):
    page = opened(playing, "?tab=explore&x=0.8&y=0.3")
    page.locator(".explore .size").select_option("512")
    with page.expect_download() as download:
        page.locator(".explore .file").click()
    data = download.value.path().read_bytes()
    with Image.open(io.BytesIO(data)) as file:
        record = json.loads(file.text[RECORD_KEY])
    assert record.pop("kind") == "explore" and record["size"] == 512 and record["x"] == 0.8
    assert np.array_equal(load_image(data), image(painting, Explore.checked(painting, **record)))


def test_the_picture_goes_to_be_cleaned_up(playing: Visit):
    page = opened(playing)
    page.locator("#explore-cleanup").click()
    expect(page.locator("#cleanup-in img")).to_have_attribute("src", re.compile("painted-explore"))


@pytest.mark.parametrize("model", ["faces", "plain"])
def test_a_model_without_planes_is_shown_by_its_pixels(browser: Browser, server: Server, library: Library, model: str):  # noqa: F811
    with visited(browser, server) as visit:
        page = opened(visit, f"?tab=explore&model={model}&x=1&y=0")
        page.wait_for_url(re.compile(f"model={model}"))
        with still(page):
            page.evaluate(DRAG_JS, [[0.5, 0.5], [0, 0], 5])
        drawn = canvas(page)
        size = "own" if model == "faces" else 512
        wanted = image(library, Explore.checked(library, model=model, x=0, y=0, size=size))
        if wanted.shape[2] == 3:
            wanted = np.dstack([wanted, np.full(wanted.shape[:2], 255, np.uint8)])
        assert drawn.shape == wanted.shape and off(drawn, wanted) < 1


def test_another_model_takes_its_own_directions_and_attributes(browser: Browser, server: Server):  # noqa: F811
    with visited(browser, server) as visit:
        page = opened(visit)
        field(page, "Model").click()
        page.get_by_role("option", name="plain").click()
        page.wait_for_url(re.compile("model=plain"))
        expect(field(page, "Hat")).to_be_visible()
        visit.tab("Sample")
        expect(page.locator("#sample-gallery img").first).to_have_attribute("src", re.compile("plain-seed0"))


STAGED = re.compile("on-stage")


def test_on_the_stage_keys_play_the_picture(playing: Visit):
    page = opened(playing)
    root, seeds = page.locator(".explore"), page.locator(".explore .seeds")
    page.keyboard.press("f")
    expect(root).to_have_class(STAGED)
    expect(page.locator(".explore .desk")).not_to_be_visible()
    expect(page.locator(".explore .caption")).to_have_text("painted")
    with still(page):
        page.keyboard.press("ArrowRight")
    expect(seeds).to_have_value("2, 2, 3, 4")
    page.keyboard.press("Space")
    expect(seeds).not_to_have_value("2, 2, 3, 4")
    page.keyboard.press("p")
    expect(page.locator(".explore .caption")).to_contain_text("→")
    before = page.locator("#explore .view").get_attribute("data-at")
    expect(page.locator("#explore .view")).not_to_have_attribute("data-at", before)
    page.keyboard.press("Escape")
    expect(root).not_to_have_class(STAGED)
    expect(page.locator(".explore .play")).to_have_text("Play")


def test_a_letter_that_is_typed_is_no_key_of_the_stage(playing: Visit):
    page = opened(playing)
    page.locator(".explore .seeds").focus()
    page.keyboard.press("f")
    expect(page.locator(".explore")).not_to_have_class(STAGED)
    visit_other = page.get_by_role("tab", name="Sample")
    visit_other.click()
    expect(page.locator("#sample-gallery img").first).to_be_visible()
    page.locator("body").press("f")
    expect(page.locator(".explore")).not_to_have_class(STAGED)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_stage_that_nobody_touches_goes_on_by_itself_but_never_against_a_wish(playing: Visit, motion: str):
    playing.page.emulate_media(reduced_motion=motion)
    page = opened(playing)
    page.keyboard.press("f")
    page.evaluate("const real = performance.now.bind(performance); performance.now = () => real() + 61000")
    page.wait_for_timeout(2500)
    playing_now = "→" in page.locator(".explore .caption").inner_text()
    assert playing_now is (motion == "no-preference")


DROP_JS = """
async ([data, name, type, where]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name, { type }));
    const target = document.querySelector(where);
    for (const kind of ["dragover", "drop"])
        target.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
}
"""


def drop(page: Page, data: bytes, name: str, kind: str = "image/png") -> None:
    page.evaluate(DROP_JS, [base64.b64encode(data).decode(), name, kind, "body"])


@pytest.mark.parametrize("size", ["own", "svg"])
def test_a_picture_of_ours_that_is_dropped_opens_as_it_was_made(playing: Visit, painting: Library, size: str):
    values = {"seeds": [9, 8, 7, 6], "x": 0.625, "y": 0.25, "psi": 0.5, "labels": {"hat": "on"}, "size": size}
    record = Explore.checked(painting, moves={"shape 1": -1.5}, **values)
    made = picture(painting, record)
    page = opened(playing)
    with page.expect_navigation():
        drop(page, made.data, made.name, "image/svg+xml" if size == "svg" else "image/png")
    expect(page.locator(".explore .seeds")).to_have_value("9, 8, 7, 6")
    expect(page.locator("#explore .view")).to_have_attribute("data-at", "0.625 0.25")
    page.wait_for_timeout(500)
    assert replace(record_of(page, painting), size=record.size) == record
    expect(field(page, "Hat")).to_have_value("on")
    again = picture(painting, record_of(page, painting)).data if size == "own" else made.data
    assert again == made.data


def test_samples_and_grids_that_are_dropped_open_their_tabs(browser: Browser, server: Server, library: Library):  # noqa: F811
    with visited(browser, server) as visit:
        page = opened(visit)
        [sample] = pictures(library, Sample.checked(library, model="faces", seed=41, count=1))
        with page.expect_navigation():
            drop(page, sample.data, sample.name)
        expect(page.locator("#sample-gallery .caption-label")).to_have_text(["seed 41"])
        record = Mix.checked(library, source_seeds=[4, 5], destination_seeds=[6], layers="1,3")
        with page.expect_navigation():
            drop(page, grid(library, record).picture().data, "grid.png")
        expect(page.locator("#mix-grid img")).to_be_visible()
        page.wait_for_url(re.compile("tab=mix.*layers=1%2C3"))
        expect(field(page, "Source seeds")).to_have_value("4, 5")


def test_any_other_picture_that_is_dropped_is_cleaned_up(browser: Browser, server: Server):  # noqa: F811
    with visited(browser, server) as visit:
        page = opened(visit)
        drop(page, encode_png(np.full((20, 30, 3), (200, 30, 30), np.uint8)), "mine.png")
        expect(page.locator("#cleanup-in img")).to_have_attribute("src", re.compile("mine"))
        expect(page.locator("#cleanup-sizes")).to_contain_text("30 × 20")


def test_kept_pictures_survive_a_reload_and_are_shown_again(playing: Visit, painting: Library):
    page = opened(playing, "?tab=explore&seeds=9,8,7,6&x=0.8&y=0.2")
    expect(page.locator(".explore .seeds")).to_have_value("9, 8, 7, 6")
    page.locator(".explore .keep").click()
    kept = page.locator(".explore .kept")
    expect(kept).to_have_count(1)
    with still(page):
        page.locator(".explore .others").click()
    page.keyboard.press("k")
    expect(kept).to_have_count(2)
    page.goto(playing.url)
    expect(kept).to_have_count(2)
    expect(page.locator("#explore .view[data-fine=true]")).to_be_visible()
    with still(page):
        kept.last.get_by_role("button", name="show it").click()
    expect(page.locator(".explore .seeds")).to_have_value("9, 8, 7, 6")
    page.wait_for_url(re.compile("x=0.8&y=0.2"))
    kept.first.hover()
    kept.first.get_by_role("button", name="put it away").click()
    expect(kept).to_have_count(1)
    page.locator(".explore .undo").click()
    expect(kept).to_have_count(2)
    page.evaluate("localStorage.setItem('ganapp.tray', '{\"no\": 1')")
    page.goto(playing.url)
    expect(page.locator("#explore .view[data-fine=true]")).to_be_visible()
    expect(kept).to_have_count(0)


def test_the_address_is_that_of_the_tab_that_is_open(browser: Browser, server: Server):  # noqa: F811
    with visited(browser, server) as visit:
        page = opened(visit, "?tab=explore&x=0.25")
        for name, tab in (("Sample", "sample"), ("Style mixing", "mix"), ("Interpolation", "interpolate")):
            visit.tab(name)
            page.wait_for_url(re.compile(f"tab={tab}&model=critters"))
        visit.tab("Cleanup")
        page.wait_for_url(lambda url: urlsplit(url).query == "tab=cleanup")
        visit.tab("Sample")
        page.wait_for_url(re.compile("tab=sample&model=critters&seed=0"))
        visit.tab("Explore")
        page.wait_for_url(re.compile(r"tab=explore&model=critters.*x=0\.25"))
        page.goto(f"{visit.url}?tab=cleanup")
        expect(page.locator("#cleanup-in img")).to_be_visible()


@pytest.mark.parametrize("model", ["faces", "plain"])
def test_a_link_to_another_model_has_its_corners_and_its_point(browser: Browser, server: Server, model: str):  # noqa: F811
    with visited(browser, server) as visit:
        query = f"tab=explore&model={model}&seeds=5%2C6%2C7%2C8&x=0.3&y=0.8"
        page = opened(visit, f"?{query}")
        expect(page.locator(".explore .seeds")).to_have_value("5, 6, 7, 8")
        page.wait_for_timeout(1500)
        assert query in page.url
        assert page.evaluate("window.history.length") <= 2


def test_back_from_another_tab_opens_the_tab_before(browser: Browser, server: Server):  # noqa: F811
    with visited(browser, server) as visit:
        page = opened(visit, "?tab=explore&seeds=5,6,7,8")
        expect(page.locator(".explore .seeds")).to_have_value("5, 6, 7, 8")
        visit.tab("Sample")
        page.wait_for_url(re.compile("tab=sample"))
        page.go_back()
        expect(page.locator("#explore .view")).to_be_visible()
        expect(page.locator(".explore .seeds")).to_have_value("5, 6, 7, 8")


def test_what_plays_rests_while_another_tab_is_open(browser: Browser, server: Server):  # noqa: F811
    with visited(browser, server) as visit:
        page = opened(visit)
        page.locator(".explore .play").click()
        expect(page.locator(".explore .play")).to_have_text("Pause")
        visit.tab("Sample")
        expect(page.locator("#sample-gallery img").first).to_be_visible()
        expect(page.locator(".explore .play")).to_have_text("Play")


def test_a_truncation_beyond_its_ends_is_brought_to_them(playing: Visit, painting: Library):
    page = opened(playing)
    field(page, "number input for Truncation ψ").fill("99")
    page.keyboard.press("Tab")
    page.wait_for_url(re.compile("psi=2&"))
    expect(page.locator(".explore .said")).not_to_be_visible()
    assert record_of(page, painting).psi == 2


def test_a_map_that_was_cut_short_is_finished(playing: Visit):
    calls = itertools.count()
    playing.page.route(
        "**/live/explore", lambda route: route.fulfill(status=503) if next(calls) == 7 else route.continue_()
    )
    page = opened(playing)
    expect(page.locator(".explore .map.old")).to_have_count(0)
    assert next(calls) > 26


FRAME = """<!doctype html><iframe width=1200 height=900 src="{url}?tab=explore&amp;x=0.25"></iframe><script>
onmessage = ({{ data }}) => data?.queryString && history.replaceState(null, "", "?" + data.queryString);
</script>"""


@pytest.fixture
def framing(painting_server: Server, tmp_path: Path) -> Iterator[str]:
    """The address of a page of another origin that frames the app."""
    (tmp_path / "index.html").write_text(FRAME.format(url=painting_server.url))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_page_of_another_origin_that_frames_ours_gets_the_address_to_show(browser: Browser, framing: str):  # noqa: F811
    """As the page of a Space does; the query of its own address then opens the same."""
    page = browser.new_page(viewport={"width": 1300, "height": 950})
    page.set_default_timeout(PATIENCE)
    page.goto(framing)
    page.wait_for_function("location.search.includes('x=0.25')")
    frame = page.frame_locator("iframe")
    seeds = frame.locator(".explore .seeds")
    expect(seeds).to_have_value("1, 2, 3, 4")
    frame.locator(".explore .others").click()
    page.wait_for_function("!location.search.includes('seeds=1%2C2%2C3%2C4')")
    assert dict(parse_qsl(urlsplit(page.url).query))["seeds"] == seeds.input_value().replace(", ", ",")
    page.close()
