"""The models of a weights folder: found at once, opened when first asked for, the broken ones named."""

import logging
import threading
from pathlib import Path

from ganapp.contract import GENERATOR, MAPPING, SYNTHESIS, BundleError, GeneratorSpec
from ganapp.serve.generator import Generator, open_generator, read_spec

log = logging.getLogger(__name__)

FAVOURITE = "critters"  # shown first where it is there


class Library:
    """The generators under `weights_dir`, one folder each. Safe from many threads.

    `specs` has the usable ones by folder name, the default first; `broken` the reason for each other one.
    Folders without a generator's files, such as an upscaler's, and hidden ones are passed over.
    """

    def __init__(self, weights_dir: Path) -> None:
        """Raises BundleError if there is no such folder, or nothing in it that can be used."""
        self.weights_dir = weights_dir
        self.specs: dict[str, GeneratorSpec] = {}
        self.broken: dict[str, str] = {}
        try:
            if not weights_dir.is_dir():
                raise BundleError(f"{weights_dir}: no such folder; name one with --weights")
            folders = sorted(weights_dir.iterdir(), key=lambda folder: (folder.name != FAVOURITE, folder.name))
        except OSError as error:
            raise BundleError(
                f"{weights_dir}: cannot be read ({error.strerror}); name another with --weights"
            ) from None
        root = weights_dir.resolve()
        for folder in folders:
            if folder.name.startswith("."):  # what an export is still writing, or a tool keeps for itself
                continue
            try:
                if not folder.is_dir() or not _holds_a_generator(folder):
                    continue
                if not folder.resolve().is_relative_to(root):
                    raise BundleError(f"{folder}: leads out of {weights_dir}; copy the folder into it")
                self.specs[folder.name] = read_spec(folder)
            except BundleError as error:
                self._give_up(folder.name, str(error))
            except OSError as error:
                self._give_up(folder.name, f"{folder}: cannot be read ({error.strerror}); let this user read it")
        if not self.specs:
            reasons = "".join(f"\n  {reason}" for reason in self.broken.values())
            raise BundleError(
                f"{weights_dir}: no usable model; train and export one, or name another folder with --weights{reasons}"
            )
        self._generators: dict[str, Generator] = {}
        self._locks = {name: threading.Lock() for name in self.specs}

    def names(self) -> list[str]:
        """The usable models, the default first."""
        return list(self.specs)

    @property
    def default(self) -> str:
        """The first usable model; of a folder whose last model has just turned out broken, a broken one."""
        return next(iter(self.specs or self.broken))

    def spec(self, name: str) -> GeneratorSpec:
        """What the model can do, without opening it. Raises BundleError if it is broken, ValueError if unknown."""
        specs = self.specs
        if isinstance(name, str) and name in specs:
            return specs[name]
        if isinstance(name, str) and name in self.broken:
            raise BundleError(self.broken[name])
        raise ValueError(f"there is no model {name!r:.60}; choose one of: {', '.join(self.names())}")

    def generator(self, name: str) -> Generator:
        """The model, opened when first asked for. Raises as `spec`."""
        self.spec(name)
        with self._locks[name]:  # one thread opens it, the others wait for that and not for other models
            if name not in self._generators:
                try:
                    self._generators[name] = open_generator(self.weights_dir / name)
                except BundleError as error:
                    self._give_up(name, str(error))
                    raise
            return self._generators[name]

    def _give_up(self, name: str, reason: str) -> None:
        log.warning("%s", reason)
        self.broken[name] = reason
        # A new dict, since another thread may be walking the old one.
        self.specs = {known: spec for known, spec in self.specs.items() if known != name}


def _holds_a_generator(folder: Path) -> bool:
    return any((folder / name).exists() or (folder / name).is_symlink() for name in (MAPPING, SYNTHESIS, GENERATOR))
