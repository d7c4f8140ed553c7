import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_layers import imported

from export import space
from export.space import MARK, requirements, run


def test_a_space_opens_its_models_by_itself_and_asks_for_no_torch(weights_dir: Path, tmp_path: Path):
    out = tmp_path / "space"
    run("space", [str(out), "--weights", str(weights_dir), "--models", "faces", "cleanup-x2"])
    assert sorted(path.name for path in (out / "weights").iterdir()) == ["cleanup-x2", "faces"]
    script = (
        "from pathlib import Path; import app, sys; from ganapp.serve.library import Library; "
        "from ganapp.ui.page import build_page, launch_options; "
        "library = Library(Path('weights')); build_page(library); launch_options(library); print(library.names()); "
        "assert 'torch' not in sys.modules; assert app.HERE == Path.cwd()"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=out, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert "['faces']" in ran.stdout
    assert (out / "README.md").read_text().startswith("---\n")


def test_every_module_that_a_space_names_is_in_it(weights_dir: Path, tmp_path: Path):
    """Those too that are imported only when the page is started, or a command is run."""
    out = tmp_path / "space"
    run("space", [str(out), "--weights", str(weights_dir), "--models", "faces"])
    for path in out.rglob("*.py"):
        for name in imported(path):
            if name.startswith("ganapp."):
                at = out / name.replace(".", "/")
                found = [at.is_dir(), at.with_suffix(".py").exists(), at.parent.with_suffix(".py").exists()]
                assert any([*found, (at.parent / "__init__.py").exists()]), f"{path} imports {name}"


@pytest.mark.parametrize(("runtime", "name"), [("cpu", "onnxruntime"), ("gpu", "onnxruntime-gpu")])
def test_its_packages_are_pinned_and_have_one_runtime(runtime: str, name: str):
    lines = requirements(runtime).splitlines()
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in lines)
    names = [line.partition("==")[0] for line in lines]
    assert [each for each in names if each.startswith("onnxruntime")] == [name]
    assert "gradio" in names and "torch" not in names


def test_a_space_made_before_is_replaced_and_anything_else_is_not(weights_dir: Path, tmp_path: Path):
    words = ["--weights", str(weights_dir), "--models", "faces"]
    run("space", [str(tmp_path / "space"), *words])
    (tmp_path / "space" / "weights" / "faces" / "old.txt").touch()
    run("space", [str(tmp_path / "space"), *words])
    assert not (tmp_path / "space" / "weights" / "faces" / "old.txt").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="was not made by this command"):
        run("space", [str(tmp_path / "mine"), *words])
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"] and (tmp_path / "space" / MARK).exists()


@pytest.mark.parametrize(
    ("models", "message"),
    [(["nobody"], "there is no model 'nobody'; choose from: critters"), (["cleanup-x2"], "a page needs a generator")],
)
def test_a_model_that_cannot_be_shown_is_named(models: list[str], message: str, weights_dir: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=message):
        run("space", [str(tmp_path / "space"), "--weights", str(weights_dir), "--models", *models])
    assert not list(tmp_path.iterdir())


def test_the_installed_package_says_where_to_run_it(weights_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(space, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"^space needs app\.py.*: run it in a clone of the repository$"):
        run("space", [str(tmp_path / "space"), "--weights", str(weights_dir)])
