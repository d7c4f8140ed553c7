"""Pictures to features: the two networks in whose spaces distances are measured, with the names of the distances."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.hub import get_dir, load_state_dict_from_url

from ganapp.metrics.efficientnet import FEATURES, load_efficientnet
from ganapp.pictures.alpha import composite

# Pixels a side that EfficientNet sees. Pixel art is enlarged smoothly too: a linear classifier of the features got 72 %
# of the attributes of 32 px faces right, and 67 % when they were enlarged as squares. With 160 pixels it got 74 %, at
# two thirds of the speed. bfloat16 would double the speed on some CPUs, but move the distances by 2 %.
SIDE = 128
CHUNKS = {"cpu": 16, "cuda": 256}  # pictures at a time; on a CPU more are slower, as they leave its cache

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@dataclass(frozen=True)
class Extractor:
    """A network that gives features, and the names of two distances between them; only Inception's is called FID."""

    name: str
    title: str
    frechet: str
    kernel: str
    network: Callable[[Tensor], Tensor]  # uint8 [N, 3, H, W] -> float32 [N, F]
    device: torch.device

    def features(self, images: np.ndarray) -> Tensor:
        """Features float32 [N, F], on the CPU, of images uint8 [N, H, W, 3], each apart from the others."""
        chunk = CHUNKS.get(self.device.type, min(CHUNKS.values()))
        with torch.inference_mode():
            return torch.cat([self._run(images[at : at + chunk]) for at in range(0, len(images), chunk)])

    def _run(self, images: np.ndarray) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(images)).to(self.device).permute(0, 3, 1, 2)
        return self.network(x).float().cpu()


def load_extractor(name: str, weights: Path | None = None, device: torch.device | str = "cpu") -> Extractor:
    """The extractor of this name, ready to run. `weights` is a file with Inception's, by default downloaded.

    Raises ValueError when there is no such extractor, or its weights cannot be had or are not its own.
    """
    if name not in EXTRACTORS:
        raise ValueError(f"--features {name}: there is none; choose from {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name](weights, torch.device(device))


def backgrounds(images: np.ndarray) -> list[np.ndarray]:
    """The pictures uint8 [N, H, W, C] as uint8 [N, H, W, 3]: RGB as they are, RGBA once over black and once over white.

    A metric of RGBA pictures is the mean of both: what one background hides shows on the other.
    """
    if images.shape[-1] == 3:
        return [images]
    return [np.stack([composite(image, colour) for image in images]) for colour in (BLACK, WHITE)]


def _efficientnet(weights: Path | None, device: torch.device) -> Extractor:
    if weights is not None:
        raise ValueError("--weights is for --features inception; those of efficientnet-lite0 are installed")
    net = load_efficientnet().to(device)

    def network(x: Tensor) -> Tensor:
        x = F.interpolate(x.float(), (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 255)
        return net(((x - 127) / 128).contiguous(memory_format=torch.channels_last))

    return Extractor(
        name="efficientnet-lite0",
        title=f"EfficientNet-Lite0, {FEATURES} features",
        frechet="Fréchet distance (EfficientNet-Lite0 features)",
        kernel="Kernel distance (EfficientNet-Lite0 features)",
        network=network,
        device=device,
    )


def _inception(weights: Path | None, device: torch.device) -> Extractor:
    try:
        from ganapp.metrics.inception import URL_INCEPTION_V3, FeatureExtractorInceptionV3
    except ImportError:
        # torch is named too, or pip may take the newest torchvision, and with it another torch: gigabytes.
        version = torch.__version__.partition("+")[0]
        raise ValueError(
            f"--features inception needs torch-fidelity: `pip install torch-fidelity torch=={version}`, "
            "or measure with --features efficientnet-lite0"
        ) from None
    path = _download(URL_INCEPTION_V3) if weights is None else weights
    if not path.is_file():
        raise ValueError(f"--weights {path}: there is no such file")
    try:
        # torch-fidelity unpickles whatever the file holds, so first it must be seen to hold tensors only.
        torch.load(path, map_location="cpu", weights_only=True)
        net = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: not the weights of torch-fidelity's InceptionV3 ({reason})") from None
    net = net.to(device)
    return Extractor("inception", "InceptionV3, 2048 features", "FID", "KID", lambda x: net(x)[0], device)


def _download(address: str) -> Path:
    """The file that torch-fidelity names, in torch's cache of downloads. Raises ValueError when it cannot be had."""
    path = Path(get_dir(), "checkpoints", address.rpartition("/")[2])
    try:
        load_state_dict_from_url(address, map_location="cpu", check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:  # no network, no disk; another file than the one with this hash
        raise ValueError(
            f"--features inception: cannot download its weights ({error}); get {address} elsewhere "
            "and name the file with --weights, or measure with --features efficientnet-lite0"
        ) from None
    return path


EXTRACTORS = {"efficientnet-lite0": _efficientnet, "inception": _inception}
