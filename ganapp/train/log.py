"""A run's log.jsonl: one JSON object a line, appended as the run goes, cut back when it resumes."""

import json
from pathlib import Path

from ganapp.files import append_line, write_whole


class Log:
    """The log at `path`. Each line holds "seen", the images shown by then."""

    def __init__(self, path: Path):
        self.path = path

    def lines(self) -> list[dict]:
        """The whole lines, in order; one that was cut when a run was killed is left out."""
        return [json.loads(line) for line in whole_lines(self.path)]

    def add(self, line: dict) -> None:
        append_line(self.path, json.dumps(line))

    def rewind(self, seen: int) -> None:
        """Drop the lines that were written after `seen` images, which no checkpoint covers."""
        kept = [line for line in whole_lines(self.path) if json.loads(line)["seen"] <= seen]
        write_whole(self.path, "".join(line + "\n" for line in kept))


def whole_lines(path: Path) -> list[str]:
    """The lines of a text file, without empty ones and without a last one that lacks its newline."""
    if not path.exists():
        return []
    return [line for line in path.read_text("utf-8").split("\n")[:-1] if line]
