from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_bundle import PLAIN, write_bundle
from tiny_run import ATTRIBUTES, write_dataset

from ganapp.contract import GeneratorSpec
from ganapp.data.dataset import Dataset, load_dataset
from ganapp.metrics.samples import evenly, load_samples, real_images
from ganapp.pictures.png import save_png
from ganapp.serve.generator import open_generator

ROWS = torch.tensor([0, 1, 6, 7])


@pytest.fixture(scope="module")
def dataset(shapes: Path) -> Dataset:
    return load_dataset(shapes)


def bundle(folder: Path, num_ws: int) -> Path:
    """A bundle that fits `shapes`: with styles, or without."""
    sizes = {"w_dim": 6, "num_ws": num_ws, "noise_dim": 7} if num_ws else {"w_dim": 0, "num_ws": 0, "noise_dim": 0}
    spec = GeneratorSpec(name="shapes", resolution=16, channels=4, z_dim=8, attributes=ATTRIBUTES, **sizes)
    return write_bundle(folder, spec)


@pytest.mark.parametrize("num_ws", [4, 0])
def test_a_bundle_draws_a_seed_for_every_real_label(tmp_path: Path, dataset: Dataset, num_ws: int):
    folder = bundle(tmp_path / "shapes", num_ws)
    samples = load_samples(folder, dataset, ROWS)
    assert torch.equal(samples.labels, dataset.labels[ROWS])
    [expected] = open_generator(folder).generate([2], dataset.labels[6].float().numpy())
    assert np.abs(samples.images[2].astype(int) - expected).max() <= 1


def test_a_bundle_without_attributes_has_samples_without_labels(weights_dir: Path, dataset: Dataset):
    samples = load_samples(weights_dir / "faces", dataset, ROWS)
    assert samples.images.shape == (4, 16, 16, 4) and samples.labels is None


def test_without_labels_in_the_data_a_conditional_bundle_draws_any(tmp_path: Path):
    data = load_dataset(write_dataset(tmp_path / "data", labelled=False))
    assert load_samples(bundle(tmp_path / "shapes", 4), data, ROWS).labels is None


def test_a_bundle_of_other_attributes_is_named(weights_dir: Path, dataset: Dataset):
    with pytest.raises(ValueError, match="critters: has other attributes than shapes"):
        load_samples(weights_dir / "critters", dataset, ROWS)


def test_a_bundle_of_another_size_is_named(weights_dir: Path, dataset: Dataset):
    with pytest.raises(ValueError, match=f"{PLAIN.name}: draws 3 channels at 8 pixels and shapes has 4 at 16"):
        load_samples(weights_dir / PLAIN.name, dataset, ROWS)


def test_a_prepared_folder_brings_its_pictures_and_labels(shapes: Path, dataset: Dataset):
    samples = load_samples(shapes, dataset, ROWS)
    index = [0, 13, 26, 39]
    assert np.array_equal(samples.images, real_images(dataset, torch.tensor(index)))
    assert torch.equal(samples.labels, dataset.labels[index])


def test_a_prepared_folder_of_other_attributes_has_no_labels(tmp_path: Path, dataset: Dataset):
    assert load_samples(write_dataset(tmp_path / "plain", labelled=False), dataset, ROWS).labels is None


def test_any_folder_of_pictures_is_fitted_to_the_data(tmp_path: Path, dataset: Dataset):
    for i, side in enumerate((16, 8, 50)):
        save_png(tmp_path / f"{i}.png", np.full((side, side, 3), 40 * i, np.uint8))
    samples = load_samples(tmp_path, dataset, torch.arange(40))
    assert samples.images.shape == (3, 16, 16, 4) and samples.labels is None
    assert samples.images[:, 8, 8].tolist() == [[40 * i] * 3 + [255] for i in range(3)]


def test_transparent_pictures_do_not_fit_opaque_data(tmp_path: Path):
    data = load_dataset(write_dataset(tmp_path / "rgb", channels=3))
    (tmp_path / "mine").mkdir()
    save_png(tmp_path / "mine" / "clear.png", np.zeros((16, 16, 4), np.uint8))
    with pytest.raises(ValueError, match=r"mine/clear\.png: is transparent or not square, and shapes is RGB"):
        load_samples(tmp_path / "mine", data, ROWS)


def test_a_folder_that_cannot_be_measured_is_named(tmp_path: Path, dataset: Dataset, run: Path):
    with pytest.raises(ValueError, match="nowhere: there is no such folder"):
        load_samples(tmp_path / "nowhere", dataset, ROWS)
    with pytest.raises(ValueError, match="holds neither a bundle of weights nor a picture"):
        load_samples(tmp_path, dataset, ROWS)
    with pytest.raises(ValueError, match="is a run; export it first"):
        load_samples(run, dataset, ROWS)
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes\.txt: is not an image"):
        load_samples(tmp_path, dataset, ROWS)


def test_rows_are_taken_at_even_distances():
    assert evenly(torch.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert evenly(torch.arange(3), 5).tolist() == [0, 1, 2]
    assert evenly(torch.arange(0), 5).tolist() == []
