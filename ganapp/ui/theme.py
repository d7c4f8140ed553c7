"""The app's look: Gradio's plainest theme with its own colours and the system's fonts."""

import gradio as gr

# Vermilion on warm paper by day, on ink by night: the colours of a printed plate, which leave the stage to the images.
VERMILION = gr.themes.Color(
    name="vermilion",
    c50="#fff3ef",
    c100="#ffe3da",
    c200="#ffc6b4",
    c300="#ffa184",
    c400="#f97852",
    c500="#e9542b",
    c600="#cf401a",
    c700="#a93214",
    c800="#842914",
    c900="#652213",
    c950="#390f07",
)
PAPER = gr.themes.Color(
    name="paper",
    c50="#faf8f4",
    c100="#f4f1ea",
    c200="#e8e3d8",
    c300="#d5cec0",
    c400="#a79f92",
    c500="#6c655d",
    c600="#5b554f",
    c700="#403b38",
    c800="#262326",
    c900="#1a181c",
    c950="#121115",
)

# Plain strings are system fonts; gr.themes.GoogleFont would be fetched from the internet.
SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]


def theme() -> gr.themes.Base:
    """The theme for `launch`."""
    base = gr.themes.Base(
        primary_hue=VERMILION,
        secondary_hue=VERMILION,
        neutral_hue=PAPER,
        radius_size=gr.themes.sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_900",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_padding="0",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_border_width_dark="0px",
        block_title_text_weight="600",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_300",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        panel_border_width="0px",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        checkbox_label_background_fill="*neutral_100",
        checkbox_label_background_fill_hover="*neutral_200",
        checkbox_label_background_fill_dark="*neutral_800",
        checkbox_label_background_fill_hover_dark="*neutral_700",
        checkbox_border_color="*neutral_400",
        checkbox_border_color_dark="*neutral_500",
        checkbox_background_color_dark="*neutral_950",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        slider_color="*primary_500",
        slider_color_dark="*primary_400",
        color_accent="*primary_600",
        color_accent_soft="*primary_100",
        color_accent_soft_dark="*primary_900",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )
