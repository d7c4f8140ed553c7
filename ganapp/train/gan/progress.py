"""What a series of KIDs says: which is the best, and whether they still fall."""

import math
from collections.abc import Sequence
from typing import Literal

GAIN = 0.05  # of KID: over three measurements healthy runs gain twice that, late ones too
PAST = 0.1  # of the best KID: a later one that is worse by this is clearly worse
PAST_FOR = 3  # measurements in a row: one or two may be noise
NOISE = 0.02  # of the highest KID of the run: a difference below it says nothing about two KIDs


def best(kids: Sequence[float]) -> int:
    """The index of the lowest KID, the first of equals. Raises ValueError when none is a number."""
    known = [i for i, kid in enumerate(kids) if math.isfinite(kid)]
    if not known:
        raise ValueError("no KID was measured, so none is the best")
    return min(known, key=lambda i: kids[i])


def noise(kids: Sequence[float]) -> float:
    """The difference of KIDs that says nothing, from the run's own KIDs, since their unit depends on the features."""
    return NOISE * max(map(abs, _finite(kids)), default=0.0)


def gained(kids: Sequence[float], count: int) -> bool:
    """Whether the last `count` KIDs brought a clear gain on those before; True while there are too few to say."""
    kids = _finite(kids)
    before, last = kids[:-count], kids[-count:]
    return not before or min(last) < min(before) - GAIN * abs(min(before))


def past_best(kids: Sequence[float]) -> bool:
    """Whether each of the last PAST_FOR KIDs is clearly above the best before them."""
    kids = _finite(kids)
    before, last = kids[:-PAST_FOR], kids[-PAST_FOR:]
    return bool(before) and min(last) > min(before) + max(PAST * abs(min(before)), noise(kids))


def trend(kids: Sequence[float]) -> Literal["unknown", "falling", "level", "rising"]:
    """Where the KIDs were going when the run ended; unknown with fewer than PAST_FOR + 1 of them."""
    kids = _finite(kids)
    if len(kids) <= PAST_FOR:
        return "unknown"
    if past_best(kids):
        return "rising"
    return "falling" if gained(kids, PAST_FOR) else "level"


def level_since(kids: Sequence[float]) -> int:
    """The index from which on every KID is within noise, or GAIN, of the best; where the last one is not, that of the
    best. Raises ValueError as `best`."""
    lowest = kids[best(kids)]
    margin = max(GAIN * abs(lowest), noise(kids))
    apart = [i for i, kid in enumerate(kids) if math.isfinite(kid) and kid > lowest + margin]
    if not apart:
        return 0
    return apart[-1] + 1 if apart[-1] + 1 < len(kids) else best(kids)


def _finite(kids: Sequence[float]) -> list[float]:
    return [kid for kid in kids if math.isfinite(kid)]
