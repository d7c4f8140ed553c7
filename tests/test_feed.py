"""Batches of patches, drawn by one process or by several."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from ganapp.data.feed import Recipe, batches
from ganapp.data.patches import Pairs, Pictures
from ganapp.pictures.png import save_png

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    random = np.random.RandomState(0)
    for i in range(5):
        save_png(tmp_path / f"{i}.png", random.randint(0, 256, (40, 40, 3), np.uint8))
    (tmp_path / "2.png").write_bytes(b"not a picture")
    errors = [random.randint(-9, 9, (2, 8, 8, 3)).astype(np.int8) for _ in range(2)]
    return Recipe(Pictures.of(tmp_path), np.arange(5), 4, 8, 2, seed=7, doodles=0.3, residuals=errors)


def taken(recipe: Recipe, seen: int, workers: int, count: int = 6) -> list[Pairs]:
    with batches(recipe, seen, workers) as pairs:
        return [next(pairs) for _ in range(count)]


def same(a: Pairs, b: Pairs) -> bool:
    return np.array_equal(a.small, b.small) and np.array_equal(a.large, b.large)


def test_batches_are_the_same_whoever_draws_them_and_wherever_a_run_goes_on(
    recipe: Recipe, caplog: pytest.LogCaptureFixture
):
    alone = taken(recipe, 0, workers=0)
    assert not any(same(a, b) for i, a in enumerate(alone) for b in alone[:i])
    assert all(same(a, b) for a, b in zip(taken(recipe, 8, workers=0), alone[2:], strict=False))
    recipe.pictures.broken.clear()
    caplog.clear()
    with caplog.at_level("WARNING"):
        shared = taken(recipe, 0, workers=2)
    assert all(same(a, b) for a, b in zip(alone, shared, strict=True))
    assert [record.getMessage() for record in caplog.records] == [
        f"skipped {recipe.pictures.files[2]}: is not an image"
    ]


def test_the_processes_end_with_the_context(recipe: Recipe):
    with batches(recipe, 0, workers=1) as pairs:
        next(pairs)
        began = {child.pid for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())}
        assert began
    assert not {child.pid for child in psutil.Process().children()} & began


def test_what_is_wrong_with_all_pictures_is_said_by_the_run_itself(recipe: Recipe):
    for file in recipe.pictures.files:
        file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no usable picture"):
        taken(recipe, 0, workers=1)


RUN = """
import sys, time
from pathlib import Path
import numpy as np
from ganapp.data.feed import Recipe, batches
from ganapp.data.patches import Pictures

if __name__ == "__main__":
    recipe = Recipe(Pictures.of(Path(sys.argv[1])), np.arange(5), 4, 8, 2, seed=7, doodles=0.3)
    with batches(recipe, 0, workers=2) as pairs:
        next(pairs)
        try:
            print("drawn", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            next(pairs)
            print("still drawing", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no groups of processes that get a signal together")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_is_for_the_run_alone_and_its_end_is_theirs(recipe: Recipe, number: int, tmp_path: Path):
    save_png(tmp_path / "2.png", np.zeros((40, 40, 3), np.uint8))
    script = tmp_path / "run.py"
    script.write_text(RUN)
    command = [sys.executable, str(script), str(recipe.pictures.files[0].parent)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as run:
        try:
            assert run.stdout.readline() == "drawn\n"
            children = psutil.Process(run.pid).children(recursive=True)
            if number == signal.SIGINT:
                os.killpg(run.pid, number)  # as a terminal does
                said, errors = run.communicate(timeout=60)
                assert (run.returncode, said, errors) == (0, "still drawing\n", "")
            else:
                run.kill()
        finally:
            run.kill()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
