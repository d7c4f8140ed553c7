"""The models of a weights folder: found at once, opened when first asked for, the broken ones named."""

import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

from ganapp.contract import GENERATOR, MAPPING, SYNTHESIS, UPSCALER, BundleError, GeneratorSpec, UpscalerSpec
from ganapp.folders import printable
from ganapp.serve.generator import Generator, open_generator, read_spec
from ganapp.serve.upscaler import Upscaler, open_upscaler, read_upscaler_spec

log = logging.getLogger(__name__)

FAVOURITE = "critters"  # shown first where it is there
FAVOURITE_UPSCALERS = "cleanup"  # upscalers whose names begin with this are used before others of their scale


class Served(Protocol):
    """A model that tells when it fails."""

    def on_failure(self, tell: Callable[[str], None]) -> None: ...


Spec = TypeVar("Spec")
Model = TypeVar("Model", bound=Served)


class Shelf(Generic[Spec, Model]):
    """The models of one kind: `specs` of the usable ones by folder name, `broken` the reason for each other one."""

    def __init__(
        self, kind: str, files: Collection[str], read: Callable[[Path], Spec], open_folder: Callable[[Path], Model]
    ) -> None:
        """A model is a folder with any of `files`; `read` gives its spec, `open_folder` the model itself."""
        self.kind = kind
        self.specs: dict[str, Spec] = {}
        self.broken: dict[str, str] = {}
        self._files, self._read, self._open_folder = files, read, open_folder
        self._opened: dict[str, Model] = {}
        self._locks: dict[str, threading.Lock] = {}

    def add(self, folder: Path, root: Path) -> None:
        """Take in the model of this kind that `folder` holds, if any; one that cannot be used is logged."""
        try:
            if not folder.name.isprintable():
                raise BundleError(f"{folder}: has a name that is no text; rename the folder")
            if not folder.is_dir() or not any((folder / n).exists() or (folder / n).is_symlink() for n in self._files):
                return
            if not folder.resolve().is_relative_to(root.resolve()):
                raise BundleError(f"{folder}: leads out of {root}; copy the folder into it")
            self.specs[folder.name] = self._read(folder)
            self._locks[folder.name] = threading.Lock()
        except BundleError as error:
            self._give_up(folder.name, str(error))
        except OSError as error:
            self._give_up(folder.name, f"{folder}: cannot be read ({error.strerror}); let this user read it")

    def spec(self, name: object) -> Spec:
        specs = self.specs
        if isinstance(name, str) and name in specs:
            return specs[name]
        if isinstance(name, str) and name in self.broken:
            raise BundleError(self.broken[name])
        known = ", ".join(specs) or "none"
        raise ValueError(f"there is no {self.kind} {name!r:.60}; choose one of: {known}")

    def open(self, name: str, folder: Path) -> Model:
        self.spec(name)
        with self._locks[name]:  # one thread opens it, the others wait for that and not for other models
            if name not in self._opened:
                try:
                    opened = self._open_folder(folder)
                    opened.on_failure(lambda reason: self._give_up(name, reason))
                    self._opened[name] = opened
                except BundleError as error:
                    self._give_up(name, str(error))
                    raise
            return self._opened[name]

    def _give_up(self, name: str, reason: str) -> None:
        name, reason = printable(name), printable(reason)
        if name in self.broken:
            return
        log.warning("%s", reason)
        self.broken[name] = reason
        # A new dict, since another thread may be walking the old one.
        self.specs = {known: spec for known, spec in self.specs.items() if known != name}


class Library:
    """The generators and upscalers under `weights_dir`, one folder each. Safe from many threads.

    `specs` has the usable generators by folder name, the default first, and `upscalers` the usable upscalers;
    `broken` has the reason for each generator that cannot be used. Hidden folders, and those without a
    model, are passed over.
    """

    def __init__(self, weights_dir: Path, need: Literal["model", "upscaler"] | None = "model") -> None:
        """Raises BundleError if there is no such folder, or no usable model of the kind `need` in it."""
        self.weights_dir = weights_dir
        self._models: Shelf[GeneratorSpec, Generator] = Shelf(
            "model", (MAPPING, SYNTHESIS, GENERATOR), read_spec, open_generator
        )
        self._upscalers: Shelf[UpscalerSpec, Upscaler] = Shelf(
            "upscaler", (UPSCALER,), read_upscaler_spec, open_upscaler
        )
        for folder in _folders(weights_dir):
            self._models.add(folder, weights_dir)
            self._upscalers.add(folder, weights_dir)
        for shelf in (self._models, self._upscalers):
            if shelf.kind == need and not shelf.specs:
                reasons = "".join(f"\n  {reason}" for reason in shelf.broken.values())
                raise BundleError(
                    f"{weights_dir}: no usable {need}; train and export one, or name another folder with --weights"
                    f"{reasons}"
                )

    @property
    def specs(self) -> dict[str, GeneratorSpec]:
        return self._models.specs

    @property
    def broken(self) -> dict[str, str]:
        return self._models.broken

    @property
    def upscalers(self) -> dict[str, UpscalerSpec]:
        return self._upscalers.specs

    def names(self) -> list[str]:
        """The usable models, the default first."""
        return list(self.specs)

    @property
    def default(self) -> str:
        """The first usable model, or a broken one if the last usable one has just turned out broken."""
        return next(iter(self.specs or self.broken))

    def spec(self, name: object) -> GeneratorSpec:
        """What the model can do, without opening it. Raises BundleError if it is broken, ValueError if unknown."""
        return self._models.spec(name)

    def generator(self, name: str) -> Generator:
        """The model, opened when first asked for. Raises as `spec`."""
        return self._models.open(name, self.weights_dir / name)

    def upscaler_spec(self, name: object) -> UpscalerSpec:
        """As `spec`, for an upscaler."""
        return self._upscalers.spec(name)

    def upscaler(self, name: str) -> Upscaler:
        """The upscaler, opened when first asked for. Raises as `spec`."""
        return self._upscalers.open(name, self.weights_dir / name)


def _folders(weights_dir: Path) -> list[Path]:
    """What lies in the weights folder, favourites first. Raises BundleError if it cannot be read."""
    try:
        if not weights_dir.is_dir():
            raise BundleError(f"{weights_dir}: no such folder; name one with --weights")
        # A hidden folder is what an export is still writing, or a tool keeps for itself.
        folders = [folder for folder in weights_dir.iterdir() if not folder.name.startswith(".")]
    except OSError as error:
        raise BundleError(f"{weights_dir}: cannot be read ({error.strerror}); name another with --weights") from None
    return sorted(folders, key=_rank)


def _rank(folder: Path) -> tuple[bool, bool, str]:
    return folder.name != FAVOURITE, not folder.name.startswith(FAVOURITE_UPSCALERS), folder.name
