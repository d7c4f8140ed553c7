"""The tabs of the page, in their order."""

from ganapp.ui.tabs import cleanup, mix, sample, walk

TABS = (sample.TAB, mix.TAB, walk.TAB, cleanup.TAB)
