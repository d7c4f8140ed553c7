"""The log of a run, read back as columns."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from ganapp.train.log import whole_lines

Columns = dict[str, list[float | None]]  # all of one length; None where a line has no such number


@dataclass(frozen=True)
class RunLog:
    """What log.jsonl holds: losses and the like, measurements of quality, and findings as they were written.

    Both tables have a column "seen" (images shown), unless they are empty.
    """

    training: Columns
    quality: Columns
    findings: list[dict]

    @property
    def seen(self) -> int:
        """Images shown by the last line, 0 for an empty log."""
        last = [table["seen"][-1] for table in (self.training, self.quality) if table]
        return max([*last, *(finding["seen"] for finding in self.findings)], default=0)

    def to_json(self) -> str:
        return json.dumps(vars(self), allow_nan=False, indent=1) + "\n"


def read_log(path: Path) -> RunLog:
    """The log at `path`, empty if there is none; a last line that was cut when a run was killed is left out."""
    lines = [json.loads(line) for line in whole_lines(path)]
    findings = [line for line in lines if "finding" in line]
    quality = [line for line in lines if "kid" in line]
    training = [line for line in lines if "finding" not in line and "kid" not in line]
    return RunLog(columns(training), columns(quality), findings)


def columns(lines: list[dict]) -> Columns:
    """The numbers of `lines` by name, in the order in which names first appear; None for what is not finite."""
    names = dict.fromkeys(name for line in lines for name in line)
    return {name: [_finite(line.get(name)) for line in lines] for name in names}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
