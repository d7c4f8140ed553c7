"""`python -m ganapp space`: a folder to push to a Hugging Face Space, with what the page needs and no more."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from ganapp.contract import START
from ganapp.files import replace_folder
from ganapp.serve.library import Library

ROOT = Path(__file__).resolve().parent.parent
MARK = ".ganapp-space"  # only a folder that has it is ever replaced
MODULES = (  # that the page imports
    "__init__", "__main__", "cli", "contract", "cpus", "directions", "files", "folders", "latents", "signals"
)  # fmt: skip
PACKAGES = ("pictures", "serve", "draw", "ui")


@dataclass(frozen=True)
class SpaceArgs:
    """Make a folder that runs as a Space: the app, models, and a requirements.txt without torch."""

    out: tyro.conf.Positional[Path]
    """Folder to make; one that this command made before is replaced."""
    models: tuple[str, ...] = ()
    """Folders of the weights to take; all of them by default."""
    weights: Path = ROOT / "weights"
    """Folder of the models."""
    runtime: Literal["cpu", "gpu"] = "cpu"
    """The ONNX Runtime to install: gpu for a Space with a GPU, a wheel of 256 MB in place of 24."""


def run(prog: str, args: list[str]) -> None:
    """Parse and make the folder. Raises ValueError for a model that there is not, a folder in the way, or no app."""
    given = tyro.cli(SpaceArgs, prog=prog, args=args)
    if not (ROOT / "app.py").is_file():
        raise ValueError("space needs app.py, which the installed package has not: run it in a clone of the repository")
    library = Library(given.weights)
    known = [*library.names(), *library.upscalers]
    for name in given.models:
        if name not in known:
            raise ValueError(f"there is no model {name!r:.60}; choose from: {', '.join(known)}")
    chosen = given.models or tuple(known)
    if not any(name in library.specs for name in chosen):
        raise ValueError("a page needs a generator: name one of " + ", ".join(library.names()))
    make(given.out, [given.weights / name for name in chosen], given.runtime)
    print(f"{given.out}: hf upload YOU/YOUR-SPACE {given.out} --repo-type space")


def make(out: Path, bundles: list[Path], runtime: str) -> None:
    """Write the folder, whole or not at all. Raises ValueError where something else is in its place."""
    part, old = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.old")
    for path in (out, part, old):
        if path.exists() and not (path / MARK).exists() and (not path.is_dir() or any(path.iterdir())):
            raise ValueError(f"{path}: is there already and was not made by this command; choose another place")
    shutil.rmtree(part, ignore_errors=True)  # left by a run that was cut off
    part.mkdir(parents=True)
    (part / MARK).touch()
    try:
        for name in ("app.py", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, part / name)
        (part / "requirements.txt").write_text(requirements(runtime), "utf-8")
        (part / "ganapp").mkdir()
        for name in MODULES:
            shutil.copy(ROOT / "ganapp" / f"{name}.py", part / "ganapp" / f"{name}.py")
        for name in PACKAGES:
            shutil.copytree(
                ROOT / "ganapp" / name, part / "ganapp" / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        for bundle in bundles:
            shutil.copytree(bundle, part / "weights" / bundle.name, ignore=shutil.ignore_patterns(START))
        replace_folder(part, out, old)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def requirements(runtime: str) -> str:
    """The packages of requirements-serving.txt with the versions of requirements.txt, and only one ONNX Runtime."""
    wanted = re.findall(r"^([\w-]+)", (ROOT / "requirements-serving.txt").read_text("utf-8"), re.MULTILINE)
    versions = dict(re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE))
    other = "onnxruntime-gpu" if runtime == "cpu" else "onnxruntime"
    return "".join(f"{name}=={versions[name]}\n" for name in wanted if name in versions and name != other)
