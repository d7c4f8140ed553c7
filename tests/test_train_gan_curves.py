"""The curves are drawn whatever a log holds, and show what it says."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from ganapp.train.gan.curves import LISTED, badges, draw_curves, footnotes, panels, running_mean
from ganapp.train.gan.runlog import RunLog

TRAINING = {"seen": [1000, 2000, 3000], "G": [1.0, 2.0, 1.5], "D": [0.3, 0.2, 0.1], "img_per_sec": [9.0, 10.0, 11.0]}
LOGITS = {"real": [1.0, 2.0, 3.0], "fake": [0.0, 0.0, -1.0]}
WATCHED = {"r_v": [None, 0.1, 0.2], "ahead": [0.9, 0.9, 0.9], "augment_p": [0.0, 0.0, 0.1]}
FINDING = {"seen": 2500, "finding": "divergence", "evidence": "e", "remedy": "r"}


def quality(*kids: float | None) -> dict:
    seen = [1000 * (i + 1) for i in range(len(kids))]
    return {"seen": seen, "kid": list(kids), "precision": [0.5] * len(kids), "recall": [0.4] * len(kids)}


def size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.size


@pytest.mark.parametrize(
    "log",
    [
        RunLog(TRAINING | LOGITS | WATCHED, quality(2.0, 0.5, 0.1), [FINDING] * 3),
        RunLog(TRAINING | LOGITS, {}, []),
        RunLog({}, quality(1.0), []),
        RunLog({}, quality(3.0, 0.001, 0.01), []),
        RunLog({}, quality(1.0, -0.001, 0.0), []),
        RunLog({}, quality(None, 1.0, None), []),
        RunLog(TRAINING, quality(1.0, 1.0), [FINDING]),
        RunLog({name: values[:1] for name, values in TRAINING.items()}, {}, []),
        RunLog({"seen": [0], "G": [0.0]}, {}, []),
    ],
    ids=["all", "no quality", "one kid", "decades", "negative", "unknown", "level", "one line", "no image"],
)
def test_any_log_gives_a_picture_as_wide_as_the_others(log: RunLog):
    assert size(draw_curves(log, "shapes"))[0] == 1200


def test_a_log_without_numbers_gives_none():
    assert draw_curves(RunLog({}, {}, []), "shapes") is None
    assert draw_curves(RunLog({"seen": [1000], "G": [None]}, {}, []), "shapes") is None


def test_a_picture_is_of_the_log_alone_and_no_setting_of_a_person_changes_it():
    log = RunLog(TRAINING, quality(1.0, 0.5), [])
    plain = draw_curves(log, "shapes")
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "lines.linewidth": 9}):
        assert draw_curves(log, "shapes") == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_the_best_checkpoint_and_each_finding_are_marked():
    def colours(log: RunLog) -> np.ndarray:
        with Image.open(io.BytesIO(draw_curves(log, "shapes"))) as picture:
            return np.asarray(picture.convert("RGB")).reshape(-1, 3)

    def count(log: RunLog, colour: tuple[int, int, int]) -> int:
        return int((colours(log) == colour).all(1).sum())

    green, red = (0, 158, 115), (179, 38, 30)
    plain, measured = RunLog(TRAINING, {}, []), RunLog(TRAINING, quality(1.0, 0.5), [])
    assert count(plain, green) == 0 < count(measured, green)
    assert count(plain, red) == 0 < count(RunLog(TRAINING, {}, [FINDING]), red)


def test_logits_are_shown_only_where_overfitting_is_not():
    def titles(log: RunLog) -> list[str]:
        return [panel.unit for panel, _ in panels(log)]

    assert "logit" in titles(RunLog(TRAINING | LOGITS, {}, []))
    assert titles(RunLog(TRAINING | LOGITS | WATCHED, {}, [])) == ["loss", "share", "images/s"]


def test_findings_close_together_share_a_mark_and_none_is_lost():
    findings = [FINDING | {"seen": seen} for seen in (1000, 1500, 50_000, 99_000, 100_000)]
    assert badges(findings, 100.0) == [(1.0, "1–2"), (50.0, "3"), (99.0, "4–5")]
    assert len(footnotes(findings)) == 5
    assert footnotes([FINDING] * (LISTED + 2))[-1] == "and 2 more"


def test_a_running_mean_keeps_a_constant_skips_gaps_and_keeps_short_series():
    values = np.full(500, 3.0)
    values[100:150] = np.nan
    smooth = running_mean(values)
    assert np.allclose(smooth[np.isfinite(smooth)], 3) and np.isnan(smooth[125]) and smooth[102] == 3
    assert np.array_equal(running_mean(np.arange(9.0)), np.arange(9.0))
