"""A log written line by line comes back as columns."""

import json
from pathlib import Path

from ganapp.train.gan.runlog import read_log


def test_columns_hold_the_numbers_of_the_log_and_none_where_a_line_has_no_number(tmp_path: Path):
    lines = [
        {"seen": 8, "G": 1.5, "penalty": 0.25},
        {"seen": 16, "G": float("nan")},
        {"seen": 16, "kid": 0.1, "recall": 0.5},
        {"seen": 20, "finding": "divergence", "evidence": "e", "remedy": "r"},
        {"seen": 24, "G": 0.1 + 0.2, "r_v": None},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"seen": 32, "G"')
    log = read_log(tmp_path / "log.jsonl")
    assert log.training == {
        "seen": [8, 16, 24],
        "G": [1.5, None, 0.1 + 0.2],
        "penalty": [0.25, None, None],
        "r_v": [None, None, None],
    }
    assert log.quality == {"seen": [16], "kid": [0.1], "recall": [0.5]}
    assert log.findings == [lines[3]] and log.seen == 24
    assert json.loads(log.to_json()) == vars(log)


def test_a_run_without_a_log_is_an_empty_one(tmp_path: Path):
    log = read_log(tmp_path / "log.jsonl")
    assert (log.training, log.quality, log.findings, log.seen) == ({}, {}, [], 0)
