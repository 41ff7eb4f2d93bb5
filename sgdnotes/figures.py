"""The book's plot style, and the plots that recur."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats

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
    "use_style",
]

# Okabe and Ito's colours, those that read on white and on near-black.
ORANGE, SKY, GREEN, BLUE = "#E69F00", "#56B4E9", "#009E73", "#2F8FD0"
VERMILION, PINK = "#D55E00", "#CC79A7"
INK = "#7D828A"  # the same contrast, 4:1, on white and on the dark page
CYCLE = [BLUE, VERMILION, GREEN, ORANGE, PINK, SKY]


def use_style(formats: str = "svg") -> None:
    """Set the book's figure style for the notebook.

    Parameters
    ----------
    formats : "svg" or "png"
        PNG, at twice the size, suits figures of many points.
    """
    set_matplotlib_formats(formats)
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
    """Draw an `Estimate` of (n,) values with bars of two standard errors."""
    style = {"fmt": "o", "capsize": 2, "elinewidth": 1.2, "zorder": 3} | style
    return ax.errorbar(x, estimate.value, yerr=2 * np.asarray(estimate.standard_error), **style)


def histogram(ax, edges, estimate, color=BLUE, **style):
    """Draw a measured density as steps with a band of two standard errors."""
    low, high = (estimate.value + s * 2 * estimate.standard_error for s in (-1, 1))
    ax.stairs(high, edges, baseline=low, fill=True, color=color, alpha=0.45, **style)
    ax.stairs(estimate.value, edges, color=color, linewidth=0.8)


def label(ax, x, y, text, color, **style):
    """Name a curve where it runs, instead of in a legend."""
    ax.annotate(text, (x, y), color=color, **({"fontsize": 10} | style))
