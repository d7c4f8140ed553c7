"""The directions of a style space along which pictures change most, and what they change."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ganapp.contract import GeneratorSpec
from ganapp.directions import LONGEST_NAME, Direction
from ganapp.latents import LAYER_RANGES, layer_range, z_from_seeds

STYLES = 2048  # of the mapping's, whose spread is measured
SPREAD, FOUND = 4, 2  # directions of all layers, and of each third of them
TOLD = 0.35  # share of the variance along a direction that an attribute must explain for the direction to have its name
NAMES = {"coarse": "shape", "middle": "parts", "fine": "colour"}


def directions(G: nn.Module, spec: GeneratorSpec) -> tuple[Direction, ...]:
    """The directions of a generator with a style space; none of one without.

    Some are principal components of its styles (Härkönen et al. 2020, arXiv:2004.02546), for all layers: what its
    pictures differ by. Others are the directions to which the layers of a third answer most, the first eigenvectors of
    AᵀA of their affine maps A (Shen & Zhou 2021, arXiv:2007.06600, eq. 7). A direction along which the values of one
    attribute lie apart has the name of that attribute, and of the values at its ends.
    """
    if not spec.num_ws:
        return ()
    seeds = range(STYLES)
    labels = np.array(spec.label_rows({}, seeds), np.float32)
    with torch.no_grad():
        w = G.mapping(torch.from_numpy(z_from_seeds(seeds, spec.z_dim)), torch.from_numpy(labels)).double().numpy()
    around = w - w.mean(0)
    _, _, components = np.linalg.svd(around, full_matrices=False)
    layers = list(range(spec.num_ws))
    found = [("all", layers, vector) for vector in components[:SPREAD]]
    for third in LAYER_RANGES:
        own = layer_range(third, spec.num_ws)
        if own:
            found += [(third, own, vector) for vector in answered(G.synthesis.affines(), own)[:FOUND]]
    made: list[Direction] = []
    for third, own, vector in found:
        along = around @ vector
        vector = vector * along.std()
        plain = NAMES.get(third, "style")
        name = told(along, labels, spec, third) or f"{plain} {sum(d.name.startswith(f'{plain} ') for d in made) + 1}"
        made.append(Direction.of(unique(name, made), own, vector.tolist()))
    return tuple(made)


def answered(affines: Sequence[Sequence[Tensor]], layers: Sequence[int]) -> np.ndarray:
    """Directions [w_dim, w_dim], the one to which these layers answer most first; `affines` are each layer's maps."""
    stacked = torch.cat([matrix.detach() for layer in layers for matrix in affines[layer]]).double().numpy()
    _, _, vectors = np.linalg.svd(stacked, full_matrices=False)
    return vectors


def told(along: np.ndarray, labels: np.ndarray, spec: GeneratorSpec, third: str) -> str | None:
    """What the styles that lie so far `along` a direction differ by, if it is mostly one attribute."""
    best, text, start = TOLD, None, 0
    for attribute, values in spec.attributes.items():
        block = labels[:, start : start + len(values)]
        start += len(values)
        seen = block.sum(1) > 0
        counts = block.sum(0)
        if not seen.any() or (counts > 0).sum() < 2:
            continue
        means = np.divide(along @ block, counts, out=np.full(len(values), np.nan), where=counts > 0)
        between = np.nansum(counts * (means - along[seen].mean()) ** 2) / seen.sum()
        share = between / along[seen].var()
        if share > best:
            low, high = values[int(np.nanargmin(means))], values[int(np.nanargmax(means))]
            best, text = share, f"{attribute.replace('_', ' ')}: {low} – {high}"
    return f"{text} ({NAMES[third]})" if text and third in NAMES else text


def unique(name: str, made: Sequence[Direction]) -> str:
    """The name, short enough and with a number where it is taken."""
    name = "".join(c for c in name if c.isprintable())[: LONGEST_NAME - 5]
    taken = {direction.name for direction in made}
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name} {number}", number + 1
    return unique
