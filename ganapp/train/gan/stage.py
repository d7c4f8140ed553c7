"""Whether a run whose samples do not look real yet is too young, or up against too strong a discriminator."""

from typing import Literal

from ganapp.train.gan.progress import trend
from ganapp.train.gan.runlog import RunLog

NONE_YET = 0.02  # of precision and of recall: with a thousand samples, less than the scatter of either
ALWAYS = 0.99  # of pairs that the discriminator orders rightly; healthy runs are there too while they are young

Stage = Literal["too early", "too strong"]


def stage(records: RunLog) -> Stage | None:
    """What keeps a run's last samples from looking real; None where some do, where it is unknown, or something else."""
    precision, recall = (last(records.quality.get(name, [])) for name in ("precision", "recall"))
    if precision is None or recall is None or max(precision, recall) > NONE_YET:
        return None
    going = trend([kid for kid in records.quality["kid"] if kid is not None])
    if going in ("falling", "unknown"):
        return "too early"
    ahead = last(records.training.get("ahead", []))
    return "too strong" if ahead is not None and ahead >= ALWAYS else None


def explained(records: RunLog) -> str:
    """A sentence or two on the run's stage and what to do about it; nothing where `stage` is None."""
    ahead = last(records.training.get("ahead", []))
    apart = "" if ahead is None else f" The discriminator tells {ahead:.0%} of real pictures from fakes"
    match stage(records):
        case "too early":
            return (
                "Too early: hardly a sample looks real yet, though KID falls or has not been measured often."
                + (f"{apart}, as it does in healthy runs that are young." if apart else "")
                + " From scratch, 10,000 critters at 64 px took 80 kimg until 18 % of the samples looked real, and "
                "150 kimg until 26 % did. Train on, or begin a new run with --init and a model that can draw already."
            )
        case "too strong":
            return (
                f"Too strong a discriminator: hardly a sample looks real, and KID does not fall.{apart}, so the "
                "generator learns little from it. Start a new run with a --gamma 3 to 10 times as large, or with "
                "--init and a model that can draw already."
            )
    return ""


def last(values: list[float | None]) -> float | None:
    """The last value that is known."""
    return next((value for value in reversed(values) if value is not None), None)
