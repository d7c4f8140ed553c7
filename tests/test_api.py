import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import av
import httpx
import numpy as np
import pytest
from conftest import Server
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from ganapp.draw.mix import Mix, grid
from ganapp.draw.records import RECORD_KEY
from ganapp.draw.sample import Sample, images
from ganapp.pictures.load import load_image
from ganapp.pictures.png import save_png
from ganapp.serve.library import Library


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = Client(
        server.url, download_files=str(tmp_path_factory.mktemp("downloads")), verbose=False, analytics_enabled=False
    )
    yield client
    client.close()


def record_of(path: Path | str) -> dict:
    with Image.open(path) as picture:
        return json.loads(picture.text[RECORD_KEY])


def test_there_are_five_calls_and_each_is_explained(client: Client):
    calls = client.view_api(return_format="dict")["named_endpoints"]
    assert list(calls) == ["/sample", "/explore", "/mix", "/interpolate", "/cleanup"]
    for name, call in calls.items():
        assert len(call["description"]) > 40, name
        for parameter in call["parameters"]:
            assert parameter["parameter_has_default"] or parameter["parameter_name"] == "image", (name, parameter)
            assert len(parameter["python_type"]["description"]) > 10, (name, parameter)
    names = [parameter["parameter_name"] for parameter in calls["/sample"]["parameters"]]
    assert names == ["model", "seed", "count", "psi", "noise_seed", "labels", "size"]


def test_sample_needs_no_more_than_a_seed_and_a_count(client: Client, library: Library):
    answer = client.predict(seed=7, count=4, api_name="/sample")
    assert [item["caption"] for item in answer] == ["seed 7", "seed 8", "seed 9", "seed 10"]
    for item, image in zip(answer, images(library, Sample("critters", 7, 4)), strict=True):
        assert np.array_equal(load_image(Path(item["image"])), image)


@pytest.mark.parametrize("size", [40, "40"])
def test_images_grids_and_walks_come_at_the_size_that_was_asked_for(client: Client, size: int | str):
    [item] = client.predict(seed=7, count=1, size=size, api_name="/sample")
    assert load_image(Path(item["image"])).shape == (40, 40, 4)
    assert record_of(item["image"])["size"] == 40
    grid = client.predict(source_seeds=[1], destination_seeds=[2], size=size, api_name="/mix")
    assert load_image(Path(grid)).shape == (84, 84, 4)
    walk = client.predict(seeds=[1, 2], frames=2, format="webp", size=size, api_name="/interpolate")
    with Image.open(walk) as film:
        assert film.size == (40, 40)


def test_the_record_of_an_image_is_the_call_that_draws_it_again(client: Client):
    labels = {"body_color": "red"}
    [item] = client.predict(model="critters", seed=5, count=1, psi=1.2, noise_seed=3, labels=labels, api_name="/sample")
    record = record_of(item["image"])
    assert record.pop("kind") == "sample"
    [again] = client.predict(**record, api_name="/sample")
    assert Path(again["image"]).read_bytes() == Path(item["image"]).read_bytes()


def test_explore_answers_a_picture_that_its_record_draws_again(client: Client):
    path = client.predict(seeds="5-8", x=0.75, size="40", api_name="/explore")
    record = record_of(path)
    assert record.pop("kind") == "explore" and record["seeds"] == [5, 6, 7, 8]
    again = client.predict(**{**record, "size": str(record["size"])}, api_name="/explore")
    assert Path(again).read_bytes() == Path(path).read_bytes()


@pytest.mark.parametrize("values", [{}, {"model": "faces", "source_seeds": "1-2", "layers": "0, 2", "psi": 1}])
def test_mix_answers_a_grid(client: Client, library: Library, values: dict):
    path = Path(client.predict(**values, api_name="/mix"))
    record = record_of(path)
    assert record.pop("kind") == "mix"
    assert np.array_equal(load_image(path), grid(library, Mix.checked(library, **record)).image)


