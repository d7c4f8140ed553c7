"""Each failure is named when it comes, with evidence and remedy, and no healthy run is told that it fails."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from ganapp.train.gan.monitor import (
    COLLAPSED,
    COPIES,
    GONE_AFTER,
    LEAK,
    OVERFITTING,
    RAISED_AFTER,
    RULES,
    Monitor,
    Quality,
    Signals,
    r_v,
)

# As measured on a healthy run of 344 kimg at 64 px: KID, precision, recall, and the spread relative to real images.
MEASURED = (
    (1.93, 0.00, 0.00, 1.11), (1.63, 0.00, 0.00, 1.03), (1.50, 0.00, 0.01, 1.06), (1.31, 0.02, 0.02, 1.04),
    (1.12, 0.00, 0.04, 1.05), (1.09, 0.00, 0.04, 1.06), (1.00, 0.00, 0.06, 1.07), (0.91, 0.02, 0.11, 1.08),
    (0.85, 0.02, 0.11, 1.07), (0.79, 0.02, 0.26, 1.10), (0.73, 0.04, 0.26, 1.09), (0.69, 0.05, 0.25, 1.10),
)  # fmt: skip
# The same of its first 20 kimg: how far D tells training images from fakes, in logits and as a share of pairs.
FIRST = (
    (0.85, 0.956), (1.20, 0.958), (1.59, 0.966), (2.17, 0.978), (2.57, 0.985), (3.02, 0.990), (3.02, 0.984),
    (3.07, 0.989), (3.22, 0.993), (3.08, 0.987), (3.17, 0.991), (3.33, 0.994), (2.93, 0.978), (3.06, 0.985),
    (3.13, 0.990), (3.15, 0.994), (3.24, 0.996), (3.01, 0.983), (3.06, 0.989), (2.87, 0.974),
)  # fmt: skip

GOOD = Quality(
    kid=0.7, frechet=460.0, precision=0.6, recall=0.4, spread_fake=10.0, spread_real=10.0,
    nearest_fake=7.0, nearest_held_out=6.5, kid_augmented=None,
)  # fmt: skip
WELL = Signals(
    seen=0, D_train=1.0, D_held_out=0.7, D_fake=-1.5, ahead=0.96, augment_p=0.0, restored=0, skipped=0, quality=None
)


def healthy() -> list[Signals]:
    """A run's signals every kimg with a measurement every 30: logits drift together, as relativistic ones do."""
    out = []
    for kimg in range(1, 361):
        gap, ahead = FIRST[kimg - 1] if kimg <= len(FIRST) else (2.4, 0.97)
        drift = 5 * math.sin(kimg / 7)
        overfitting = 0.5 * kimg / 360 + 0.05 * math.sin(kimg)
        quality = None
        if kimg % 30 == 0:
            kid, precision, recall, spread = MEASURED[kimg // 30 - 1]
            quality = replace(
                GOOD, kid=kid, precision=precision, recall=recall, spread_fake=10 * spread, kid_augmented=kid * 1.05
            )
        out.append(Signals(kimg * 1000, drift, drift - overfitting * gap, drift - gap, ahead, 0.3, 0, 0, quality))
    return out


def names(monitor: Monitor, series: Iterable[Signals]) -> list[str]:
    return [finding.name for each in series for finding in monitor.check(each)]


def series(make: Callable[[int], Signals], count: int = 12) -> list[Signals]:
    """`count` signals, one for each step from 0."""
    return [replace(make(i), seen=400_000 + 1000 * i) for i in range(count)]


def measured(i: int, **changes: float | None) -> Signals:
    return replace(WELL, quality=replace(GOOD, **({"kid": 0.7 * 0.9**i} | changes)))


OVERFITTED = replace(WELL, D_held_out=-1.2)
FAILING = {
    "discriminator overfits": lambda i: OVERFITTED,
    "discriminator overpowers": lambda i: replace(WELL, D_train=6.0, D_held_out=5.0, D_fake=-9.0, ahead=1.0),
    "mode collapse": lambda i: measured(i, kid=0.7 + 0.001 * i, spread_fake=10 * (0.9 if i < 3 else 0.4)),
    "memorisation": lambda i: measured(i, nearest_fake=3.0),
    "augmentation leak": lambda i: measured(i, kid_augmented=0.2 * 0.9**i),
    "divergence": lambda i: replace(WELL, skipped=int(i > 3)),
    "past its best": lambda i: measured(i, kid=0.7 + 0.05 * max(0, i - 2)),
}


@pytest.mark.parametrize("augment", ["none", "fixed", "adaptive"])
def test_a_healthy_run_is_told_nothing(augment: str):
    assert names(Monitor(augment, 0.8), healthy()) == []


@pytest.mark.parametrize("name", FAILING)
def test_a_failure_is_named_once_with_numbers_and_a_remedy(name: str):
    monitor = Monitor()
    assert names(monitor, healthy()) == []
    [finding] = [finding for each in series(FAILING[name]) for finding in monitor.check(each)]
    assert finding.name == name
    assert any(letter.isdigit() for letter in finding.evidence) and finding.remedy.endswith(".")


def test_every_rule_has_a_failure_here():
    assert {rule.name for rule in RULES} == FAILING.keys()


@pytest.mark.parametrize("name", [name for name in FAILING if name not in ("divergence", "past its best")])
def test_no_failure_is_named_by_a_single_bad_signal(name: str):
    bad = series(FAILING[name])[-1]
    fine = replace(WELL, quality=GOOD)
    assert names(Monitor(), [fine, bad, fine, bad, fine, bad]) == []


def test_divergence_is_named_by_the_first_step_left_out_and_by_a_restoration():
    assert names(Monitor(), [WELL, replace(WELL, skipped=1)]) == ["divergence"]
    monitor = Monitor()
    [finding] = monitor.check(replace(WELL, skipped=8, restored=1))
    assert "8 steps were left out" in finding.evidence and "last good state" in finding.evidence


@pytest.mark.parametrize("name", [name for name in FAILING if name not in ("divergence", "past its best")])
def test_a_finding_comes_again_only_after_it_was_gone_for_a_while(name: str):
    [rule] = [rule for rule in RULES if rule.name == name]
    worst = series(FAILING[name])[-1]
    fine = replace(WELL, quality=GOOD)
    bad = [worst if worst.quality is None else replace(worst, quality=replace(worst.quality, kid=GOOD.kid))]
    bad, gone = bad * RAISED_AFTER[rule.pace], GONE_AFTER[rule.pace]
    monitor = Monitor()
    assert names(monitor, [*[fine] * 4, *bad, *bad]) == [name]
    assert names(monitor, [*[fine] * (gone - 1), *bad]) == []
    assert names(monitor, [*[fine] * gone, *bad]) == [name]


def test_steps_left_out_now_and_then_are_one_finding():
    monitor, gone = Monitor(), GONE_AFTER["event"]
    often = [replace(WELL, skipped=i // (gone // 2)) for i in range(gone * 5)]
    assert names(monitor, often) == ["divergence"]
    assert names(monitor, [often[-1]] * gone + [replace(WELL, skipped=99)]) == ["divergence"]


def test_signals_without_quality_do_not_touch_what_quality_decides():
    bad = measured(0, nearest_fake=1.0)
    assert names(Monitor(), [bad, *[WELL] * 50, bad]) == ["memorisation"]


def test_what_is_not_known_is_not_held_against_a_run():
    nothing = Signals(0, math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0, None)
    unknown = Quality(*[math.nan] * 8, None)
    assert names(Monitor(), [replace(nothing, seen=i, quality=unknown) for i in range(30)]) == []


def test_r_v_is_0_for_like_training_1_for_like_fakes_and_needs_no_zero_of_the_logits():
    for shift, scale in ((0, 1), (-40, 1), (7, 3)):
        at = [x * scale + shift for x in (2.0, 0.0)]
        for share in (0.0, 0.25, 1.0):
            held_out = at[0] + share * (at[1] - at[0])
            assert r_v(replace(WELL, D_train=at[0], D_held_out=held_out, D_fake=at[1])) == pytest.approx(share)


@pytest.mark.parametrize("D_fake", [1.0, 0.9, 1.2, 3.0, math.nan])
def test_a_discriminator_that_cannot_tell_fakes_apart_is_not_said_to_overfit(D_fake: float):
    blind = replace(WELL, D_train=1.0, D_held_out=0.5, D_fake=D_fake)
    assert r_v(blind) is None
    assert names(Monitor(), [blind] * 20) == []


def test_overfitting_that_a_rising_augmentation_still_answers_is_not_named():
    rising, capped = replace(OVERFITTED, augment_p=0.5), replace(OVERFITTED, augment_p=0.8)
    assert names(Monitor("adaptive", max_p=0.8), [rising] * 50) == []
    assert names(Monitor("adaptive", max_p=0.8), [capped] * 50) == ["discriminator overfits"]
    assert names(Monitor("fixed", max_p=0.8), [rising] * 50) == ["discriminator overfits"]


def test_an_augmentation_that_leaves_its_cap_for_a_while_takes_no_finding_back():
    rising, capped = replace(OVERFITTED, augment_p=0.5), replace(OVERFITTED, augment_p=0.8)
    monitor = Monitor("adaptive", max_p=0.8)
    assert names(monitor, [*[capped] * 9, *[rising] * 99, *[capped] * 9]) == ["discriminator overfits"]


def test_the_remedy_for_overfitting_is_not_what_the_run_does_already():
    remedy = {}
    for augment in ("none", "fixed", "adaptive"):
        monitor = Monitor(augment, 0.8)
        [finding] = [f for _ in range(9) for f in monitor.check(replace(OVERFITTED, augment_p=0.8))]
        remedy[augment] = finding.remedy
    assert "--augment adaptive" in remedy["none"] and "--augment adaptive" in remedy["fixed"]
    assert "--augment" not in remedy["adaptive"]


def test_a_discriminator_always_ahead_is_no_failure_while_kid_falls():
    ahead = [replace(measured(i), seen=i, ahead=0.999) for i in range(20)]
    assert names(Monitor(), ahead) == []
    certain = [replace(each, D_train=20.0, D_held_out=19.0) for each in ahead]
    assert "discriminator overpowers" not in names(Monitor(), certain[3:])


def test_a_discriminator_always_ahead_is_named_where_kid_does_not_fall():
    stuck = [replace(measured(i, kid=2.0 - 0.01 * i), seen=i, ahead=0.999) for i in range(20)]
    assert names(Monitor(), stuck) == ["discriminator overpowers"]


def test_without_a_measurement_only_a_discriminator_far_ahead_is_named():
    assert names(Monitor(), [replace(WELL, ahead=0.999)] * 30) == []
    far = replace(WELL, D_train=12.0, D_held_out=11.0, ahead=0.999)
    assert names(Monitor(), [far] * 30) == ["discriminator overpowers"]


def test_a_discriminator_that_wins_by_heart_overfits_and_does_not_overpower():
    both = replace(OVERFITTED, D_train=12.0, D_held_out=-1.0, ahead=1.0)
    assert names(Monitor(), [both] * 30) == ["discriminator overfits"]


def test_samples_that_were_never_varied_are_no_collapse_while_kid_falls():
    young = [measured(i, kid=2.0 * 0.9**i, spread_fake=4.0 + 0.5 * i, precision=0.0, recall=0.0) for i in range(6)]
    assert names(Monitor(), young) == []
    assert names(Monitor(), [measured(i, kid=2.0, spread_fake=4.0) for i in range(6)]) == ["mode collapse"]


def test_variety_that_was_there_and_went_is_a_collapse_even_while_kid_falls():
    assert names(Monitor(), [measured(i, spread_fake=10.0 if i < 3 else 5.0) for i in range(6)]) == ["mode collapse"]


def test_real_looks_without_any_variety_are_a_collapse_however_the_samples_differ():
    assert names(Monitor(), [measured(i, precision=0.9, recall=0.01) for i in range(3)]) == ["mode collapse"]


def test_recall_traded_for_precision_is_a_collapse_unless_kid_gains_by_it():
    def trade(i: int, kid: float = 0.7, gain: float = 0.05) -> Signals:
        return measured(i, kid=kid, recall=0.6 - 0.08 * i, precision=0.3 + gain * i)

    assert names(Monitor(), [trade(i) for i in range(6)]) == ["mode collapse"]
    assert names(Monitor(), [trade(i, kid=0.7 * 0.9**i) for i in range(6)]) == []
    assert names(Monitor(), [trade(i, gain=0) for i in range(6)]) == []


def test_kids_near_zero_show_no_leak():
    begin = [measured(0, kid=2.0), measured(0, kid=0.5)]
    assert names(Monitor(), [*begin, *[measured(0, kid=0.01, kid_augmented=0.002)] * 4]) == []


def test_a_threshold_parts_the_two_sides_of_it():
    sides = {
        "discriminator overfits": lambda by: replace(WELL, D_held_out=1.0 - (OVERFITTING + by) * 2.5),
        "memorisation": lambda by: measured(0, nearest_fake=(COPIES - by) * 6.5),
        "mode collapse": lambda by: measured(0, spread_fake=(COLLAPSED - by) * 10),
        "augmentation leak": lambda by: measured(0, kid_augmented=(LEAK - by) * 0.7),
    }
    for name, at in sides.items():
        assert names(Monitor(), [at(0.01)] * 8) == [name]
        assert names(Monitor(), [at(-0.01)] * 8) == []


def test_a_resumed_run_goes_on_with_the_measurements_and_findings_of_its_log():
    kids = [1.0, 0.7, 0.9, 0.92]
    log = [{"seen": 1000 * i, **vars(replace(GOOD, kid=kid))} for i, kid in enumerate(kids)]
    log = [{"seen": 10, "G": 1.0}, *[{k: v for k, v in line.items() if v is not None} for line in log]]
    resumed = Monitor()
    resumed.replay([*log, {"seen": 3500, "finding": "memorisation", "evidence": "e", "remedy": "r"}])
    past = [replace(WELL, seen=5000 + i, quality=replace(GOOD, kid=0.95, nearest_fake=1.0)) for i in range(3)]
    assert names(resumed, past) == ["past its best"]


def test_a_run_that_goes_back_is_told_again_what_its_log_no_longer_says():
    monitor = Monitor()
    copies = [replace(measured(0, nearest_fake=1.0), seen=seen) for seen in (1000, 2000)]
    past = [replace(measured(0, kid=kid), seen=3000 + i) for i, kid in enumerate((0.7, 0.9, 0.9, 0.9, 0.9))]
    assert names(monitor, [*copies, *past, replace(WELL, seen=4000, skipped=3)]) == [
        "memorisation",
        "past its best",
        "divergence",
    ]
    monitor.rewind(2500)
    assert len(monitor.history) == 2
    assert names(monitor, [replace(WELL, seen=2500, skipped=8, restored=1), copies[0]]) == ["divergence"]


def test_a_line_of_a_log_may_lack_a_measurement():
    monitor = Monitor()
    monitor.replay([{"seen": 5, "kid": 0.7}, {"seen": 6, "finding": "of another version"}])
    assert names(monitor, [replace(WELL, quality=GOOD)] * 3) == []
