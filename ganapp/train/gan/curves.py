"""The curves of a run as one picture: how good the samples are, how the two networks stand, and the speed."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ganapp.train.gan.progress import best
from ganapp.train.gan.runlog import Columns, RunLog

# Every kind of colour vision tells these apart (Okabe and Ito 2008); printed in grey they differ in lightness.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
INK, GREY, FAINT, ALARM = "#222222", "#6b6b6b", "#e3e3e3", "#b3261e"

# Inches. One column, 1,200 pixels wide: text stays legible on a phone, and at the height of a slide.
WIDTH, DPI = 6.0, 200
LEFT, RIGHT, TOP, BOTTOM, GAP, LINE = 0.78, 0.16, 0.62, 0.62, 0.5, 0.24
BADGE = 12  # points, the height of a finding's number
LISTED = 6  # findings in the picture; the report has all of them
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a picture looks the same on every machine
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Line:
    """A column of the log and how it is drawn: `raw` shows the values themselves faintly behind a running mean."""

    column: str
    label: str
    colour: str
    dash: str = "-"
    raw: bool = False


@dataclass(frozen=True)
class Panel:
    """A panel of the picture; `limits` of None follow the data."""

    title: str
    unit: str
    height: float
    lines: tuple[Line, ...]
    limits: tuple[float, float] | None = None


KID = Panel(
    "KID, lower is better", "KID", 1.7,
    (Line("kid", "to real pictures", BLUE), Line("kid_augmented", "to augmented", ORANGE, "--")),
)  # fmt: skip
COVERAGE = Panel(
    "Samples", "share", 1.15, (Line("precision", "precision", BLUE), Line("recall", "recall", ORANGE, "--")), (0, 1)
)  # fmt: skip
LOSSES = Panel("Losses", "loss", 1.15, (Line("G", "G", BLUE, raw=True), Line("D", "D", ORANGE, raw=True)))
WATCHED = Panel(
    "Discriminator", "share", 1.15,
    (Line("r_v", "r_v", ORANGE), Line("ahead", "ahead", BLUE, "--"), Line("augment_p", "augment p", GREEN, "-.")),
    (0, 1),
)  # fmt: skip
LOGITS = Panel(
    "Discriminator", "logit", 1.15,
    (Line("real", "real", BLUE), Line("D_held_out", "held out", GREEN, "-."), Line("fake", "fake", ORANGE, "--")),
)  # fmt: skip
SPEED = Panel("Speed", "images/s", 0.75, (Line("img_per_sec", "", GREY, raw=True),))


def draw_curves(log: RunLog, title: str) -> bytes | None:
    """A PNG of the log's curves over kimg, with the best checkpoint and the findings marked; None for an empty log."""
    shown = panels(log)
    if not shown:
        return None
    notes = footnotes(log.findings)
    heights = [panel.height for panel, _ in shown]
    lift = BADGE if notes else 0
    height = TOP + lift / 72 + sum(heights) + GAP * (len(shown) - 1) + BOTTOM + LINE * len(notes)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own settings are for their own figures
        matplotlib.rcParams.update(STYLE)
        figure = Figure((WIDTH, height), DPI, facecolor="white")
        figure.text(0.16 / WIDTH, 1 - 0.12 / height, title, va="top", weight="bold", size=11)
        top, end = height - TOP - lift / 72, max(log.seen / 1000, 1e-3)
        for i, (panel, table) in enumerate(shown):
            top -= panel.height
            box = (LEFT / WIDTH, top / height, (WIDTH - LEFT - RIGHT) / WIDTH, panel.height / height)
            axes = figure.add_axes(box)
            draw_panel(axes, panel, table, end, last=i == len(shown) - 1)
            head(axes, panel, lift=lift if i == 0 else 0)
            mark(axes, log, end, panel is KID, numbers=i == 0)
            top -= GAP
        for i, note in enumerate(reversed(notes)):
            figure.text(0.16 / WIDTH, (0.08 + LINE * i) / height, note, size=9.5, color=ALARM, va="bottom")
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return file.getvalue()


def panels(log: RunLog) -> list[tuple[Panel, Columns]]:
    """The panels for which the log has numbers, each with its table."""
    watched = WATCHED if _has(WATCHED, log.training) else LOGITS  # r_v is made of these logits, without their drift
    all_of_them = [(KID, log.quality), (COVERAGE, log.quality)]
    all_of_them += [(panel, log.training) for panel in (LOSSES, watched, SPEED)]
    return [(panel, table) for panel, table in all_of_them if _has(panel, table)]


def draw_panel(axes: Axes, panel: Panel, table: Columns, end: float, last: bool) -> None:
    kimg, drawn = np.array(table["seen"], float) / 1000, []
    for line in panel.lines:
        values = column(table, line.column)
        if not np.isfinite(values).any():
            continue
        few = np.isfinite(values).sum() <= 60
        if line.raw and not few:
            axes.plot(kimg, values, color=line.colour, alpha=0.22, linewidth=0.7)
        smooth = running_mean(values) if panel not in (KID, COVERAGE) else values
        known = np.isfinite(smooth)  # lines of the log that lack this number must not break the curve
        marker = "o" if (few and panel in (KID, COVERAGE)) or known.sum() == 1 else ""
        axes.plot(
            kimg[known], smooth[known], color=line.colour, linestyle=line.dash, linewidth=1.8,
            marker=marker, markersize=3, label=line.label,
        )  # fmt: skip
        drawn.append(values)
    axes.set_ylabel(panel.unit, size=9.5)
    axes.yaxis.set_label_coords(-0.095, 0.5)  # aligned from panel to panel
    axes.set_xlim(0, end * 1.015)  # a mark on the last image is not cut off
    axes.tick_params(length=0, labelsize=9.5, labelbottom=last)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    scale(axes, panel, np.concatenate(drawn))
    if last:
        axes.set_xlabel("kimg (thousand images shown)")


