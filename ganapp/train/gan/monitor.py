"""What goes wrong in a run, named while it happens: each failure with its evidence and what to do about it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

from ganapp.train.gan.progress import best, gained, noise, past_best

# Where a threshold speaks of healthy runs, these were runs of this program at 32 and 64 px.
OVERFITTING = 0.8  # of r_v: adaptive augmentation aims at 0.5, a discriminator that learnt all by heart is at 1
TOLD_APART = 0.5  # logits between D_train and D_fake: with fewer, r_v is a quotient of noise
AT_CAP = 0.98  # of max_p: below it, adaptive augmentation still has room to answer
ALWAYS_AHEAD = 0.99  # of pairs ordered rightly: healthy runs touch it in their first 20 kimg, but their KID falls
CERTAIN = 10.0  # logits between D_train and D_fake, odds of 20,000 to 1: healthy runs are at 2 to 5
STALLED_FOR = 3  # measurements without a gain: one or two may be noise
COLLAPSED = 0.75  # of the spread of real images: four pictures over and over have 0.7, healthy samples 0.95 and more
LOST = 0.85  # of the widest spread so far: an untrained generator has a low one too, but has lost nothing
REAL, FEW = 0.5, 0.05  # precision from REAL on with recall up to FEW: in healthy runs recall rises first
TRADE = 4  # measurements over which recall may be traded for precision
LESS_RECALL = 0.1  # with a thousand samples of each, both shares scatter by about 0.02
MORE_PRECISION = 0.05
COPIES = 0.7  # of the distance at which held-out images lie: honest samples are at 1 and, with artefacts, beyond
LEAK = 0.6  # of KID: samples without a leak are at 0.9 and more, those of an untrained generator at 0.66

# Signals in a row. Running means come often and change slowly; measurements of quality are few and dear.
RAISED_AFTER = {"running": 4, "quality": 2, "event": 1}
GONE_AFTER = {"running": 16, "quality": 3, "event": 64}


@dataclass(frozen=True)
class Quality:
    """A measurement of the averaged generator's samples in the features of EfficientNet-Lite0.

    kid, frechet: distances of samples and real images. precision, recall: shares, 0 to 1.
    spread_fake, spread_real: mean pairwise distance of the fixed-seed samples, and of as many real images.
    nearest_fake, nearest_held_out: median distance to the nearest training image, of samples and of held-out images.
    kid_augmented: KID of the samples and augmented real images, None while nothing is augmented.
    """

    kid: float
    frechet: float
    precision: float
    recall: float
    spread_fake: float
    spread_real: float
    nearest_fake: float
    nearest_held_out: float
    kid_augmented: float | None

    def describe(self) -> str:
        """A line for the log."""
        return (
            f"KID {self.kid:.4f}, Fréchet distance {self.frechet:.1f} (EfficientNet-Lite0 features), "
            f"precision {self.precision:.2f}, recall {self.recall:.2f}"
        )


@dataclass(frozen=True)
class Signals:
    """How a run stands after `seen` images; a float that is not known is nan.

    D_train, D_held_out, D_fake: running means of logits, of the same steps and of the discriminator at the same
        point of a step: the logits of a relativistic loss drift together, from one update to the next.
    ahead: running share, 0 to 1, of pairs (training image, fake) that D orders rightly.
    skipped, restored: steps left out for gradients that are not finite, and returns to an earlier state for them,
        both since the monitor was made.
    """

    seen: int
    D_train: float
    D_held_out: float
    D_fake: float
    ahead: float
    augment_p: float
    restored: int
    skipped: int
    quality: Quality | None


@dataclass(frozen=True)
class Finding:
    """A failure by its name, what shows it, and what to do: sentences for the person who trains."""

    name: str
    evidence: str
    remedy: str


@dataclass
class Streak:
    """How many signals in a row were bad, or were good, and since how many images the finding stands, if it does."""

    bad: int = 0
    good: int = 0
    since: int | None = None


@dataclass
class Monitor:
    """Reads the signals of a run one after the other, and says what is newly wrong.

    `augment` says whether what D sees is augmented, `max_p` the highest probability of an adaptive augmentation.
    A finding needs RAISED_AFTER bad signals in a row, and comes again only after GONE_AFTER good ones in between.
    Signals without quality neither raise nor take back what is judged by quality.
    """

    augment: Literal["none", "fixed", "adaptive"] = "none"
    max_p: float = 1.0
    history: list[tuple[int, Quality]] = field(default_factory=list, init=False)
    ahead_since: int | None = field(default=None, init=False)  # `seen` when D began to be ALWAYS_AHEAD
    skipped: int = field(default=0, init=False)
    restored: int = field(default=0, init=False)
    streaks: dict[str, Streak] = field(default_factory=lambda: {rule.name: Streak() for rule in RULES}, init=False)

    def check(self, signals: Signals) -> list[Finding]:
        """The failures that these signals newly show; most often none."""
        if not signals.ahead >= ALWAYS_AHEAD:
            self.ahead_since = None
        elif self.ahead_since is None:
            self.ahead_since = signals.seen
        if signals.quality is not None:
            self.history.append((signals.seen, signals.quality))
        found = []
        for rule in RULES:
            if rule.pace == "quality" and signals.quality is None:
                continue
            evidence = rule.judge(self, signals)
            if evidence is not None and self._raises(rule, evidence != "", signals.seen):
                remedy = rule.remedy if isinstance(rule.remedy, str) else rule.remedy[self.augment]
                found.append(Finding(rule.name, evidence, remedy))
        self.skipped, self.restored = signals.skipped, signals.restored
        return found

    def replay(self, lines: Iterable[Mapping]) -> None:
        """Take up a resumed run: the measurements in the lines of its log count as made, its findings as standing."""
        for line in lines:
            if "kid" in line:
                values = {f.name: line.get(f.name) for f in fields(Quality)}
                known = {k: math.nan if v is None and k != "kid_augmented" else v for k, v in values.items()}
                self.history.append((line["seen"], Quality(**known)))
            elif line.get("finding") in self.streaks:
                self.streaks[line["finding"]] = Streak(since=line["seen"])

    def rewind(self, seen: int) -> None:
        """Forget what came after `seen` images, when the run goes back there: it may be measured and found again."""
        self.history = [(at, quality) for at, quality in self.history if at <= seen]
        if self.ahead_since is not None and self.ahead_since > seen:
            self.ahead_since = None
        for name, streak in self.streaks.items():
            if streak.since is None or streak.since > seen:
                self.streaks[name] = Streak()

    def kids(self) -> list[float]:
        """The KIDs measured so far, in their order."""
        return [quality.kid for _, quality in self.history]

    def _raises(self, rule: "Rule", bad: bool, seen: int) -> bool:
        streak = self.streaks[rule.name]
        streak.bad, streak.good = (streak.bad + 1, 0) if bad else (0, streak.good + 1)
        if streak.good >= GONE_AFTER[rule.pace]:
            streak.since = None
        if streak.since is not None or streak.bad < RAISED_AFTER[rule.pace]:
            return False
        streak.since = seen
        return True


def r_v(signals: Signals) -> float | None:
    """Overfitting of D: 0 when it rates held-out images as training images, 1 when it rates them as fakes.

    None while it hardly tells fakes from training images, or when nothing is held out. Karras et al. 2020,
    arXiv:2006.06676, sec. 3, eq. 1; a quotient of differences also serves logits that have no zero.
    """
    gap = signals.D_train - signals.D_fake
    value = (signals.D_train - signals.D_held_out) / gap if gap >= TOLD_APART else math.nan
    return value if math.isfinite(value) else None


# Each function below judges one failure. It returns the evidence, "" when all is well, or None when the signals do
# not say.


def overfits(monitor: Monitor, signals: Signals) -> str | None:
    value = r_v(signals)
    if value is None or value < OVERFITTING:
        return ""
    if monitor.augment == "adaptive" and signals.augment_p < AT_CAP * monitor.max_p:
        return None  # the augmentation still rises to answer it
    return (
        f"to the discriminator, pictures it never trained on are {min(value, 1):.0%} of the way from its training "
        f"pictures to fakes (r_v {value:.2f}; mean logits {signals.D_train:.2f}, {signals.D_held_out:.2f} and "
        f"{signals.D_fake:.2f}): it knows the training pictures by heart"
    )


def overpowers(monitor: Monitor, signals: Signals) -> str | None:
    if math.isnan(signals.ahead):
        return None
    value = r_v(signals)
    if value is not None and value >= OVERFITTING:
        return None  # it wins because it knows the pictures by heart, which `overfits` judges
    if monitor.ahead_since is None:
        return ""
    wins = (
        f"since {_kimg(monitor.ahead_since)} the discriminator has told {ALWAYS_AHEAD:.0%} of real pictures from fakes"
    )
    measured = sum(seen >= monitor.ahead_since for seen, _ in monitor.history)
    if measured >= STALLED_FOR:
        stalled = not gained(monitor.kids(), STALLED_FOR)
        return f"{wins}, and KID has not fallen over {STALLED_FOR} measurements" if stalled else ""
    gap = signals.D_train - signals.D_fake
    return f"{wins}, by {gap:.1f} logits on average where 2 to 5 are healthy" if gap >= CERTAIN else ""


def collapses(monitor: Monitor, signals: Signals) -> str | None:
    gains = gained(monitor.kids(), 2)
    spreads = [q.spread_fake / q.spread_real for _, q in monitor.history if q.spread_real > 0]
    if spreads and spreads[-1] < COLLAPSED and (not gains or spreads[-1] < LOST * max(spreads)):
        return f"the samples differ from each other only {spreads[-1]:.0%} as much as real pictures do"
    now = signals.quality
    if now.precision >= REAL and now.recall <= FEW:
        return (
            f"{now.precision:.0%} of the samples look real (precision), but all of them cover only {now.recall:.0%} "
            "of the real pictures' variety (recall)"
        )
    if len(monitor.history) < TRADE or gains:
        return ""
    qualities = [quality for _, quality in monitor.history[-TRADE:]]
    recalls, precisions = [q.recall for q in qualities], [q.precision for q in qualities]
    if _rise(recalls) > -LESS_RECALL or _rise(precisions) < MORE_PRECISION:
        return ""
    return (
        f"over {TRADE} measurements the share of the real pictures' variety that the samples cover (recall) fell "
        f"from {recalls[0]:.0%} to {recalls[-1]:.0%}, while more of the samples look real (precision "
        f"{precisions[0]:.0%}, then {precisions[-1]:.0%}), and KID gained nothing by it"
    )


def memorises(monitor: Monitor, signals: Signals) -> str | None:
    """Judges by the distances that Meehan et al. 2020, arXiv:2004.05675, sec. 3, compare."""
    fake, held_out = signals.quality.nearest_fake, signals.quality.nearest_held_out
    if not fake < COPIES * held_out:
        return ""
    return (
        f"the samples lie {fake / held_out:.0%} as far from their nearest training picture as pictures that were "
        "never trained on"
    )


def leaks(monitor: Monitor, signals: Signals) -> str | None:
    kid, augmented = signals.quality.kid, signals.quality.kid_augmented
    if augmented is None or not (augmented < LEAK * kid and kid - augmented > noise(monitor.kids())):
        return ""
    return (
        f"the samples resemble augmented pictures (KID {augmented:.4g}) more than the pictures themselves ({kid:.4g})"
    )


def diverges(monitor: Monitor, signals: Signals) -> str | None:
    skipped, restored = signals.skipped - monitor.skipped, signals.restored - monitor.restored
    if skipped <= 0 and restored <= 0:
        return ""
    parts = []
    if skipped > 0:
        parts.append(
            f"{skipped} {'step was' if skipped == 1 else 'steps were'} left out for gradients that are not finite"
        )
    if restored > 0:
        parts.append("the run went back to its last good state")
    return ", and ".join(parts)


def passed(monitor: Monitor, signals: Signals) -> str | None:
    kids = monitor.kids()
    if not past_best(kids):
        return ""
    seen, quality = monitor.history[best(kids)]
    return f"KID was lowest at {_kimg(seen)} ({quality.kid:.4g}) and has been higher since; it is {kids[-1]:.4g} now"


@dataclass(frozen=True)
class Rule:
    """One failure; `pace` is the kind of signal it is judged by, and `remedy` may depend on the augmentation."""

    name: str
    pace: Literal["running", "quality", "event"]
    judge: Callable[[Monitor, Signals], str | None]
    remedy: str | dict[str, str]


MORE = "More pictures help most. "
RULES = (
    Rule(
        "discriminator overfits",
        "running",
        overfits,
        {
            "none": MORE + "With these, start a new run with --augment adaptive; the best checkpoint by KID is kept.",
            "fixed": MORE + "With these, start a new run with --augment adaptive, which finds the strength it needs, "
            "or with a higher --augment-p.",
            "adaptive": MORE + "The augmentation is as strong as it gets: start a new run with a larger --gamma or a "
            "smaller network, or keep the best checkpoint.",
        },
    ),
    Rule(
        "discriminator overpowers",
        "running",
        overpowers,
        "Start a new run with --penalty r1r2 and a --gamma 3 to 10 times as large, or with --lr-D-factor 0.5.",
    ),
    Rule(
        "mode collapse",
        "quality",
        collapses,
        "Start a new run with --loss relativistic --penalty r1r2, or a larger --gamma; look for a picture that the "
        "dataset has many times. Samples from before are in the folder samples.",
    ),
    Rule(
        "memorisation",
        "quality",
        memorises,
        MORE + "Look at the samples beside the nearest training pictures before you publish any; with these, start "
        "a new run with --augment adaptive and stop it earlier, or a smaller network.",
    ),
    Rule(
        "augmentation leak",
        "quality",
        leaks,
        "Start a new run with less augmentation: a lower --augment-p, or of an adaptive one a higher --adapt-target; "
        "or leave the kind that shows in the samples out of --augment-policy.",
    ),
    Rule(
        "divergence",
        "event",
        diverges,
        "A step now and then does no harm. If more follow, start a new run with half the --lr, a larger --gamma, or "
        "--precision fp32.",
    ),
    Rule(
        "past its best",
        "quality",
        passed,
        "Export the best checkpoint. More training of this run is not likely to help; --patience ends one by itself.",
    ),
)


def _rise(values: Sequence[float]) -> float:
    """The mean of the second half less the mean of the first: single measurements scatter."""
    half = len(values) // 2
    return sum(values[half:]) / (len(values) - half) - sum(values[:half]) / half


def _kimg(seen: int) -> str:
    return f"{seen / 1000:.4g} kimg"
