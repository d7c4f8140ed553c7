"""The way out of a tab: the button that sends its picture to be cleaned up, and where the picture comes from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component


@dataclass(frozen=True)
class Outlet:
    """A button, and the file that it sends.

    `picture` makes the path of a PNG with its record from the values of `inputs`, which `js`, if there is any, may
    first change in the browser. It raises ValueError where there is nothing to send.
    """

    button: gr.Button
    picture: Callable[..., str]
    inputs: Sequence[Component]
    js: str | None = None


def button(label: str, elem_id: str) -> gr.Button:
    """The button of an outlet; its label says which picture goes."""
    return gr.Button(label, size="sm", min_width=140, elem_id=elem_id, elem_classes="outlet")