def head(axes: Axes, panel: Panel, lift: float) -> None:
    """Add the title and, beside it, where no curve can run into it, the legend; `lift` raises both, in points."""
    axes.set_title(panel.title, loc="left", size=10.5, weight="bold", pad=9 + lift)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        height = panel.height * 72  # points
        axes.legend(
            loc="lower right", bbox_to_anchor=(1.01, 1 + (lift - 1) / height), ncols=3, fontsize=9.5,
            borderaxespad=0.3, handlelength=1.7, columnspacing=1.1, handletextpad=0.5,
        )  # fmt: skip


def scale(axes: Axes, panel: Panel, values: np.ndarray) -> None:
    """Set limits of y that show the run and not its wildest step, with room for a label below the best KID."""
    values = values[np.isfinite(values)]
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    if panel.limits:
        axes.set_ylim(panel.limits[0] - 0.03, panel.limits[1] + 0.03)
        axes.set_yticks([panel.limits[0], sum(panel.limits) / 2, panel.limits[1]])
        return
    low, high = np.quantile(values, [0.005, 0.995]) if panel is not KID else (values.min(), values.max())
    if panel is KID and 0 < low < high / 10:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axes.yaxis.set_minor_formatter("")
        axes.set_ylim(low / (high / low) ** 0.3, high * 1.2)
        return
    span = max(high - min(low, 0), 1e-6)
    if panel in (KID, LOSSES, SPEED):
        low = min(0.0, low - 0.25 * span) if panel is KID else min(0.0, low)
    axes.set_ylim(low - 0.06 * span, high + 0.08 * span)


def mark(axes: Axes, log: RunLog, end: float, is_kid: bool, numbers: bool) -> None:
    """Mark the best checkpoint, with its KID in KID's panel, and the findings, with numbers above the first panel."""
    kids = log.quality.get("kid", [])
    if any(kid is not None for kid in kids):
        i = best([float("nan") if kid is None else kid for kid in kids])
        at, left = log.quality["seen"][i] / 1000, log.quality["seen"][i] / 1000 < end / 2
        axes.axvline(at, color=GREEN, linewidth=1.2, alpha=0.55, zorder=1)
        if is_kid:
            axes.plot([at], [kids[i]], "o", color=GREEN, markersize=7, zorder=5, clip_on=False)
            axes.annotate(
                f"best {kids[i]:.3g} at {at:.4g} kimg", (at, kids[i]), (6 if left else -6, -16), color=GREEN,
                textcoords="offset points", ha="left" if left else "right", weight="bold", size=9.5, zorder=6,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
            )  # fmt: skip
    for finding in log.findings:
        axes.axvline(finding["seen"] / 1000, color=ALARM, linewidth=1, linestyle=(0, (2, 2)), alpha=0.8, zorder=1)
    for at, text in badges(log.findings, end) if numbers else ():
        axes.annotate(
            text, (at, 1), (0, BADGE / 2 - 1), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
            color="white", size=7.5, weight="bold", ha="center", va="center", zorder=7, annotation_clip=False,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": ALARM, "edgecolor": "white"},
        )  # fmt: skip


def badges(findings: Sequence[dict], end: float, apart: float = 0.05) -> list[tuple[float, str]]:
    """The numbers of the findings, from 1, and where they stand in kimg; those close together share a place."""
    groups: list[tuple[float, list[int]]] = []
    for number, finding in enumerate(findings, 1):
        at = finding["seen"] / 1000
        if groups and at - groups[-1][0] < apart * end:
            groups[-1][1].append(number)
        else:
            groups.append((at, [number]))
    return [(at, str(ns[0]) if len(ns) == 1 else f"{ns[0]}–{ns[-1]}") for at, ns in groups]


def footnotes(findings: Sequence[dict]) -> list[str]:
    """A line for each finding, the first LISTED of them."""
    lines = [f"{i}   {f['finding']}, {f['seen'] / 1000:.4g} kimg" for i, f in enumerate(findings[:LISTED], 1)]
    return [*lines, f"and {len(findings) - LISTED} more"] if len(findings) > LISTED else lines


def column(table: Columns, name: str) -> np.ndarray:
    """A column as float64 [N], nan where a number is missing; all nan if the table lacks the column."""
    return np.array(table.get(name, [None] * len(table["seen"])), float)


def running_mean(values: np.ndarray) -> np.ndarray:
    """Each value as the mean of the known ones among the 2% around it; nan where none is known."""
    reach = len(values) // 100
    known = np.isfinite(values)
    sums, counts = (np.concatenate([[0], np.cumsum(x)]) for x in (np.where(known, values, 0), known))
    first = np.maximum(np.arange(len(values)) - reach, 0)
    last = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    counted = counts[last] - counts[first]
    return np.where(counted > 0, (sums[last] - sums[first]) / np.maximum(counted, 1), np.nan)


def _has(panel: Panel, table: Columns) -> bool:
    return any(value is not None for line in panel.lines for value in table.get(line.column, []))
