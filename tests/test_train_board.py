import sys
from pathlib import Path

import numpy as np
import pytest

from ganapp.train.board import Board


def test_a_run_goes_on_where_tensorboard_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    board = Board(tmp_path, 0)
    board.scalars({"G": 1.0}, 8)
    board.image("samples", np.zeros((4, 4, 3), np.uint8), 8)
    board.close()
    assert not list(tmp_path.iterdir())