@pytest.mark.parametrize(
    ("values", "frames"),
    [({}, 96), ({"seeds": "1-3", "frames": 2, "loop": False, "background": "#f4f1ea", "space": "z"}, 5)],
)
def test_interpolate_answers_a_video(client: Client, values: dict, frames: int):
    with av.open(client.predict(**values, api_name="/interpolate")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == frames


@pytest.mark.parametrize("format", ["webp", "png"])
def test_interpolate_answers_an_animated_image(client: Client, format: str):
    path = client.predict(model="faces", seeds=[1, 2], frames=3, format=format, api_name="/interpolate")
    with Image.open(path) as image:
        assert image.n_frames == 6 and image.info["loop"] == 0 and image.mode == "RGBA"


def test_cleanup_takes_a_file_and_answers_one(client: Client, tmp_path: Path):
    image = np.zeros((8, 6, 4), np.uint8)
    image[2:4] = (9, 99, 199, 255)
    save_png(tmp_path / "cat.png", image)
    path = Path(client.predict(image=handle_file(tmp_path / "cat.png"), scale=3, api_name="/cleanup"))
    assert np.array_equal(load_image(path), image.repeat(3, 0).repeat(3, 1))
    assert path.name == "cat-18x24.png"


def test_the_record_of_a_clean_picture_is_the_call_that_makes_it_again(
    client: Client, library: Library, tmp_path: Path
):
    [item] = client.predict(seed=3, count=1, api_name="/sample")
    file = handle_file(item["image"])
    values = {
        "size": "45",
        "method": "network",
        "denoise": 0.5,
        "flat": 0.2,
        "colours": "#ff0000,#00ff00",
        "corners": 9,
    }
    path = client.predict(image=file, **values, api_name="/cleanup")
    record = record_of(path)
    assert record.pop("kind") == "cleanup" and record.pop("source")["seed"] == 3
    assert record.pop("picture").endswith(".png")
    image = load_image(Path(path))
    assert image.shape == (45, 45, 4)
    assert len(np.unique(image[image[..., 3] > 0][:, :3], axis=0)) <= 2
    record["colours"] = ", ".join(record["colours"])
    assert Path(client.predict(image=file, **record, api_name="/cleanup")).read_bytes() == Path(path).read_bytes()
    mask = np.zeros((9, 9, 4), np.uint8)
    mask[3:6] = 255
    save_png(tmp_path / "mask.png", mask)
    cut = client.predict(image=file, cut_out=handle_file(tmp_path / "mask.png"), size="9", api_name="/cleanup")
    assert np.array_equal(load_image(Path(cut))[..., 3], mask[..., 3])
    assert record_of(cut)["cut_out"] == "mask.png"


@pytest.mark.parametrize(
    ("call", "values", "message"),
    [
        ("/sample", {"seed": "abc"}, "seed must be a whole number from 0 to 4294967295, not 'abc'"),
        ("/sample", {"seed": 7.5}, "seed must be a whole number from 0 to 4294967295, not 7.5"),
        ("/sample", {"seed": None}, "seed must be a whole number from 0 to 4294967295, not nothing"),
        ("/sample", {"seed": True}, "seed must be a whole number from 0 to 4294967295, not True"),
        ("/sample", {"count": 0}, "count must be a whole number from 1 to 64, not 0"),
        ("/sample", {"count": 10_000}, "count must be a whole number from 1 to 64, not 10000"),
        ("/sample", {"psi": "nan"}, "psi must be a number from -2 to 2, not 'nan'"),
        ("/sample", {"model": "<b>x"}, "there is no model '<b>x'; choose one of: critters, faces, plain"),
        ("/sample", {"model": "../faces"}, "there is no model '../faces'"),
        ("/sample", {"labels": {"eyes": "six"}}, "eyes cannot be 'six'; choose any or one of: one, two"),
        ("/mix", {"model": "plain"}, "plain has no style space to mix in"),
        ("/mix", {"layers": "9"}, "layers must be a whole number from 0 to 4"),
        ("/interpolate", {"frames": 600}, "critters can have 600"),
        ("/interpolate", {"seeds": [1]}, "seeds must be 2 to 32 numbers, not 1"),
        ("/cleanup", {"image": "/etc/passwd"}, "image must be an uploaded picture"),
        ("/cleanup", {"image": None}, "image must be an uploaded picture"),
        ("/cleanup", {"image": {"path": "/etc/passwd"}}, "image must be an uploaded picture"),
        ("/cleanup", {"image": None, "scale": 99}, "scale must be a whole number from 1 to 16, not 99"),
        ("/cleanup", {"image": None, "size": "big"}, "size must be the longer side in pixels such as 631"),
        ("/cleanup", {"image": None, "method": "magic"}, "method must be one of auto, network, pixel-art, lanczos"),
        ("/cleanup", {"image": None, "model": "../x"}, "there is no upscaler '../x'; choose one of: cleanup-x2"),
    ],
)
def test_a_bad_value_is_answered_with_one_clear_sentence(
    client: Client, server: Server, call: str, values: dict, message: str
):
    printed = len(server.log.read_text())
    with pytest.raises(AppError) as caught:
        client.predict(**values, api_name=call)
    assert message in str(caught.value)
    assert "Traceback" not in server.log.read_text()[printed:]


def test_psi_that_is_not_a_number_is_refused_however_it_comes(server: Server):
    body = '{"data": ["critters", 0, 1, NaN, 0, null, "own"]}'
    started = httpx.post(
        f"{server.url}gradio_api/call/sample", content=body, headers={"Content-Type": "application/json"}
    )
    if started.status_code == 200:
        answer = httpx.get(f"{server.url}gradio_api/call/sample/{started.json()['event_id']}").text
        assert "event: error" in answer and "psi must be a number" in answer
    else:
        assert started.status_code == 422


def as_uploaded(path: Path | str) -> dict:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def called(server: Server, image: dict, cut_out: dict | None = None) -> str:
    """What the call answers, as a program sees it that does not use Gradio's client."""
    data = [image, 2, "", "", "auto", 1, 0, "0", 0, cut_out]
    started = httpx.post(f"{server.url}gradio_api/call/cleanup", json={"data": data}).json()
    return httpx.get(f"{server.url}gradio_api/call/cleanup/{started['event_id']}").text


def clicked(server: Server, image: dict, cut_out: dict | None = None) -> str:
    """What the page is answered when "Clean up" is clicked."""
    events = httpx.get(f"{server.url}config").json()["dependencies"]
    [event] = [event["id"] for event in events if event["api_name"] == "on_cleanup"]
    data = [image, cut_out, "2", "", "auto", 1, 0, 0, "", 0, 1.0]
    body = {"data": data, "fn_index": event, "session_hash": uuid4().hex}
    httpx.post(f"{server.url}gradio_api/queue/join", json=body).raise_for_status()
    address = f"{server.url}gradio_api/queue/data?session_hash={body['session_hash']}"
    with httpx.stream("GET", address, timeout=120) as answer:
        return next(line for line in answer.iter_lines() if "process_completed" in line)


@pytest.mark.parametrize("send", [called, clicked])
def test_a_file_that_was_not_uploaded_is_not_read(server: Server, tmp_path: Path, send: Callable[..., str]):
    save_png(tmp_path / "cat.png", np.zeros((8, 6, 4), np.uint8))
    with (tmp_path / "cat.png").open("rb") as file:
        [path] = httpx.post(f"{server.url}gradio_api/upload", files={"files": file}).json()
    assert "cat-12x16.png" in send(server, as_uploaded(path))
    for image, cut_out in ((tmp_path / "cat.png", None), ("/etc/passwd", None), (path, "/etc/passwd")):
        answer = send(server, as_uploaded(image), cut_out and as_uploaded(cut_out))
        assert "was not uploaded by a user" in answer and "-12x16.png" not in answer and "root:" not in answer


def test_an_image_that_is_none_is_named(client: Client, tmp_path: Path):
    (tmp_path / "cat.png").write_text("meow")
    with pytest.raises(AppError, match=r"cat\.png is not an image"):
        client.predict(image=handle_file(tmp_path / "cat.png"), api_name="/cleanup")


def test_many_callers_get_what_one_gets(client: Client):
    jobs = [client.submit(seed=1, count=3, api_name="/sample") for _ in range(6)]
    paths = [[Path(item["image"]) for item in job.result(timeout=120)] for job in jobs]
    answers = [[path.read_bytes() for path in answer] for answer in paths]
    assert all(answer == answers[0] for answer in answers)
