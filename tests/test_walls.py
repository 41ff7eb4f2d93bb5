"""How far walkers get: wells behind high barriers, and on which side of a level they live."""

import pytest
import sympy as sp

from sgdnotes.losses import Loss
from sgdnotes.theory import escape_rate, mean_first_passage_time

x = sp.symbols("x", real=True)
CUBIC = Loss(x**2 / 2 - x**3 / 3, x)


def test_a_well_behind_a_barrier_of_a_thousand_temperatures_counts_too():
    deep = 32 * (x + sp.Rational(7, 2)) ** 2 - sp.Rational(71, 3)
    other = Loss(sp.Piecewise((CUBIC.expr, x > -sp.Rational(5, 2)), (deep, True)), x)
    assert float(other.value(-2.5)) == pytest.approx(float(CUBIC.value(-2.5)))
    alone, both = (mean_first_passage_time(one, 0, 2, 0.008, log=True) for one in (CUBIC, other))
    # What it holds is e^(71/3/T) times as much; the way there, of 1042 T, does not matter.
    assert both - alone == pytest.approx(71 / 3 / 0.008, abs=4)


def test_a_level_on_the_left_of_a_bowl_is_reached_as_soon_as_one_on_the_right():
    bowl = Loss(x**2 / 2, x)
    left, right = (escape_rate(bowl, at, 0.1, uphill=True) for at in (-1.0, 1.0))
    assert left == pytest.approx(right, rel=1e-9)
    assert left == pytest.approx(escape_rate(bowl, (-1.0, 9.0), 0.1, uphill=True), rel=1e-6)


def test_a_wall_that_turns_back_does_not_remove():
    # In half a rod of length 1 heat decays at (π/2)²T, in a whole one at π²T.
    flat = Loss(sp.Integer(0), x)
    found = escape_rate(flat, 1.0, 0.3, reflect=0.0, uphill=True)
    assert found == pytest.approx(0.3 * float(sp.pi) ** 2 / 4, rel=1e-8)
