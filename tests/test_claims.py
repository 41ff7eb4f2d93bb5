"""A claim holds only where its check could have told otherwise."""

import numpy as np
import pytest
import sympy as sp
from scipy.stats import norm

from sgdnotes import claims
from sgdnotes.claims import AGREE, REJECT, ClaimFailed, agreement
from sgdnotes.experiment import Estimate

x, y = sp.symbols("x y", real=True)
p, q = sp.symbols("p q", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
f = sp.Function("f")
ONE = Estimate(1.0, 0.01)
WORDS = "the sum confirmed, the product rejected"


def claim(id, says=WORDS):
    return claims.claim(id, says)


# Exact.


@pytest.mark.parametrize(
    ("lhs", "rhs"),
    [
        (sp.sin(x) ** 2 + sp.cos(x) ** 2, 1),
        (sp.sqrt(p**2 * q), p * sp.sqrt(q)),
        (sp.integrate(x * sp.exp(-p * x**2), (x, 0, sp.oo)), 1 / (2 * p)),
        (sp.gamma(n + 1), sp.factorial(n)),
        (sp.diff(f(x) * sp.exp(-y), x, y), -sp.exp(-y) * f(x).diff(x)),
        (sp.Integral(p * x, (x, 0, 1)), p / 2),
        (sp.Matrix([[p, q]]) * sp.Matrix([p, -q]), sp.Matrix([p**2 - q**2])),
        (sp.Matrix([[x, y], [y, x]]).T, sp.Matrix([[x, y], [y, x]])),
        (1, 1),
    ],
)
def test_exact_accepts_sides_that_are_equal(lhs, rhs):
    assert claim("S0.21").exact(lhs, rhs).kind == "exact"


@pytest.mark.parametrize(
    ("lhs", "rhs"),
    [
        (x, y),
        (sp.sqrt(x**2), x),
        (p + q, p + q + sp.Rational(1, 10**9)),
        (f(x).diff(x), f(x)),
        (sp.Matrix([p, q]), sp.Matrix([p, p])),
        (2, 3),
    ],
)
def test_exact_refuses_sides_that_differ(lhs, rhs):
    with pytest.raises(ClaimFailed, match=r"S0\.21"):
        claim("S0.21").exact(lhs, rhs)


@pytest.mark.parametrize("name", ["printed", "rival"])
@pytest.mark.parametrize("same", [2 * p, p + p * (sp.sin(x) ** 2 + sp.cos(x) ** 2)])
def test_exact_refuses_a_wrong_form_that_equals_the_left_side(name, same):
    with pytest.raises(ClaimFailed, match="not rejected"):
        claim("E1").exact(2 * p, 2 * p, **{name: same})


def test_exact_says_that_it_rejected_the_printed_form_and_the_rival():
    text = repr(claim("E1").exact(2 * p, p + p, printed=p, rival=3 * p))
    assert "the printed form is rejected" in text
    assert "the rival is rejected" in text


def test_exact_rejects_a_wrong_matrix_that_is_off_in_one_entry_alone():
    right, wrong = sp.Matrix([[p, q]]), sp.Matrix([[p, 2 * q]])
    assert "rejected" in repr(claim("E1").exact(right, right, printed=wrong))


def test_exact_rejects_a_wrong_form_with_a_generic_function():
    verdict = claim("E4").exact(
        sp.diff(f(x) * sp.exp(-x), x), (f(x).diff(x) - f(x)) * sp.exp(-x),
        printed=f(x).diff(x) * sp.exp(-x),
    )  # fmt: skip
    assert "the printed form is rejected" in verdict.text


@pytest.mark.parametrize(
    ("lhs", "rhs"),
    [
        (sp.Matrix([p, q]), sp.Matrix([p])),
        (sp.Matrix([p, q]), p),
        (sp.Matrix([[p, q]]), sp.Matrix([p, q])),
        (sp.Matrix(2, 3, range(6)), sp.Matrix(3, 2, range(6))),
    ],
)
def test_exact_refuses_sides_of_different_shapes(lhs, rhs):
    with pytest.raises(ValueError, match="shape"):
        claim("S0.1").exact(lhs, rhs)


def test_exact_refuses_a_wrong_form_of_another_shape():
    with pytest.raises(ValueError, match="printed form must have the shape"):
        claim("S0.1").exact(p, p, printed=sp.Matrix([p, q]))


def test_exact_refuses_a_side_that_is_no_number_at_a_random_point():
    with pytest.raises(ClaimFailed):
        claim("S0.1").exact(sp.zoo * p, sp.zoo * p)


def test_an_exact_verdict_shows_its_formula_and_what_was_done():
    verdict = claim("S0.21").exact(p / 2, p / 2)
    done = "residual 0, and 0 in 30 digits at 5 random points"
    assert repr(verdict) == f"{WORDS} (S0.21, exact): {done}"
    formula = r"$\displaystyle \frac{p}{2}$"
    assert verdict._repr_markdown_() == (
        f'<details class="verdict"><summary>✓ {WORDS} <small>S0.21 · exact</small></summary>\n\n'
        f"{formula}, {done}.\n\n</details>"
    )


def test_an_exact_verdict_on_numbers_claims_no_random_points():
    verdict = claim("S0.21").exact(1, 1)
    assert repr(verdict) == f"{WORDS} (S0.21, exact): residual 0, and 0 in 30 digits"


def test_a_formula_too_long_for_one_line_is_left_out():
    long = sum(sp.Symbol(f"a_{k}") ** k for k in range(60))
    assert "$" not in claim("S0.21").exact(long, long)._repr_markdown_()


# Measured.


def test_measured_accepts_what_is_within_four_standard_errors_and_no_more():
    assert (AGREE, REJECT) == (4.0, 8.0)
    assert claim("S3.4").measured(ONE, 1.039, rival=2.0).kind == "measured"
    assert claim("S3.4").measured(ONE, 0.961, rival=2.0).kind == "measured"
    for off in (1.041, 0.959):
        with pytest.raises(ClaimFailed, match=r"S3\.4: .*\|z\| = 4\.1 > 4"):
            claim("S3.4").measured(ONE, off, rival=2.0)


@pytest.mark.parametrize("name", ["printed", "rival"])
def test_measured_refuses_a_wrong_form_that_it_cannot_reject(name):
    claim("S3.4").measured(ONE, 1.0, **{name: 1.081})
    for near in (1.079, 0.921, 1.0, np.nan, np.inf):
        with pytest.raises((ClaimFailed, ValueError)):
            claim("S3.4").measured(ONE, 1.0, **{name: near})


def test_measured_rejects_the_printed_form_and_the_rival_when_both_are_given():
    text = claim("E1").measured(ONE, 1.0, printed=2.0, rival=0.5).text
    assert "the printed form, 2, is rejected at |z| = 100" in text
    assert "the rival, 0.5, is rejected at |z| = 50" in text
    with pytest.raises(ClaimFailed, match="the rival is not rejected"):
        claim("E1").measured(ONE, 1.0, printed=2.0, rival=1.01)


def test_measured_without_a_rival_must_reject_twice_and_half():
    text = claim("S0.1").measured(ONE, 1.0).text
    assert "twice that, 2, is rejected" in text
    assert "half of it, 0.5, is rejected" in text
    # At ten standard errors, twice is rejected and half is not.
    with pytest.raises(ClaimFailed, match="half of it is not rejected"):
        claim("S0.1").measured(Estimate(1.0, 0.1), 1.0)


def test_measured_refuses_zero_without_a_rival():
    zero = Estimate(0.001, 0.01)
    with pytest.raises(ValueError, match="rival"):
        claim("S0.1").measured(zero, 0.0)
    assert claim("S0.1").measured(zero, 0.0, rival=0.5).kind == "measured"


def test_measured_takes_arrays_and_every_entry_must_agree():
    several = Estimate(np.array([1.0, 2.0]), np.array([0.01, 0.02]))
    text = claim("S0.1").measured(several, [1.01, 1.98], rival=[1.0, 3.0]).text
    assert text.startswith("at 2 points, the largest gap, |z| = 1.0; the rival is")
    with pytest.raises(ClaimFailed):
        claim("S0.1").measured(several, [1.0, 2.1])
    for shape in ([1.0], 1.0, [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="expected must be finite and shaped"):
            claim("S0.1").measured(several, shape)


@pytest.mark.parametrize("name", ["printed", "rival"])
def test_measured_refuses_a_wrong_form_of_another_shape(name):
    several = Estimate(np.array([1.0, 2.0]), np.array([0.01, 0.02]))
    with pytest.raises(ValueError, match="shape"):
        claim("S0.1").measured(several, [1.0, 2.0], **{name: [2.0, 3.0, 4.0]})


def test_a_bias_is_allowed_for_both_in_agreeing_and_in_rejecting():
    with pytest.raises(ClaimFailed):
        claim("S0.1").measured(ONE, 1.05, rival=2.0)
    text = claim("S0.1").measured(ONE, 1.05, rival=2.0, bias=0.02).text
    assert "|z| = 3.0" in text
    assert text.endswith("; allowed bias 0.02")
    # 1.09 is 9 standard errors away, and 7 beyond the bias.
    claim("S0.1").measured(ONE, 1.0, rival=1.09)
    with pytest.raises(ClaimFailed, match="not rejected"):
        claim("S0.1").measured(ONE, 1.0, rival=1.09, bias=0.02)


@pytest.mark.parametrize("expected", [np.nan, np.inf])
def test_measured_refuses_an_expected_value_that_is_not_finite(expected):
    with pytest.raises(ValueError, match="expected must be finite"):
        claim("S0.1").measured(ONE, expected)


def test_a_measured_verdict_shows_two_digits_of_the_error_and_the_value_to_the_same_place():
    estimate = Estimate(0.01560971, 0.00001312)
    verdict = claim("S0.1").measured(estimate, 1 / 64, rival=1 / 80)
    assert repr(verdict) == (
        f"{WORDS} (S0.1, measured): 0.015610 ± 0.000013, expected 0.015625, |z| = 1.2; "
        "the rival, 0.0125, is rejected at |z| = 240"
    )
    assert "0.015610 ± 0.000013," in verdict._repr_markdown_()
    assert "measured): 123 ± 11, expected 120" in repr(
        claim("S0.1").measured(Estimate(123.4, 11.2), 120, rival=300)
    )


# Ids.


@pytest.mark.parametrize("id", ["S0.21", "S4.15", "E4", "E15", "B2"])
def test_ids_of_the_ledger_are_accepted(id):
    assert claim(id).id == id


@pytest.mark.parametrize("id", ["", "S", "0.21", "s0.21", "X1", "S0.", "S0.21 ", "S0.2.1", "E-1"])
def test_other_ids_are_refused(id):
    with pytest.raises(ValueError, match="id must look like"):
        claim(id)


# Words.


@pytest.mark.parametrize(
    "says",
    [
        "",
        "short",
        "two\nlines of words",
        " a blank in front",
        "$x^2$ confirmed",
        "a < b confirmed",
        "w" * 141,
        3,
    ],
)
def test_a_claim_says_in_one_plain_line_what_it_confirms(says):
    with pytest.raises(ValueError, match="says must be"):
        claim("B1", says)


def test_a_tick_stands_beside_the_words_and_never_beside_an_id_that_holds():
    right = claim("S2.12", "max(1, N′/B) confirmed; the printed min rejected")
    verdict = right.exact(sp.Max(1, p), sp.Max(p, 1), printed=sp.Min(1, p))
    assert "<summary>✓ max(1, N′/B) confirmed; the printed min" in verdict._repr_markdown_()
    assert "<small>S2.12, corrected · exact</small>" in verdict._repr_markdown_()
    assert repr(verdict).startswith(f"{right.says} (S2.12, corrected, exact): ")
    measured = claim("E1").measured(ONE, 1.0, printed=2.0)
    assert "(E1, corrected, measured): " in repr(measured)
    assert "corrected" not in repr(claim("E1").measured(ONE, 1.0, rival=2.0))


# Many values.


def test_many_true_values_are_refused_as_rarely_as_one():
    assert agreement(1) == pytest.approx(AGREE)
    for n in (2, 40, 5000):
        inside = norm.cdf(agreement(n)) - norm.cdf(-agreement(n))
        assert inside**n == pytest.approx(norm.cdf(AGREE) - norm.cdf(-AGREE), rel=1e-9)
    rng = np.random.default_rng(3)
    for _ in range(200):
        true = Estimate(1 + 0.01 * rng.standard_normal(253), np.full(253, 0.01))
        claim("B1").measured(true, np.ones(253))


def test_one_value_of_many_that_is_off_is_refused():
    off = Estimate(np.r_[1.06, np.ones(252)], np.full(253, 0.01))
    with pytest.raises(ClaimFailed, match=r"\|z\| = 6.0 > 5.16"):
        claim("B1").measured(off, np.ones(253))


def test_values_that_share_randomness_are_not_judged_together():
    alike = Estimate(np.full(9, 1.03), np.full(9, 0.01))
    with pytest.raises(ClaimFailed, match="root mean square"):
        claim("B1").measured(alike, np.ones(9))
    claim("B1").measured(alike, np.ones(9), independent=False)


def test_one_of_many_values_that_share_randomness_must_not_be_off():
    for values in ([1.0, 1.06], [1.06, 1.0]):
        with pytest.raises(ClaimFailed, match=r"\|z\| = 6.0"):
            claim("B1").measured(Estimate(values, [0.01, 0.01]), np.ones(2), independent=False)


@pytest.mark.parametrize("whole", [True, False])
def test_positive_symbols_are_tried_at_positive_points_alone(whole):
    k = sp.Symbol("k", positive=True, integer=whole)
    # Equal for every positive k, so it is no rival.
    with pytest.raises(ClaimFailed, match="not rejected"):
        claim("B1").exact(k, k, rival=k + sp.floor(sp.exp(-k)))


# What must not pass by accident.


def test_nothing_is_no_claim():
    with pytest.raises(ValueError, match="empty"):
        claim("B1").exact(sp.Matrix(0, 0, []), sp.Matrix(0, 0, []))


def test_a_complex_expectation_or_a_bias_of_another_shape_is_refused():
    two = Estimate(np.array([1.0, 1.0]), np.array([0.01, 0.01]))
    with pytest.raises(ValueError, match="real"):
        claim("B1").measured(Estimate(1.0, 0.01), 1 + 5j)
    with pytest.raises(ValueError, match="bias"):
        claim("B1").measured(two, [1.0, 1.0], rival=[1.0, 1.1], bias=[[0.0], [0.1]])


@pytest.mark.parametrize(
    "allowed", [{"negative": True}, {"nonpositive": True}, {"even": True}, {"odd": True}]
)
def test_random_points_obey_the_symbol(allowed):
    k = sp.Symbol("k", integer=True, **allowed)
    # Equal for every allowed k, so it is no rival.
    same = {
        "negative": k + sp.floor(sp.exp(k)), "nonpositive": -sp.sqrt(k**2),
        "even": k * (1 + (-1) ** k) / 2, "odd": k * (1 - (-1) ** k) / 2,
    }[next(iter(allowed))]  # fmt: skip
    with pytest.raises(ClaimFailed, match="not rejected"):
        claim("B1").exact(k, k, rival=same)


# Each of two nets alone: what only it would catch.


def test_measured_refuses_many_values_that_are_all_off_the_same_way():
    off = Estimate(np.full(16, 1.0), np.full(16, 0.01))
    # No single z is above 4; of 16 values the root mean square may be 1 + 3/4.
    for z, held in ((1.7, True), (1.8, False), (3.9, False)):
        expected = np.full(16, 1.0 + 0.01 * z)
        if held:
            assert claim("S0.21").measured(off, expected).kind == "measured"
        else:
            with pytest.raises(ClaimFailed, match=r"root mean square of z is .* > 1\.75"):
                claim("S0.21").measured(off, expected)
    # A single value has the limit of a single z, and four have 1 + 3/2.
    assert claim("S0.21").measured(ONE, 1.039).kind == "measured"
    with pytest.raises(ClaimFailed, match=r"> 2\.50"):
        claim("S0.21").measured(Estimate(np.ones(4), np.full(4, 0.01)), np.full(4, 1.026))


def test_exact_compares_numbers_even_where_the_symbols_agree(monkeypatch):
    monkeypatch.setattr(sp, "simplify", lambda expression: sp.S.Zero)
    with pytest.raises(ClaimFailed, match="differ by"):
        claim("S0.21").exact(x, 2 * x)


def test_exact_refuses_what_agrees_in_numbers_but_does_not_simplify_to_zero():
    # 10^-40 is nothing in the digits that are compared, and is not zero.
    with pytest.raises(ClaimFailed, match="simplifies to"):
        claim("S0.21").exact(x + sp.Rational(1, 10**40), x)


def test_what_is_no_estimate_is_refused_by_name():
    with pytest.raises(ValueError, match="estimate must be an Estimate"):
        claim("S1.1", "a value is as expected").measured(1.0, 1.0)


def test_text_is_no_side_of_a_claim_and_is_not_evaluated():
    with pytest.raises(ValueError, match="lhs must be a SymPy expression"):
        claim("S1.1", "two sides are equal").exact("__import__('os').getpid()", 1)
