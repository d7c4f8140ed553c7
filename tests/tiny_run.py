"""A dataset of small shapes and a run trained on it for a few steps, in fp32 on one thread."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganapp.models.dcgan import DCGANConfig
from ganapp.models.fastgan import FastGANConfig
from ganapp.models.stylegan import StyleGANConfig
from ganapp.models.stylegan2 import StyleGAN2Config
from ganapp.pictures.png import save_png
from ganapp.train.gan.config import TrainConfig

NETWORK = StyleGAN2Config(z_dim=16, w_dim=16, width=16, base=256)
TINY = TrainConfig(network=NETWORK, batch=8, precision="fp32", penalty_every=4, quality_count=16)
# Every architecture, small; the growing one is half grown after the few images of a test.
ARCHITECTURES = {
    "stylegan2": TINY,
    "stylegan2-palette": replace(TINY, network=replace(NETWORK, palette=6, noise=False)),
    "stylegan2-supersampled": replace(
        TINY,
        network=replace(NETWORK, palette=6, supersample=2, plane_scale=2, overlays=1, noise=False, judge_units=24),
        attribute_loss=0.5,
    ),
    "stylegan": replace(
        TINY,
        network=StyleGANConfig(
            z_dim=16, w_dim=16, mapping_layers=2, width=16, base=256, stable_kimg=0.016, fade_kimg=0.128, palette=6
        ),
    ),
    "fastgan": replace(TINY, network=FastGANConfig(z_dim=16, width=16, base=128, palette=6, supersample=2)),
    "dcgan": replace(
        TINY, network=DCGANConfig(z_dim=16, width=8, max_width=16, dropout=0.1), loss="bce", noisy_labels=0.1
    ),
}
ATTRIBUTES = {"colour": ("blue", "red"), "shape": ("bar", "square")}


def write_dataset(folder: Path, count: int = 40, channels: int = 4, labelled: bool = True) -> Path:
    """A folder as `prepare` leaves it: 16 px squares and bars, red and blue, on transparency (or black)."""
    (folder / "00").mkdir(parents=True)
    rows = []
    for i in range(count):
        colour, shape = ATTRIBUTES["colour"][i % 2], ATTRIBUTES["shape"][i // 2 % 2]
        image = np.zeros((16, 16, channels), np.uint8)
        part = np.s_[4:12, 4 : 12 if shape == "square" else 7]
        image[part] = [0, 40, 255, 255][:channels] if colour == "blue" else [255, 40, i, 255][:channels]
        save_png(folder / f"00/{i:05d}.png", image)
        row = {"file_name": f"00/{i:05d}.png", "source": f"shape-{i}"}
        rows.append({**row, **({"colour": colour, "shape": shape} if labelled else {})})
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    facts = {
        "name": "shapes", "resolution": 16, "channels": channels, "count": count, "pixel_size": 1,
        "licence": "cc0-1.0", "statement": "Drawn by the tests.", "fit": "pad", "background": "none",
        "attributes": ATTRIBUTES if labelled else {},
    }  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(facts), "utf-8")
    return folder
