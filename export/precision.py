"""Which precision a bundle is stored in: the smallest one that passes its checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class Refused(ValueError):
    """Graphs that cannot be published in this precision; the message says what is wrong with them."""


@dataclass(frozen=True)
class Taken:
    """The precision of a bundle, how near it comes to torch in words, and why smaller ones were not taken."""

    precision: str
    agreement: str
    refused: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        why = "".join(f"; not {precision}: {reason}" for precision, reason in self.refused.items())
        return f"{self.precision}: {self.agreement}{why}"


def take(out: Path, asked: str, smallest_first: Sequence[str], attempt: Callable[[str], str]) -> Taken:
    """The precision `asked` for or, for "auto", the smallest one that passes.

    `attempt` writes the graphs in a precision and returns how near they come to torch; it raises Refused. Raises
    ValueError that tells what was wrong with each and which precision would pass, if one that was asked for does not.
    """
    refused: dict[str, str] = {}
    for precision in smallest_first if asked == "auto" else (asked,):
        try:
            return Taken(precision, attempt(precision), refused)
        except Refused as error:
            refused[precision] = str(error)
    wrong = "; ".join(f"{precision}: {reason}" for precision, reason in refused.items())
    for other in smallest_first:
        if other not in refused:
            try:
                attempt(other)
            except Refused:
                continue
            raise ValueError(f"{out}: {wrong}; --precision {other} passes")
    raise ValueError(f"{out}: {wrong}; no precision passes")
