from pathlib import Path

from ganapp.draw.walk import Walk, film
from ganapp.serve.library import Library
from ganapp.ui.tabs.walk import playable


def test_the_player_gets_every_frame_on_one_sheet(library: Library):
    drawn = film(library, Walk.checked(library, model="faces", seeds=[1, 2, 3], frames=4))
    player = playable(drawn)
    assert (player["count"], player["columns"], player["size"], player["pixelArt"]) == (12, 4, 16, True)
    assert Path(player["sheet"]["path"]).read_bytes() == drawn.sheet()
