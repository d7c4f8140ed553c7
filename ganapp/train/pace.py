"""The progress of a run as people read it: its meter, the time left, and whether an interval is over."""

import math

METER = "{desc} [{elapsed}]{postfix}"


def duration(seconds: float) -> str:
    """Hours and minutes for people: `1h05`, or `?` when the time is not finite."""
    if not math.isfinite(seconds):
        return "?"
    minutes = round(seconds / 60)
    return f"{minutes // 60}h{minutes % 60:02d}"


def crossed(seen: int, batch: int, kimg: float) -> bool:
    """Whether the last step, which brought the images to `seen`, passed a multiple of `kimg` thousand."""
    every = kimg * 1000
    return seen // every > (seen - batch) // every
