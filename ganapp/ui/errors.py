"""Errors as people should see them: one plain sentence, in the page and over the API."""

import html
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr


@contextmanager
def in_the_page() -> Iterator[None]:
    """Turn ValueError (BundleError and ImageError are such) into a message box. Gradio reads it as HTML: escaped."""
    try:
        yield
    except ValueError as error:
        raise gr.Error(html.escape(str(error), quote=False), print_exception=False) from None


@contextmanager
def over_the_api() -> Iterator[None]:
    """Turn ValueError into the error that a client raises, word for word."""
    try:
        yield
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from None
