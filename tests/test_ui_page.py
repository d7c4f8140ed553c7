"""How the page is served: its limits, its look, and what Gradio would do if it were not told otherwise."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from conftest import ROOT, Server
from tiny_bundle import CRITTERS, FACES

from ganapp.ui.controls import pixel_class
from ganapp.ui.files import MAX_UPLOAD_MB
from ganapp.ui.page import SESSIONS
from ganapp.ui.scripts import STYLE


@pytest.fixture(scope="module")
def config(server: Server) -> dict:
    """What the server tells a browser of the page."""
    return httpx.get(f"{server.url}config").raise_for_status().json()


@pytest.fixture(scope="module")
def limits(weights_dir: Path) -> dict:
    """What the page keeps to, told by a process of its own: Gradio leaves sockets open in the one it is in."""
    script = f"""
import json, socket
from pathlib import Path
import httpx
from ganapp.serve.library import Library
from ganapp.ui import page
page.SESSIONS = 20
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
library = Library(Path({str(weights_dir)!r}))
demo = page.build_page(library)
demo.launch(server_port=port, quiet=True, prevent_thread_lock=True, **page.launch_options(library))
with httpx.Client(base_url=f"http://127.0.0.1:{{port}}/gradio_api/call/sample", trust_env=False, timeout=60) as client:
    for _ in range(60):
        asked = client.post("", json={{"data": ["nobody", 1, 1, None, 1, 0, "own"]}}).json()
        assert "there is no model" in client.get("/" + asked["event_id"]).text
queue = demo._queue
lanes = {{fn.api_name: [fn.concurrency_id, fn.concurrency_limit] for fn in demo.fns.values()}}
print(json.dumps([queue.max_size, queue.default_concurrency_limit, len(demo.app.state_holder.session_data), lanes]))
demo.close()
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("[")))
    return dict(zip(("waiting", "at a time", "kept sessions", "lanes"), told, strict=True))


def test_more_requests_than_can_be_answered_in_a_while_are_turned_away(limits: dict):
    assert 4 <= limits["waiting"] <= 100


def test_a_few_requests_are_answered_at_a_time(limits: dict):
    assert 1 < limits["at a time"] <= 8


def test_of_many_visitors_only_the_last_are_remembered(limits: dict):
    assert limits["kept sessions"] == 20
    assert 100 <= SESSIONS <= 500  # Gradio's own limit is 10,000, at 0.3 MB each


def test_no_drawing_of_the_api_waits_for_a_clean_up(limits: dict):
    lanes = limits["lanes"]
    drawing = {lanes[name][0] for name in ("sample", "mix", "interpolate")}
    assert len(drawing) == 1 and lanes["cleanup"][0] not in drawing
    assert all(1 < lanes[name][1] <= 4 for name in ("sample", "mix", "interpolate", "cleanup"))


def test_no_wish_of_a_visitor_is_left_out_because_an_older_one_is_pending(config: dict):
    """Gradio's default is "once": a changed control would stand beside a picture that is not its own."""
    drawing = re.compile(r"on_(sample|mix|walk|cleanup|change)(_\d+)?")
    wishes = [
        event
        for event in config["dependencies"]
        if drawing.fullmatch(event["api_name"]) or {"input", "upload"} & {name for _, name in event["targets"]}
    ]
    assert len(wishes) > 40
    for event in wishes:
        assert event["trigger_mode"] in ("always_last", "multiple"), event["api_name"]


def test_the_page_reports_nothing_and_keeps_nothing_of_its_visitors(config: dict):
    assert not config["analytics_enabled"] and not config["run_history"]
    assert set(config["footer_links"]) == {"api", "settings"}  # and no link to another host


def test_the_page_is_no_app_to_install(config: dict):
    assert not config["pwa"]


def test_nobody_can_watch_who_asks_for_what(server: Server):
    assert httpx.get(f"{server.url}gradio_api/monitoring/summary").status_code in (403, 404)
    assert httpx.get(f"{server.url}monitoring").status_code in (403, 404)


def test_the_page_is_named_and_says_what_went_wrong(config: dict):
    assert config["title"] == "ganapp"
    assert config["show_error"] and config["fill_width"]


def test_the_page_has_its_own_colours_and_style(config: dict, server: Server):
    assert config["body_css"]["body_background_fill"] == "#faf8f4"
    assert "#cf401a" in httpx.get(f"{server.url}theme.css").text
    assert ".side-16" in httpx.get(server.url).text + (config["css"] or "")


def test_a_file_beyond_the_limit_is_refused(server: Server, config: dict):
    assert config["max_file_size"] == MAX_UPLOAD_MB * 2**20
    for megabytes, refused in ((MAX_UPLOAD_MB + 1, True), (0.1, False)):
        files = {"files": ("a.png", bytes(int(megabytes * 2**20)))}
        assert (httpx.post(f"{server.url}gradio_api/upload", files=files).status_code == 413) == refused


@pytest.mark.parametrize("side", [16, 24, 32, 48, 64, 128, 256, 512])
def test_pixel_art_of_every_size_has_a_rule_that_enlarges_it_by_whole_factors(side: int):
    """The rule holds the side of a picture in pixels, which the page rounds its width down to multiples of."""
    style = re.sub(r"/\*.*?\*/", "", STYLE.read_text("utf-8"), flags=re.S)
    [name] = [each for each in pixel_class(replace(FACES, resolution=side)) if each != "pixel-art"]
    assert re.findall(rf"\.{name}\s*{{([^}}]*)}}", style) == [f" --side: {side}px; "]
    assert re.search(r"\.pixel-art [^{]*{[^}]*round\(down, 100%, var\(--side", style)


def test_what_is_no_pixel_art_has_no_such_rule():
    assert pixel_class(CRITTERS) == []
