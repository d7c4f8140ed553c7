from ganapp.serve.library import Library
from ganapp.ui.tabs.mix import layer_choices


def test_the_choices_of_layers_say_what_they_mean(library: Library):
    assert layer_choices(library, "critters") == [
        ("coarse 0–1", "coarse"),
        ("middle 2–3", "middle"),
        ("fine 4–4", "fine"),
        ("exact", "exact"),
    ]
