"""Only the last digits of a verdict are free: a hand-edited verdict is caught."""

import re
from pathlib import Path

import numpy as np
import pytest
from nbval.plugin import get_sanitize_patterns

from sgdnotes.claims import claim as named
from sgdnotes.experiment import Estimate

FILE = Path(__file__).parent / "nbval-sanitise.cfg"
PLAIN = (
    "the sum confirmed (S0.1, measured): 0.015610 ± 0.000013, expected 0.015625, |z| = 1.2; "
    "the rival, 0.0125, is rejected at |z| = 240"
)


def claim(id):
    return named(id, "the sum confirmed")


def sanitised(text):
    """What nbval compares."""
    for regex, replace in get_sanitize_patterns(FILE.read_text("utf8")):
        text = re.sub(regex, replace, text)
    return text


def verdict(value=0.0156104, error=0.0000131, **options):
    told = {"expected": 1 / 64, "rival": 1 / 80} | options
    return claim("S0.1").measured(Estimate(value, error), **told)


def test_the_file_is_plain_ascii_with_one_replacement_a_pattern():
    text = FILE.read_text("ascii")
    assert len(get_sanitize_patterns(text)) == text.count("regex:") == 3


def test_the_last_digit_of_value_error_and_both_z_is_hidden_and_nothing_else():
    assert repr(verdict()).startswith(PLAIN[:60])
    assert sanitised(PLAIN) == (
        "the sum confirmed (S0.1, measured): 0.01561# ± 0.00001#, expected 0.015625, |z| = 1.#; "
        "the rival, 0.0125, is rejected at |z| = 2#0"
    )


def test_the_shown_form_is_treated_like_the_plain_one():
    shown = sanitised(verdict()._repr_markdown_())
    assert "\n\n0.01561# ± 0.00001#, expected 0.015625, |z| = 1.#; the rival" in shown


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.015610", "0.015613"),
        ("0.000013", "0.000014"),
        ("|z| = 1.2", "|z| = 1.3"),
        ("|z| = 240", "|z| = 250"),
    ],
)
def test_another_last_digit_passes(old, new):
    assert old in PLAIN
    assert sanitised(PLAIN.replace(old, new)) == sanitised(PLAIN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.015610", "0.015620"),
        ("0.015610", "0.025610"),
        ("0.015610", "-0.015610"),
        ("0.000013", "0.000023"),
        ("0.000013", "0.00013"),
        ("0.015625", "0.015626"),
        ("|z| = 1.2", "|z| = 2.2"),
        ("|z| = 1.2", "|z| = 11.2"),
        ("0.0125", "0.0126"),
        ("|z| = 240", "|z| = 340"),
        ("|z| = 240", "|z| = 24"),
        ("|z| = 240", "|z| = 2400"),
        ("S0.1", "S0.2"),
        ("confirmed", "rejected"),
        ("measured)", "exact)"),
        ("rejected", "accepted"),
        ("rival", "printed form"),
    ],
)
def test_any_other_edit_is_caught(old, new):
    assert old in PLAIN
    assert sanitised(PLAIN.replace(old, new, 1)) != sanitised(PLAIN)


@pytest.mark.parametrize("error", [0.011, 1.1, 11.0, 111.0])
def test_the_last_digit_is_found_at_every_size_of_the_error(error):
    # The rival is 90.9 standard errors away.
    text = repr(verdict(5 * error, error, expected=4 * error, rival=105.9 * error))
    value, spread = re.search(r"measured\): (\S+) ± (\S+),", text).groups()
    assert f"measured): {value[:-1]}# ± {spread[:-1]}#, expected" in sanitised(text)


def test_a_negative_value_keeps_its_sign():
    text = sanitised(repr(verdict(-0.512, 0.011, expected=-0.5, rival=0.5)))
    assert "measured): -0.51# ± 0.01#, expected -0.5, |z| = 1.#" in text


def test_a_verdict_on_several_points_hides_only_its_z():
    several = Estimate(np.array([1.0, 2.0]), np.array([0.01, 0.02]))
    text = repr(claim("S0.1").measured(several, [1.012, 2.0]))
    assert sanitised(text) == (
        "the sum confirmed (S0.1, measured): at 2 points, the largest gap, |z| = 1.#; "
        "twice that is rejected at |z| = 1#0; half of it is rejected at |z| = 5#"
    )


@pytest.mark.parametrize(("z", "shown"), [(8.26, "8.#"), (25.4, "2#"), (1.23e6, "1.#e+06")])
def test_the_second_digit_of_a_rejection_is_hidden_at_every_size(z, shown):
    text = repr(verdict(1.0, 0.01, expected=1.0, rival=1.0 + 0.01 * z))
    assert sanitised(text).endswith(f"rejected at |z| = {shown}")


def test_the_allowed_bias_and_an_exact_verdict_are_compared_whole():
    text = repr(verdict(bias=1.2e-6))
    assert text.endswith("; allowed bias 1.2e-06")
    assert sanitised(text).endswith("; allowed bias 1.2e-06")
    exact = repr(claim("S0.21").exact(1, 1, printed=2))
    assert sanitised(exact) == exact


def test_what_is_sanitised_stays_as_it_is_when_sanitised_again():
    assert sanitised(sanitised(PLAIN)) == sanitised(PLAIN)
