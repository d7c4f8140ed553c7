"""`python -m ganapp bench --ui`: how lively the page is in a headless Chromium, beside a slider and `gr.Image`."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from export.bench import ROOT, answers, row, serving

SECONDS = 5  # of a drag
STEPS = 30  # single steps whose time is taken
PLAIN = """
import sys
from pathlib import Path
import gradio as gr
from ganapp.draw.explore import Explore, image
from ganapp.serve.library import Library
library = Library(Path(sys.argv[1]))
with gr.Blocks() as demo:
    x = gr.Slider(0, 1, 0.15, step=0.001, elem_id="x")
    shown = gr.Image(elem_id="shown", interactive=False)
    draw = lambda x: image(library, Explore.checked(library, x=x, size=512))
    x.input(draw, x, shown, show_progress="hidden", trigger_mode="always_last")
    demo.load(draw, x, shown, show_progress="hidden")
demo.launch(server_port=int(sys.argv[2]), quiet=True)
"""
# What shows a picture, what moves its point to x, and what counts the pictures that have been shown.
EXPLORE = {
    "first": "#explore .view[data-fine=true]",
    "move": """x => {
        const pad = document.querySelector(".pad"), box = pad.getBoundingClientRect();
        pad.setPointerCapture = () => {};
        const [clientX, clientY] = [box.left + x * box.width, box.top + box.height / 2];
        const at = { clientX, clientY, pointerId: 1, bubbles: true };
        if (!window.held) { pad.dispatchEvent(new PointerEvent("pointerdown", at)); window.held = true; }
        pad.dispatchEvent(new PointerEvent("pointermove", at));
    }""",
    "watch": """() => {
        const view = document.querySelector("#explore .view");
        const seen = () => { window.pictures++; window.shownAt = performance.now(); };
        new MutationObserver(seen).observe(view, { attributes: true, attributeFilter: ["data-drawn"] });
    }""",
}
SLIDER = {
    "first": "#shown img",
    "move": """x => {
        const slider = document.querySelector("#x input[type=range]");
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(slider, x);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
    }""",
    "watch": """() => {
        const seen = () => { window.pictures++; window.shownAt = performance.now(); };
        document.querySelector("#shown").addEventListener("load", seen, true);
    }""",
}
DRAG_JS = """async ([move, seconds]) => {
    const go = eval(move), began = performance.now(), before = window.pictures;
    await new Promise((done) => {
        const step = () => {
            const t = (performance.now() - began) / 1000;
            if (t > seconds) return done();
            go(0.5 + 0.45 * Math.sin(2 * t));
            requestAnimationFrame(step);
        };
        step();
    });
    return (window.pictures - before) / seconds;
}"""
STEP_JS = """async ([move, steps]) => {
    const go = eval(move), times = [];
    for (let i = 0; i < steps; i++) {
        const before = window.pictures, began = performance.now();
        go(0.1 + (0.8 * ((i * 7) % steps)) / steps);
        while (window.pictures === before && performance.now() - began < 5000) await new Promise(requestAnimationFrame);
        times.push(window.shownAt - began);
        await new Promise((done) => setTimeout(done, 300));
    }
    return times;
}"""


@dataclass(frozen=True)
class Measured:
    """Pictures a second under a drag, milliseconds from a step to its picture, and CPU seconds to the first picture."""

    pictures: float
    steps: list[float]
    server: float
    browser: float


def run(weights: Path, rounds: int) -> None:
    """Measure both in turn, and print a table of ratios. Raises ValueError where there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        raise ValueError("bench --ui needs a Chromium: on Debian, apt-get install chromium")
    ours, theirs = [], []
    with sync_playwright() as playwright:
        for _ in range(rounds):
            with serving(weights) as (process, url, _):
                ours.append(measured(playwright.chromium, chromium, url, process, EXPLORE))
            with plain(weights) as (process, url):
                theirs.append(measured(playwright.chromium, chromium, url, process, SLIDER))
    print("| Explore | against a slider and `gr.Image` of 512 pixels | ratio, median (range) |\n| --- | --- | --- |")
    what = f"pictures a second under a drag of {SECONDS} s ({median(m.pictures for m in ours):.0f})"
    print(row(what, f"the same ({median(m.pictures for m in theirs):.0f})", *values(ours, theirs, "pictures")))
    for name, share in (("p50", 10), ("p95", 19)):
        pair = [[quantiles(m.steps, n=20)[share - 1] for m in each] for each in (ours, theirs)]
        what = f"milliseconds from a step to its picture, {name} ({median(pair[0]):.0f})"
        print(row(what, f"the same ({median(pair[1]):.0f})", *pair))
    for part in ("server", "browser"):
        ours_s, theirs_s = values(ours, theirs, part)
        what = f"CPU seconds of the {part} until the first picture ({median(ours_s):.1f})"
        print(row(what, f"the same ({median(theirs_s):.1f})", ours_s, theirs_s))


def values(ours: list[Measured], theirs: list[Measured], name: str) -> tuple[list[float], list[float]]:
    return [getattr(m, name) for m in ours], [getattr(m, name) for m in theirs]


def measured(chromium, path: str, url: str, server: subprocess.Popen, how: dict[str, str]) -> Measured:
    """A fresh browser at a page that has just been started."""
    browser: Browser = chromium.launch(executable_path=path, args=["--no-sandbox"])
    try:
        page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
        began = cpu_seconds(server.pid), cpu_of_browser()
        page.goto(url)
        page.wait_for_selector(how["first"], timeout=120_000)
        page.wait_for_function(f"document.querySelector({how['first']!r})?.naturalWidth !== 0")
        spent = cpu_seconds(server.pid) - began[0], cpu_of_browser() - began[1]
        page.wait_for_timeout(3000)
        page.evaluate(f"() => {{ window.pictures = 0; ({how['watch']})(); }}")
        steps = page.evaluate(STEP_JS, [how["move"], STEPS])
        pictures = page.evaluate(DRAG_JS, [how["move"], SECONDS])
        return Measured(pictures, steps, *spent)
    finally:
        browser.close()


def cpu_seconds(pid: int) -> float:
    """Of a process and its children, since they began."""
    process = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in [process, *process.children(recursive=True)])


def cpu_of_browser() -> float:
    """Of the Chromium that this process has started."""
    started = psutil.Process().children(recursive=True)
    return sum(sum(each.cpu_times()[:2]) for each in started if "chrom" in each.name())


@contextmanager
def plain(weights: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """The page to compare with, as a process, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-c", PLAIN, str(weights.resolve()), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 120
            while not answers(url):
                if process.poll() is not None or time.monotonic() > until:
                    raise ValueError("the page to compare with did not come up")
                time.sleep(0.05)
            yield process, url
        finally:
            process.terminate()
