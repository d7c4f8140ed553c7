"""The tabs of the page, in their order."""

from ganapp.ui.tabs import cleanup, explore, mix, sample, walk

TABS = (explore.TAB, sample.TAB, mix.TAB, walk.TAB, cleanup.TAB)
