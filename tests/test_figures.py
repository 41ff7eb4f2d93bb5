"""Text in a figure reads on a white page and on a black one."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from sgdnotes import figures


def luminance(color):
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("color", [*figures.CYCLE, figures.INK, "white", "black", "#123"])
def test_text_has_the_contrast_that_wcag_asks_on_white_and_on_black(color):
    own = luminance(figures.text_color(color))
    assert 1.05 / (own + 0.05) >= 4.5
    assert (own + 0.05) / 0.05 >= 4.5


def test_a_label_is_drawn_in_the_legible_tone_of_its_curve():
    class Axes:
        def annotate(self, text, place, color, **style):
            self.told = text, color

    axes = Axes()
    figures.label(axes, 0, 0, "theory", figures.ORANGE)
    assert axes.told == ("theory", figures.text_color(figures.ORANGE))
    assert figures.text_color(figures.ORANGE) != figures.ORANGE.lower()


def test_legible_ink_stays_as_it_is():
    assert figures.text_color(figures.INK) == figures.INK.lower()
