import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import serving_tests

ROOT = Path(__file__).resolve().parent.parent

# What a part may import of ganapp, beside itself and the parts that it lies in. `app.py` and `export` stand outside.
SERVING = {
    "contract": {"directions"},
    "cpus": set(),
    "directions": set(),
    "files": set(),
    "folders": set(),
    "latents": set(),
    "pictures": {"files"},
    "signals": set(),
    "serve": {"contract", "cpus", "folders", "latents", "pictures"},
    "draw": {"contract", "files", "folders", "latents", "pictures", "serve"},
    "ui": {"contract", "draw", "files", "latents", "pictures", "serve"},
    "cli": {"signals"},
}
TRAINING = {
    "models": {"cpus"},
    "data": {"contract", "files", "folders", "models", "pictures"},
    "metrics": {"contract", "data", "files", "models", "pictures", "serve"},
    "train": {"contract", "files"},
    "train.gan": {"contract", "data", "files", "latents", "metrics", "models", "pictures"} | {"signals", "train"},
    "train.upscaler": {"contract", "cpus", "data", "files", "metrics", "models", "serve", "train"}
    | {"pictures", "signals"},
}
MAY_IMPORT = SERVING | TRAINING
ONLY_IN_THE_PAGE = {"gradio", "starlette"}
NEVER_IN_SERVING = {"torch", "onnx", "onnxscript", "safetensors", "tensorboard", "dicebear", "resvg_py"}


def imported(path: Path) -> set[str]:
    """The modules that a file names in import statements, wherever they stand."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(part: str) -> list[Path]:
    """The modules of a part; those of a part inside it are that one's own."""
    at = ROOT / "ganapp" / part.replace(".", "/")
    single = at.with_suffix(".py")
    return [single] if single.exists() else [path for path in sorted(at.rglob("*.py")) if part_of(path) == part]


def part_of(path: Path) -> str:
    """The innermost part that a module of the package belongs to."""
    return part_named(".".join(path.relative_to(ROOT / "ganapp").with_suffix("").parts))


def part_named(name: str) -> str:
    """The innermost part that a dotted name inside the package lies in; a name of no part is its own."""
    inner = [part for part in MAY_IMPORT if f"{name}.".startswith(f"{part}.")]
    return max(inner, key=len, default=name)


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_go_one_way(part: str):
    assert files(part)
    for path in files(part):
        for name in imported(path):
            top, _, rest = name.partition(".")
            if top == "ganapp" and rest:
                assert part_named(rest) in MAY_IMPORT[part] | {part}, f"{path.relative_to(ROOT)} imports {name}"
            assert top not in {"export", "app"}, f"{path.relative_to(ROOT)} imports {name}"
            assert part == "ui" or top not in ONLY_IN_THE_PAGE, f"{path.relative_to(ROOT)} imports {name}"
            if part in SERVING:
                assert top not in NEVER_IN_SERVING, f"{path.relative_to(ROOT)} imports {name}"


def test_the_arrows_make_no_circle():
    done: set[str] = set()
    while left := MAY_IMPORT.keys() - done:
        ready = {part for part in left if MAY_IMPORT[part] <= done}
        assert ready, f"{sorted(left)} import each other"
        done |= ready


def test_every_module_belongs_to_a_part():
    outside = {"ganapp/__init__.py", "ganapp/__main__.py"}
    for path in sorted((ROOT / "ganapp").rglob("*.py")):
        if str(path.relative_to(ROOT)) not in outside:
            assert part_of(path) in MAY_IMPORT, f"{path.relative_to(ROOT)} has no arrows"


def test_the_arrows_are_those_that_are_told_to_who_works_on_it():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [table] = re.findall(r"^\| part \| imports \|$.*?\n\n", text, re.MULTILINE | re.DOTALL)
    told: dict[str, set[str]] = {}
    for parts, imports in re.findall(r"^\| (`.+?) \| (.+?) \|$", table, re.MULTILINE):
        for part in re.findall("`(.+?)`", parts):
            told[part] = set(re.findall("`(.+?)`", imports))
    assert told == MAY_IMPORT


def test_the_app_imports_nothing_of_the_training_half():
    for name in imported(ROOT / "app.py"):
        assert name.split(".")[0] not in NEVER_IN_SERVING
        assert not name.startswith(("ganapp.models", "ganapp.train", "ganapp.data", "export"))


def test_the_tests_of_the_serving_half_import_nothing_of_the_training_half():
    """Nor do the helpers that they import. onnx is theirs: the tiny bundles are made with it by hand."""
    helpers = {path.stem: path for path in (ROOT / "tests").glob("*.py") if path.stem != "conftest"}
    todo, done = serving_tests(), set()
    assert ROOT / "tests" / "test_session.py" in todo
    while todo:
        path = todo.pop()
        done.add(path)
        for name in imported(path):
            top, _, rest = name.partition(".")
            assert top not in NEVER_IN_SERVING - {"onnx"} | {"export"}, f"{path.name} imports {name}"
            assert top != "ganapp" or part_named(rest) not in TRAINING, f"{path.name} imports {name}"
            todo += {helpers[top]} - done if top in helpers else ()


def test_the_package_itself_imports_nothing():
    assert not imported(ROOT / "ganapp" / "__init__.py")


def test_the_page_is_served_without_torch_or_onnx_or_another_host(weights_dir: Path):
    script = f"""
import socket
import sys
from pathlib import Path

asked = []
connect, look_up = socket.socket.connect, socket.getaddrinfo

def watched_connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        asked.append(address)
    return connect(self, address)

def watched_look_up(host, *rest, **more):
    if host not in ("127.0.0.1", "::1", "localhost", None):
        asked.append(host)
    return look_up(host, *rest, **more)

socket.socket.connect, socket.getaddrinfo = watched_connect, watched_look_up
import app
from ganapp.serve.library import Library
from ganapp.ui.page import build_page, launch_options
library = Library(Path({str(weights_dir)!r}))
demo = build_page(library)
demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(library))
for name in library.names():
    next(library.generator(name).generate([1]))
found = sorted({NEVER_IN_SERVING!r} & sys.modules.keys())
assert not found, found
assert not asked, asked
demo.close()
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
