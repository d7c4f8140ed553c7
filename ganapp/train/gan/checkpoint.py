"""What a GAN's checkpoint says: its settings, and the facts of the dataset it learnt from."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from torch import Tensor

from ganapp.train.checkpoint import read_tensors, write_tensors
from ganapp.train.gan.config import TrainConfig

SHOWN, JUDGE = "G_ema.", "D."  # beginnings of the names of the tensors that a start holds

BEST = "best.safetensors"  # the state whose samples came nearest to the real pictures, by KID


@dataclass(frozen=True)
class RunFacts:
    """What a checkpoint says besides its tensors: the dataset it learnt from and how far it got.

    `init` says whose weights the run began with, if not with random ones, and `init_seen` how many images of the same
    dataset those had seen; `examples` are labels of training pictures, as GeneratorSpec has them.
    """

    dataset: str
    fingerprint: str
    count: int
    resolution: int
    channels: int
    attributes: dict[str, tuple[str, ...]]
    pixel_size: int
    licence: str
    statement: str
    seen: int = 0
    seconds: float = 0.0
    init: str = ""
    init_seen: int = 0
    examples: tuple[tuple[int, ...], ...] = ()

    @property
    def num_labels(self) -> int:
        return sum(map(len, self.attributes.values()))


def save_checkpoint(path: Path, tensors: dict[str, Tensor], cfg: TrainConfig, facts: RunFacts) -> None:
    """Write `path` whole or not at all."""
    write_tensors(path, tensors, {"config": cfg.to_json(), "facts": json.dumps(vars(facts))})


def write_start(checkpoint: Path, path: Path) -> None:
    """Write the averaged generator and the discriminator of a checkpoint to `path`, in half precision: a seventh of it.

    Raises ValueError as `load_checkpoint`.
    """
    tensors, cfg, facts = load_checkpoint(checkpoint)
    kept = {name: t for name, t in tensors.items() if name.startswith((SHOWN, JUDGE))}
    halved = {name: t.half() if t.is_floating_point() else t for name, t in kept.items()}
    save_checkpoint(path, halved, cfg, facts)


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], TrainConfig, RunFacts]:
    """Tensors by name, settings and facts. Raises ValueError that names the file when it cannot be read."""
    tensors, metadata = read_tensors(path)
    try:
        cfg = TrainConfig.from_json(metadata["config"])
        facts = json.loads(metadata["facts"])
        facts["attributes"] = {name: tuple(values) for name, values in facts["attributes"].items()}
        facts["examples"] = tuple(tuple(example) for example in facts.get("examples", ()))
        return tensors, cfg, checked(RunFacts(**facts))
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a ganapp checkpoint ({' '.join(str(error).split())[:200]})") from None


def checked(facts: RunFacts) -> RunFacts:
    """The facts. Raises TypeError unless each is of its kind: a stranger may have written them."""
    for each in fields(facts):
        value = getattr(facts, each.name)
        kind = {"str": str, "int": int, "float": (int, float)}.get(str(getattr(each.type, "__name__", each.type)))
        if kind and (not isinstance(value, kind) or isinstance(value, bool)):
            raise TypeError(f"{each.name} is {value!r:.60}")
    if min(facts.resolution, facts.channels, facts.pixel_size) < 1 or min(facts.seen, facts.seconds) < 0:
        raise TypeError("its sizes are no sizes")
    if not all(isinstance(value, str) for values in facts.attributes.values() for value in values):
        raise TypeError("its attributes are no lists of strings")
    return facts
