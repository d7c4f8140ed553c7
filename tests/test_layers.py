import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What a part may import of ganapp, beside itself. `app.py` and `export` stand outside the package.
MAY_IMPORT = {
    "contract": set(),
    "images": set(),
    "finish": {"images"},
    "latents": set(),
    "folders": set(),
    "video": set(),
    "serve": {"contract", "latents", "images", "finish", "folders"},
    "ui": {"serve", "contract", "latents", "images", "finish", "video"},
}
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
    single = ROOT / "ganapp" / f"{part}.py"
    return [single] if single.exists() else sorted((ROOT / "ganapp" / part).rglob("*.py"))


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_go_one_way(part: str):
    assert files(part)
    for path in files(part):
        for name in imported(path):
            top, *rest = name.split(".")
            if top == "ganapp" and rest:
                assert rest[0] in MAY_IMPORT[part] | {part}, f"{path.relative_to(ROOT)} imports {name}"
            assert top not in {"export", "app"}, f"{path.relative_to(ROOT)} imports {name}"
            assert top not in NEVER_IN_SERVING, f"{path.relative_to(ROOT)} imports {name}"


def test_the_app_imports_nothing_of_the_training_half():
    for name in imported(ROOT / "app.py"):
        assert name.split(".")[0] not in NEVER_IN_SERVING
        assert not name.startswith(("ganapp.models", "ganapp.train", "ganapp.data", "export"))


def test_the_training_half_knows_nothing_of_the_page():
    for part in ("models", "train", "data"):
        for path in files(part):
            assert not any(name.startswith("ganapp.ui") for name in imported(path)), path


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
from ganapp.ui.demo import build_demo, launch_options
library = Library(Path({str(weights_dir)!r}))
demo = build_demo(library)
demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
for name in library.names():
    next(library.generator(name).generate([1]))
found = sorted({NEVER_IN_SERVING!r} & sys.modules.keys())
assert not found, found
assert not asked, asked
demo.close()
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
