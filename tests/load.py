"""Fifty visitors at once, and then again with two large clean-ups among them: `make load`. Outside of the tests.

Prints how long calls took, what went wrong, and how much memory and disk the page held.
"""

import argparse
import asyncio
import io
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHARES = {"sample": 8, "mix": 3, "interpolate": 2, "cleanup": 3}  # of the calls
BUSY = "queue is full"
EACH = 15  # seconds


def picture(side: int) -> bytes:
    """A drawing of plain discs, as PNG."""
    rng, (y, x) = np.random.default_rng(side), np.indices((side, side)) / side
    image = np.full((side, side, 3), 240, np.uint8)
    for _ in range(40):
        image[np.hypot(x - rng.random(), y - rng.random()) < rng.random() / 6] = rng.integers(0, 256, 3)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


class Memory:
    """The resident memory of `process` in MiB: the median of each EACH seconds."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.seen: list[int] = []

    async def look(self) -> None:
        while True:
            found = []
            for _ in range(EACH):
                found.append(self.process.memory_info().rss >> 20)
                await asyncio.sleep(1)
            self.seen.append(int(np.median(found)))


class Visitors:
    """Sessions that call the page at `url`, and what became of their calls."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.said: Counter[str] = Counter()

    async def upload(self, data: bytes, session: str) -> dict:
        answer = await self.client.post("gradio_api/upload", files={"files": ("drawing.png", data)})
        path = answer.raise_for_status().json()[0]
        return {"path": path, "orig_name": "drawing.png", "meta": {"_type": "gradio.FileData"}}

    async def call(self, name: str, values: list, session: str) -> None:
        """One call, from the wish to the answer."""
        began = time.monotonic()
        try:
            body = {"data": values, "session_hash": session}
            asked = await self.client.post(f"gradio_api/call/{name}", json=body)
            if asked.status_code != 200:
                self.count(name, asked.text)
                return
            answer = await self.client.get(f"gradio_api/call/{name}/{asked.json()['event_id']}")
            if "event: error" in answer.text:
                self.count(name, answer.text)
                return
            self.seconds[name].append(time.monotonic() - began)
        except httpx.HTTPError as error:
            self.said[f"{name}: {type(error).__name__}"] += 1

    def count(self, name: str, text: str) -> None:
        if BUSY in text.lower():
            self.said["queue full"] += 1
        else:
            self.said[f"{name}: {' '.join(text.split())[:120]}"] += 1

    async def visit(self, number: int, until: float, small: dict) -> None:
        rng, session = random.Random(number), f"visitor{number}"
        while time.monotonic() < until:
            name = rng.choices(list(SHARES), list(SHARES.values()))[0]
            seed = rng.randrange(10**6)
            values = {
                "sample": ["critters", seed, 6, None, 1, 0, "own"],
                "mix": ["critters", [seed], [seed + 1, seed + 2], "coarse", None, 1, 0, "own"],
                "interpolate": ["critters", [seed, seed + 1], 6, 12, False, "w", "mp4", None, 1, 0, "own"],
                "cleanup": [small, 2, "", "", "auto", 1, 0, 0, 0, None],
            }[name]
            await self.call(name, self.fitted(name, values), session)
            await asyncio.sleep(rng.random())

    def fitted(self, name: str, values: list) -> list:
        """The first values as given, the rest as the page's description of the call has them by default."""
        wanted = self.parameters[name]
        known = dict(zip(self.order[name], values, strict=False))
        return [known.get(each["parameter_name"], each.get("parameter_default")) for each in wanted]

    async def learn(self) -> None:
        """Which parameters each call has."""
        info = (await self.client.get("gradio_api/info")).raise_for_status().json()["named_endpoints"]
        self.parameters = {name: info[f"/{name}"]["parameters"] for name in SHARES}
        self.order = {
            "sample": ["model", "seed", "count", "labels", "psi", "noise_seed", "size"],
            "mix": ["model", "source_seeds", "destination_seeds", "layers"],
            "interpolate": ["model", "seeds", "frames"],
            "cleanup": ["image", "scale"],
        }


def p95(values: list[float]) -> float:
    return float(np.percentile(values, 95)) if values else float("nan")


def disk(folder: str) -> float:
    """MiB of the files below a folder."""
    return sum(os.path.getsize(os.path.join(place, n)) for place, _, names in os.walk(folder) for n in names) / 2**20


async def run(url: str, process: psutil.Process, folder: str, visitors: int, seconds: float) -> int:
    limits = httpx.Limits(max_connections=None)
    failed = 0
    async with httpx.AsyncClient(base_url=url, timeout=600, trust_env=False, limits=limits) as client:
        found = {}
        for phase in ("alone", "with two clean-ups of 4,096 px"):
            crowd = Visitors(client)
            await crowd.learn()
            small = await crowd.upload(picture(96), "warm")
            tasks: list = []
            if phase != "alone":
                large = await crowd.upload(picture(1024), "large")
                tasks = [
                    asyncio.create_task(
                        Visitors.call(crowd, "cleanup", crowd.fitted("cleanup", [large, 4]), f"large{i}")
                    )
                    for i in range(2)
                ]
                await asyncio.sleep(1)
            until, memory = time.monotonic() + seconds, Memory(process)
            looking = asyncio.create_task(memory.look())
            await asyncio.gather(*(crowd.visit(i, until, small) for i in range(visitors)))
            looking.cancel()
            still = sum(not task.done() for task in tasks)
            print(
                f"{phase}, {visitors} visitors, {seconds:g} s: {sum(map(len, crowd.seconds.values()))} answers",
                flush=True,
            )
            for name, values in sorted(crowd.seconds.items()):
                print(f"  /{name:<12} {len(values):5}  median {np.median(values):6.2f} s  p95 {p95(values):6.2f} s")
            print(f"  memory each {EACH} s: {', '.join(map(str, memory.seen))} MiB")
            print(f"  files {disk(folder):.0f} MiB, clean-ups under way {still}", flush=True)
            for said, count in crowd.said.items():
                print(f"  {count} times: {said}")
                failed += said != "queue full"
            found[phase] = p95(crowd.seconds["sample"])
            await asyncio.gather(*tasks)
        one, other = found.values()
        print(f"/sample p95 with the two is {other / one:.2f} times that without")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "app.py"), "--port", str(port)]
        environment = {**os.environ, "GRADIO_TEMP_DIR": folder}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as served:
            try:
                assert served.stdout is not None
                print(served.stdout.readline().strip())
                url = f"http://127.0.0.1:{port}/"
                return int(asyncio.run(run(url, psutil.Process(served.pid), folder, asked.visitors, asked.seconds)) > 0)
            finally:
                served.terminate()
                served.communicate()


if __name__ == "__main__":
    sys.exit(main())
