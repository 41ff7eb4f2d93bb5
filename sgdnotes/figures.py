"""The book's plot style, and the plots that recur."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib_inline.backend_inline import set_matplotlib_formats

from sgdnotes.checks import choice, finite, loss_of, shaped

__all__ = [
    "BLUE",
    "CYCLE",
    "GREEN",
    "INK",
    "ORANGE",
    "PINK",
    "SKY",
    "VERMILION",
    "errorbars",
    "histogram",
    "label",
    "landscape",
    "text_color",
    "use_style",
]

# Okabe and Ito's colours, those that read on white and on near-black.
ORANGE, SKY, GREEN, BLUE = "#E69F00", "#56B4E9", "#009E73", "#2F8FD0"
VERMILION, PINK = "#D55E00", "#CC79A7"
CYCLE = [BLUE, VERMILION, GREEN, ORANGE, PINK, SKY]


def _rgb(color):
    try:
        return to_rgb(color)
    except ValueError as error:
        raise ValueError(f"color must be one that Matplotlib knows: {error}") from None


def _drawable(ax, method: str):
    if isinstance(ax, type) or not hasattr(ax, method):
        raise ValueError(f"ax must be Matplotlib's Axes, got {ax!r}")


def _several(estimate, *axes):
    error = getattr(estimate, "standard_error", None)
    if error is None or np.ndim(error) not in (axes or (1,)):
        raise ValueError(f"estimate must be an Estimate of (n,) values, got {estimate!r}")


def text_color(color) -> str:
    """The colour made as light or dark as text must be to read on white and on black.

    Its contrast to each is 4.58:1, the most that one colour can have with both
    (WCAG 2.2 asks 4.5:1); the hue stays.
    """

    def luminance(rgb):
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    rgb, goal = np.array(_rgb(color)), np.sqrt(1.05 * 0.05) - 0.05
    toward = np.zeros(3) if luminance(rgb) > goal else np.ones(3)
    low, high = 0.0, 1.0  # how far to go; the luminance is monotone along the way
    for _ in range(30):
        half = (low + high) / 2
        passed = (luminance(rgb + half * (toward - rgb)) < goal) == (toward[0] == 0)
        low, high = (low, half) if passed else (half, high)
    return to_hex(rgb + low * (toward - rgb))


INK = text_color("#7D828A")


def use_style(formats: str = "svg") -> None:
    """Set the book's figure style for the notebook.

    Parameters
    ----------
    formats : "svg" or "png"
        PNG, at twice the size, suits figures of many points.
    """
    set_matplotlib_formats(choice("formats", formats, ("svg", "png")))
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": 100 if formats == "svg" else 200,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "savefig.transparent": True,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.titlesize": 11,
            "axes.labelsize": 10.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(color=CYCLE),
            "xtick.color": INK,
            "ytick.color": INK,
            "text.color": INK,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 4.5,
            "mathtext.fontset": "cm",
            "figure.constrained_layout.use": True,
        }
    )


def errorbars(ax, x, estimate, **style):
    """Draw an `Estimate` of one value or of (n,) with bars of two standard errors."""
    _drawable(ax, "errorbar")
    _several(estimate, 0, 1)
    x = shaped("x", x, np.shape(estimate.value))
    style = {"fmt": "o", "capsize": 2, "elinewidth": 1.2, "zorder": 3} | style
    return ax.errorbar(x, estimate.value, yerr=2 * np.asarray(estimate.standard_error), **style)


def histogram(ax, edges, estimate, color=BLUE, **style):
    """Draw a measured density as steps with a band of two standard errors."""
    _drawable(ax, "stairs")
    _several(estimate)
    edges = shaped("edges", edges, (len(estimate.value) + 1,))
    _rgb(color)
    low, high = (estimate.value + s * 2 * estimate.standard_error for s in (-1, 1))
    ax.stairs(high, edges, baseline=low, fill=True, color=color, alpha=0.45, **style)
    ax.stairs(estimate.value, edges, color=color, linewidth=0.8)


def label(ax, x, y, text, color, **style):
    """Name a curve where it runs, instead of in a legend; its colour is made legible."""
    _drawable(ax, "annotate")
    if not isinstance(text, str):
        raise ValueError(f"text must be words, got {text!r}")
    x, y = finite("x", x), finite("y", y)
    ax.annotate(text, (x, y), color=text_color(color), **({"fontsize": 10} | style))


def landscape(ax, loss, minimum, split, barrier, absorb):
    """Draw a well and its barrier, and name what an escape depends on.

    The points a < s < b < c, the curvatures H_a and H_b as dashed parabolas,
    the depth ΔL, and the flux J over the top.
    """
    _drawable(ax, "annotate")
    loss_of(loss, 1)
    named = {"minimum": minimum, "split": split, "barrier": barrier, "absorb": absorb}
    minimum, split, barrier, absorb = (finite(name, at) for name, at in named.items())
    with np.errstate(all="ignore"):
        depth = float(loss.value(barrier) - loss.value(minimum))
    if not minimum < split < barrier < absorb or not 0 < depth < np.inf:
        raise ValueError(
            "minimum, split, barrier and absorb must increase, and the barrier be higher than "
            f"the minimum, got {list(named.values())}"
        )
    points = {"a": minimum, "s": split, "b": barrier, "c": absorb}
    width = barrier - minimum
    low, high = (float(loss.value(at)) for at in (minimum, barrier))
    if not absorb - minimum < 1e6 * width:
        raise ValueError(f"absorb must be nearer to the barrier, got {absorb!r}")
    x = np.linspace(minimum - 0.75 * width, absorb + 0.12 * width, 300)
    y = loss.value(x)
    shown = (y < high + 0.45 * depth) & (y > low - 0.22 * depth)
    ax.plot(x[shown], y[shown], color=BLUE)
    for at, reach in ((minimum, 0.42), (barrier, 0.38)):
        near = np.linspace(-reach, reach, 60) * width
        bowl = float(loss.value(at)) + float(loss.hessian(at)) * near**2 / 2
        ax.plot(at + near, bowl, "--", color=ORANGE, lw=1.4)
    label(ax, minimum + 0.38 * width, bowl[0], "$H_a$", ORANGE, ha="right", fontsize=12)
    label(ax, barrier - 0.04 * width, high - 0.2 * depth, "$H_b$", ORANGE, ha="right", fontsize=12)
    floor = low - 0.3 * depth
    for at in points.values():
        top = float(loss.value(at))
        ax.plot([at, at], [floor, top], ":", color=INK, lw=1)
        ax.plot(at, top, "o", color=BLUE, ms=5)
    ax.set_xticks(list(points.values()), [f"${name}$" for name in points], fontsize=13)
    both = {"arrowstyle": "<->", "color": INK, "shrinkA": 0, "shrinkB": 0}
    side = minimum - 0.62 * width
    for level in (low, high):
        ax.plot([side - 0.05 * width, minimum], [level, level], color=INK, lw=0.6)
    ax.annotate("", (side, low), (side, high), arrowprops=both)
    label(ax, side + 0.03 * width, low + 0.35 * depth, r"$\Delta L$", INK, fontsize=12)
    flow = {"arrowstyle": "-|>", "color": VERMILION, "lw": 2, "connectionstyle": "arc3,rad=-0.3"}
    over = high + 0.16 * depth
    ax.annotate("", (barrier + 0.3 * width, over), (barrier - 0.3 * width, over), arrowprops=flow)
    label(ax, barrier - 0.02 * width, over + 0.19 * depth, "$J$", VERMILION, fontsize=13)
    ax.set(ylim=(floor, high + 0.5 * depth), yticks=[], xlabel="parameter $x$", ylabel="loss $L$")
