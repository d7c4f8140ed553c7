"""What a link to the page looks like where it is shared."""

import html
import re
from urllib.parse import parse_qsl, urlsplit

import httpx
import numpy as np
import pytest
from conftest import Server
from starlette.requests import Request

from ganapp.pictures.load import load_image
from ganapp.serve.library import Library
from ganapp.ui.preview import HEIGHT, PAPER, WIDTH, Preview, address_of, picture


def tags(page: str) -> dict[str, str]:
    found = re.findall(r'<meta (?:property|name)="([\w:]+)" content="(.*?)">', page)
    return {name: html.unescape(text) for name, text in found}


def asked(headers: dict[str, str], root: str = "", query: str = "") -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "scheme": "http", "path": "/", "query_string": query.encode()}
    return Request({**scope, "headers": raw, "root_path": root, "server": ("127.0.0.1", 80)})


@pytest.mark.parametrize("model", ["critters", "faces", "plain"])
@pytest.mark.parametrize("tab", ["explore", "sample", "mix"])
def test_every_tab_of_every_model_has_a_picture(library: Library, model: str, tab: str):
    shown = load_image(picture(library, {"tab": tab, "model": model}))
    assert shown.shape[:2] == (HEIGHT, WIDTH)
    assert len(np.unique(shown[..., :3].reshape(-1, 3), axis=0)) > 20
    assert tuple(shown[0, 0, :3]) == PAPER


def test_the_picture_is_that_of_the_link(painting: Library):
    def at(x: str) -> np.ndarray:
        return load_image(picture(painting, {"tab": "explore", "x": x})).astype(int)

    assert np.array_equal(at("0.5"), at("0.5")) and np.abs(at("0.1") - at("0.9")).max() > 20


@pytest.mark.parametrize(
    "query", [{"model": "<b>"}, {"x": "9"}, {"seeds": "1" * 9000}, {"tab": "nonsense", "seed": "-"}]
)
def test_what_is_wrong_in_a_link_gives_way_to_defaults(library: Library, query: dict):
    assert load_image(picture(library, query)).shape[:2] == (HEIGHT, WIDTH)


def test_the_tags_name_whole_addresses_and_escape_what_is_in_them(library: Library):
    request = asked({"host": "example.org"}, query="model=faces&seeds=%22%3E%3Cscript%3E&__theme=dark")
    text = Preview(None, library).tags(request)
    assert "<script" not in text
    found = tags(text)
    assert found["og:title"] == "ganapp: faces"
    image = urlsplit(found["og:image"])
    assert (image.scheme, image.netloc, image.path) == ("http", "example.org", "/preview.png")
    assert dict(parse_qsl(image.query)) == {"model": "faces", "seeds": '"><script>'}


@pytest.mark.parametrize(
    ("headers", "root", "address"),
    [
        ({"host": "a:7860"}, "", "http://a:7860"),
        (
            {"host": "a", "x-forwarded-proto": "https", "x-forwarded-host": "apes.example, b"},
            "",
            "https://apes.example",
        ),
        ({"host": "a"}, "/apes", "http://a/apes"),
        ({"host": "a"}, "https://b.example/apes", "https://b.example/apes"),
    ],
)
def test_the_address_is_that_of_the_visitor(headers: dict, root: str, address: str):
    assert address_of(asked(headers, root)) == address


def test_the_page_has_the_tags_once_and_none_of_others(server: Server):
    page = httpx.get(server.url, params={"tab": "explore", "x": "0.25"}, trust_env=False).text
    assert page.count("og:title") == 1 and "header-image" not in page and "teamGradio" not in page
    found = tags(page)
    assert found["og:title"] == "ganapp: critters" and found["og:url"] == f"{server.url}?tab=explore&x=0.25"
    shown = httpx.get(found["og:image"], trust_env=False)
    assert shown.headers["content-type"] == "image/png" and load_image(shown.content).shape[:2] == (HEIGHT, WIDTH)
    icon = httpx.get(f"{server.url}favicon.ico", trust_env=False)
    assert icon.headers["content-type"].startswith("image/svg") and b"<svg" in icon.content
