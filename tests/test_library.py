import os
import re
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from drawn_upscaler import write_graph
from tiny_bundle import CRITTERS, FACES, write_bundle

from ganapp.contract import MAPPING, SYNTHESIS, UPSCALER, BundleError
from ganapp.serve.library import Library
from ganapp.serve.onnxfile import read_model


def test_the_favourite_comes_first_and_the_rest_by_name(tmp_path: Path):
    for name in ("zebras", "critters", "apples"):
        write_bundle(tmp_path / name, replace(FACES, name=name))
    library = Library(tmp_path)
    assert library.names() == ["critters", "apples", "zebras"]
    assert library.default == "critters"


def test_a_model_is_opened_once_however_many_ask_for_it(weights_dir: Path):
    library = Library(weights_dir)
    found, start = [], threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(library.generator("critters"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(generator is found[0] for generator in found)


def test_many_threads_draw_what_one_draws(library: Library):
    alone = np.stack(list(library.generator("critters").generate(range(6)))).astype(int)
    worst = []

    def draw() -> None:
        images = np.stack(list(library.generator("critters").generate(range(6)))).astype(int)
        worst.append(np.abs(images - alone).max())

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worst) == 8 and max(worst) <= 1


def test_a_broken_bundle_is_named_and_the_others_live(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    write_bundle(tmp_path / "critters", CRITTERS)
    (tmp_path / "critters" / MAPPING).write_bytes(b"")
    library = Library(tmp_path)
    assert library.names() == ["faces"]
    assert "mapping.onnx: is empty" in library.broken["critters"]
    with pytest.raises(BundleError, match="is empty"):
        library.generator("critters")
    assert library.generator("faces").spec == FACES


def test_a_bundle_that_breaks_on_opening_leaves_the_list(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    write_bundle(tmp_path / "critters", CRITTERS)
    made = onnx.load(tmp_path / "critters" / SYNTHESIS)
    made.graph.node[0].input.append("nothing")
    onnx.save(made, tmp_path / "critters" / SYNTHESIS)
    library = Library(tmp_path)
    assert library.default == "critters"
    for _ in range(2):
        with pytest.raises(BundleError, match="ONNX Runtime refuses it"):
            library.generator("critters")
    assert library.names() == ["faces"] and library.default == "faces"


def test_a_bundle_that_fails_while_it_draws_is_given_up_by_name(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    write_bundle(tmp_path / "critters", CRITTERS)
    library = Library(tmp_path)
    generator = library.generator("critters")
    generator._synthesis.run = lambda *_: (_ for _ in ()).throw(RuntimeError("node 7\nbroke"))
    with pytest.raises(BundleError, match=r"synthesis\.onnx: fails to run \(node 7 broke\)"):
        list(generator.generate([1]))
    assert library.names() == ["faces"] and "synthesis.onnx" in library.broken["critters"]
    with pytest.raises(BundleError, match="fails to run"):
        library.generator("critters")
    assert len(list(library.generator("faces").generate([1]))) == 1


@pytest.mark.parametrize("operator", ["If", "Loop", "Scan", "ConstantOfShape", "com.evil.Add", "Add\n"])
def test_operators_that_no_network_here_has_are_named_before_anything_is_opened(operator: str, tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    made = onnx.load(write_bundle(tmp_path / "critters", CRITTERS) / SYNTHESIS)
    made.graph.node[1].domain, _, made.graph.node[1].op_type = operator.rpartition(".")
    onnx.save(made, tmp_path / "critters" / SYNTHESIS)
    library = Library(tmp_path)
    assert library.names() == ["faces"]
    assert f"has the operator '{operator.strip()}" in library.broken["critters"]


def test_a_graph_in_a_graph_and_more_nodes_than_any_network_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = onnx.load(write_bundle(tmp_path / "critters", CRITTERS) / SYNTHESIS)
    inner = onnx.helper.make_graph([onnx.helper.make_node("Loop", ["a"], ["b"])], "inner", [], [])
    made.graph.node[0].attribute.append(onnx.helper.make_attribute("body", inner))
    onnx.save(made, tmp_path / "critters" / SYNTHESIS)
    with pytest.raises(BundleError, match="'Loop'"):
        Library(tmp_path)
    write_bundle(tmp_path / "faces", FACES)
    monkeypatch.setattr("ganapp.serve.onnxfile.MAX_NODES", 3)
    with pytest.raises(BundleError, match="operators, more than 3"):
        Library(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="names of other systems are text")
def test_a_folder_whose_name_is_no_text_is_named_and_the_others_live(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    write_bundle(tmp_path / os.fsdecode(b"ape\xff"), CRITTERS)
    library = Library(tmp_path)
    assert library.names() == ["faces"]
    [(name, reason)] = library.broken.items()
    assert "rename the folder" in reason and (name + reason).isprintable() and (name + reason).isascii()


def test_an_unknown_model_is_refused_with_the_known_ones(library: Library):
    with pytest.raises(ValueError, match=re.escape("there is no model '../critters'; choose one of: critters, faces")):
        library.generator("../critters")
    with pytest.raises(ValueError, match="there is no model"):
        library.spec(["critters"])


def test_other_folders_and_files_are_passed_over(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    (tmp_path / "detector").mkdir()
    (tmp_path / "detector" / "detector.onnx").write_bytes(b"")
    (tmp_path / "README.md").write_text("weights")
    library = Library(tmp_path)
    assert library.names() == ["faces"] and not library.broken and not library.upscalers


def test_upscalers_stand_beside_the_models_and_those_for_cleaning_up_come_first(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    for name, scale in (("cleanup-x4", 4), ("anime-x2", 2), ("cleanup-x2", 2)):
        write_graph(tmp_path / name, scale)
    library = Library(tmp_path)
    assert library.names() == ["faces"]
    assert [(name, spec.scale) for name, spec in library.upscalers.items()] == [
        ("cleanup-x2", 2), ("cleanup-x4", 4), ("anime-x2", 2),
    ]  # fmt: skip
    assert library.upscaler("cleanup-x4") is library.upscaler("cleanup-x4")
    with pytest.raises(ValueError, match="there is no upscaler 'faces'; choose one of: cleanup-x2, cleanup-x4, anime"):
        library.upscaler("faces")


def test_a_broken_upscaler_is_named_and_breaks_no_model(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    write_graph(tmp_path / "cleanup-x2")
    (tmp_path / "cleanup-x2" / UPSCALER).write_bytes(b"no")
    library = Library(tmp_path)
    assert library.default == "faces" and not library.broken and not library.upscalers
    with pytest.raises(BundleError, match=r"cleanup-x2.upscaler.onnx: is not a whole ONNX file"):
        library.upscaler("cleanup-x2")


def test_what_is_needed_must_be_there(tmp_path: Path):
    write_graph(tmp_path / "cleanup-x2")
    with pytest.raises(BundleError, match="no usable model"):
        Library(tmp_path)
    assert list(Library(tmp_path, need="upscaler").upscalers) == ["cleanup-x2"]
    (tmp_path / "cleanup-x2" / UPSCALER).write_bytes(b"no")
    with pytest.raises(BundleError, match=r"no usable upscaler.*--weights\n  .*not a whole ONNX file"):
        Library(tmp_path, need="upscaler")
    assert not Library(tmp_path, need=None).upscalers


def test_a_hidden_folder_is_an_export_under_way_and_no_model(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    write_bundle(tmp_path / ".critters.part", CRITTERS)
    library = Library(tmp_path)
    assert library.names() == ["faces"] and not library.broken


@pytest.mark.parametrize("method", ["read_bytes", "stat"])
def test_a_file_that_may_not_be_read_is_named_and_the_others_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
):
    write_bundle(tmp_path / "faces", FACES)
    write_bundle(tmp_path / "critters", CRITTERS)
    allowed = getattr(Path, method)

    def refuse(path: Path, **options: bool):  # chmod would not: tests may run as root, who may read anything
        if path.parent.name == "critters":
            raise PermissionError(13, "Permission denied", str(path))
        return allowed(path, **options)

    monkeypatch.setattr(Path, method, refuse)
    library = Library(tmp_path)
    assert library.names() == ["faces"]
    assert re.search("critters.*: cannot be read .Permission denied.", library.broken["critters"])


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_a_file_that_fails_while_it_is_read_is_a_bundle_error():
    with pytest.raises(BundleError, match="cannot be read"):
        read_model(Path("/proc/self/mem"))


def test_a_folder_that_leads_out_of_the_weights_is_not_followed(tmp_path: Path):
    write_bundle(tmp_path / "weights" / "faces", FACES)
    write_bundle(tmp_path / "secret", CRITTERS)
    (tmp_path / "weights" / "secret").symlink_to(tmp_path / "secret")
    assert "leads out of" in Library(tmp_path / "weights").broken["secret"]


def in_the_hubs_cache(cache: Path, files: Path) -> Path:
    """A snapshot as the Hub's client keeps it: names that are links to blobs of the same repository."""
    repository = cache / "models--me--apes"
    snapshot = repository / "snapshots" / "0a1b" / "weights" / files.name
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for i, file in enumerate(sorted(files.iterdir())):
        shutil.copy(file, repository / "blobs" / f"{i:064x}")
        (snapshot / file.name).symlink_to(Path("../../../../blobs") / f"{i:064x}")
    return snapshot.parent


def test_a_bundle_in_the_hubs_cache_opens_through_its_links(weights_dir: Path, tmp_path: Path):
    weights = in_the_hubs_cache(tmp_path, weights_dir / "faces")
    drawn = [next(Library(root).generator("faces").generate([1])) for root in (weights, weights_dir)]
    assert (drawn[0] == drawn[1]).all()


def test_a_link_out_of_the_hubs_cache_is_not_followed(weights_dir: Path, tmp_path: Path):
    weights = in_the_hubs_cache(tmp_path, weights_dir / "faces")
    (weights / "faces" / MAPPING).unlink()
    (weights / "faces" / MAPPING).symlink_to(weights_dir / "faces" / MAPPING)
    blobs = tmp_path / "models--me--apes" / "blobs"
    with pytest.raises(BundleError, match=r"mapping\.onnx: is not a plain file"):
        Library(weights)
    shutil.rmtree(blobs)
    blobs.symlink_to(weights_dir / "faces")  # where a stranger's archive may lead
    (weights / "faces" / MAPPING).unlink()
    (weights / "faces" / MAPPING).symlink_to(Path("../../../../blobs") / MAPPING)
    with pytest.raises(BundleError, match=r"mapping\.onnx: is not a plain file"):
        Library(weights)


@pytest.mark.parametrize("what", ["missing", "empty", "broken"])
def test_nothing_to_serve_is_an_error_with_the_remedy(tmp_path: Path, what: str):
    folder = tmp_path / "weights"
    if what != "missing":
        folder.mkdir()
    if what == "broken":
        write_bundle(folder / "faces", FACES)
        (folder / "faces" / MAPPING).write_text("no")
    with pytest.raises(BundleError, match="--weights") as caught:
        Library(folder)
    assert str(folder) in str(caught.value)
    assert ("mapping.onnx" in str(caught.value)) == (what == "broken")


def test_a_model_may_be_served_from_a_linked_weights_folder(weights_dir: Path, tmp_path: Path):
    (tmp_path / "weights").symlink_to(weights_dir)
    assert Library(tmp_path / "weights").generator("faces").spec == FACES


def test_the_spec_of_a_model_is_read_from_its_file_and_not_from_its_folder(tmp_path: Path):
    write_bundle(tmp_path / "faces", FACES)
    shutil.move(tmp_path / "faces", tmp_path / "portraits")
    assert Library(tmp_path).spec("portraits").name == "faces"


def test_a_field_that_others_read_otherwise_is_refused(tmp_path: Path):
    """protobuf cuts a tag to 32 bits; with bit 32 set, a graph would be unseen here and run there."""
    path = write_bundle(tmp_path / "faces", FACES) / SYNTHESIS
    data = path.read_bytes()
    made = onnx.load_model_from_string(data)
    graph = made.graph.SerializeToString()
    at = data.index(graph)
    start = data.rindex(b"\x3a", 0, at)  # the tag of field 7, and then the length
    path.write_bytes(data[:start] + b"\xba\x80\x80\x80\x10" + data[start + 1 :])
    with pytest.raises(BundleError, match="is not a whole ONNX file"):
        Library(tmp_path)
