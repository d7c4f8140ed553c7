"""What a tab is: a name and a function that builds it, and what it shares with the page and the other tabs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gradio as gr
from gradio.components import Component

from ganapp.serve.library import Library
from ganapp.ui.cleaner import Cleaner


@dataclass(frozen=True)
class Outlet:
    """The way out of a tab: a button that sends the tab's picture to be cleaned up.

    `picture` makes the path of a PNG with its record from the values of `inputs`, which `js`, if there is any, may
    first change in the browser. It raises ValueError where there is nothing to send.
    """

    button: gr.Button
    picture: Callable[..., str]
    inputs: Sequence[Component]
    js: str | None = None


@dataclass
class Page:
    """What all tabs of a page share.

    `first` is the choice of a model that other tabs begin with. `address` is a state: the query that the page was
    opened with, by name; `tab` in it is the tab that it opens.
    """

    library: Library
    cleaner: Cleaner
    demo: gr.Blocks
    tabs: gr.Tabs
    first: gr.Dropdown
    address: gr.State
    outlets: list[Outlet] = field(default_factory=list)


@dataclass(frozen=True)
class Tab:
    """A tab of the page.

    `build` makes the components and their wiring inside the open `gr.Tab`, and returns the tab's way out, if it has
    one. Tabs are built in the order in which they stand.
    """

    id: str
    title: str
    build: Callable[[Page, gr.Tab], Outlet | None]


def outlet_button(label: str, elem_id: str) -> gr.Button:
    """The button of an outlet; its label says which picture goes."""
    return gr.Button(label, size="sm", min_width=140, elem_id=elem_id, elem_classes="outlet")
