"""The explorables: the same numbers on every machine, held to the theory, for every reader.

Each stands on a page of its own here, made from the book's scripts. That the chapters
carry them is for `test_built_book.py` to see.
"""

import json
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import sgdbook_explore
import sympy as sp
from axe_playwright_python.sync_playwright import Axe
from scipy import stats
from sklearn.datasets import load_diabetes

from sgdnotes.losses import DataLoss, Loss
from sgdnotes.theory import (
    chain_escape_rate,
    circulation,
    escape_rate,
    gibbs_density,
    kramers_rate,
    mean_first_passage_time,
    sde_covariance,
    sgd_covariance,
)

STATIC = Path(__file__).parents[1] / "book" / "static"
NAMES = ["cloud", "gibbs", "momentum", "one-weight", "race", "whirl"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
CLOSE = {"rel": 1e-9, "abs": 1e-14}
PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Explorables</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="{static}/explore/explore.css">
<style>body {{ margin: 8px auto; max-width: 736px; font: 16px sans-serif }}
html[data-theme=dark] {{ background: #14181E; color: #CED6DD }}</style>{scripts}</head>
<body><main><h1>Explorables</h1>{cells}</main></body></html>"""
CELL = """<div style="height: {before}px"></div><div class="cell tag_explore-{name}">
<div class="cell_output"><svg role="img" aria-label="It stands still." width="300" height="200">
</svg></div></div>"""


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorables")
    data = folder / "diabetes.js"
    data.write_text(sgdbook_explore.diabetes(), encoding="utf8")

    def page(*names, theme="light", before=0):
        def source(file):
            return (data if file.endswith("diabetes.js") else STATIC / file).as_uri()

        shown = [
            f'<script defer src="{source(f)}"></script>' for f in sgdbook_explore.scripts(names)
        ]
        cells = [CELL.format(name=name, before=before) for name in names if before is not None]
        path = folder / f"{'-'.join(names)}-{theme}-{before}.html"
        path.write_text(
            PAGE.format(
                theme=theme, static=STATIC.as_uri(), scripts="".join(shown), cells="".join(cells)
            ),
            encoding="utf8",
        )
        return path

    return page


@pytest.fixture
def opened(browser, write):
    """Open a page; at the end nothing may have gone wrong on it or left the machine."""
    contexts, wrong, sent = [], [], []

    def open_page(*names, theme="light", before=0, viewport=DESK, motion="reduce", **options):
        context = browser.new_context(viewport=viewport, reduced_motion=motion, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(10_000)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: sent.append(request.url))
        tab.goto(write(*names, theme=theme, before=before).as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
    assert [url for url in sent if not url.startswith("file:")] == []


@pytest.fixture(scope="module")
def engine(browser, write):
    """All the numbers and figures on a page without a cell."""
    tab = browser.new_page()
    tab.goto(write(*NAMES, before=None).as_uri())
    yield tab
    tab.close()


def figure(name):
    return f"document.querySelector('.tag_explore-{name}').explorable"


# Chance: the generator once more, in Python.


def uniforms(seed):
    mask, (a, b, c, d) = 0xFFFFFFFF, (0, 0, seed, 1)
    for step in range(10**6):
        t = (a + b + d) & mask
        a, b, c, d = b ^ (b >> 9), (9 * c) & mask, (((c << 21) | (c >> 11)) + t) & mask, d + 1
        if step >= 16:
            yield t / 2**32


def log(s):
    halvings = 0
    while s < 0.7071067811865476:
        s, halvings = 2 * s, halvings + 1
    z = (s - 1) / (s + 1)
    series = 1 / 15
    for odd in (13, 11, 9, 7, 5, 3, 1):
        series = 1 / odd + z * z * series
    return 2 * z * series - halvings * 0.6931471805599453


def normals(seed, count):
    draw, found = uniforms(seed), []
    while len(found) < count:
        u, v = 2 * next(draw) - 1, 2 * next(draw) - 1
        s = u * u + v * v
        if 0 < s < 1:
            m = math.sqrt(-2 * log(s) / s)
            found += [u * m, v * m]
    return found[:count]


def test_the_normal_numbers_are_those_of_python_to_the_last_bit(engine):
    for seed in (1, 2, 77):
        drawn = engine.evaluate(
            "(seed) => { const c = new explore.Chance(seed);"
            " return Array.from({length: 1000}, () => c.normal()) }",
            seed,
        )
        assert drawn == normals(seed, 1000)


def test_the_logarithm_is_good_to_thirteen_digits(engine):
    at = np.random.default_rng(0).random(1000).tolist()
    for s, found in zip(at, engine.evaluate("(at) => at.map(explore.log)", at), strict=True):
        assert found == log(s) == pytest.approx(math.log(s), rel=1e-13, abs=1e-15)


def test_the_random_numbers_follow_their_laws(engine):
    counts, whole, moments = engine.evaluate(
        """() => {
          const chance = new explore.Chance(5), counts = new Array(100).fill(0);
          const whole = new Array(442).fill(0), moments = [0, 0, 0, 0];
          let last = 0;
          for (let i = 0; i < 400000; i++) {
            const z = chance.normal();
            counts[Math.floor(100 * explore.below(z))]++;
            whole[chance.below(442)]++;
            [z, z * z, z ** 4, z * last].forEach((m, k) => { moments[k] += m / 400000; });
            last = z;
          }
          return [counts, whole, moments];
        }"""
    )
    assert stats.chisquare(counts).pvalue > 1e-3
    assert stats.chisquare(whole).pvalue > 1e-3
    # In standard errors: of z, z², z⁴ and of a number times the one before.
    z = (np.array(moments) - [0, 1, 3, 0]) * np.sqrt(400_000 / np.array([1, 2, 96, 1]))
    assert np.abs(z).max() < 3.5
    # A normal law that is wider by one per cent would be seen.
    assert abs(moments[1] - 1.01**2) * math.sqrt(400_000 / 2) > 6


def test_the_normal_law_and_the_quadrature_are_exact_to_rounding(engine):
    at = np.linspace(-9, 9, 91).tolist()
    found = engine.evaluate("(at) => at.map(explore.below)", at)
    assert found == pytest.approx(stats.norm.cdf(at), rel=1e-12)
    nodes, weights = np.array(engine.evaluate("() => explore.gauss(10)")).T
    known, known_weights = np.polynomial.legendre.leggauss(10)
    assert np.sort(nodes) == pytest.approx((known + 1) / 2, abs=1e-15)
    assert weights[np.argsort(nodes)] == pytest.approx(known_weights / 2, abs=1e-15)


# Laws: each against sgdnotes, which finds it by another way.


def law(engine, name, function, *arguments):
    return engine.evaluate(
        f"(a) => explore.figures['{name}'].{function}(...a)", list(map(float, arguments))
    )


def values(engine, name, knob):
    knobs = engine.evaluate(f"() => explore.figures['{name}'].knobs.map((k) => [k.id, k.values])")
    return dict(knobs)[knob]


def test_one_weight_knows_its_variance(engine):
    for rate in values(engine, "one-weight", "rate"):
        for h, sigma in ((0.25, 3), (0.5, 2), (1, 1), (2, 0.5)):
            if rate * h < 2:
                exact = law(engine, "one-weight", "variance", rate, h, sigma)
                assert exact == pytest.approx(sgd_covariance(h, sigma**2, rate), **CLOSE)
            small = law(engine, "one-weight", "smallSteps", rate, h, sigma)
            assert small == pytest.approx(sde_covariance(h, sigma**2, rate), **CLOSE)


def patients():
    table = load_diabetes()
    mass = table.data[:, 2] / table.data[:, 2].std()
    w, b, x, y = sp.symbols("w b x y", real=True)
    score = table.target / 100
    loss = DataLoss((w * x + b - y) ** 2 / 2, (w, b), (x, y), np.c_[mass, score])
    return loss.example_gradients(np.array([(mass * score).mean(), score.mean()]))


def test_the_cloud_has_the_gradients_of_the_chapter(engine):
    exact = patients()
    found = np.array(engine.evaluate("() => explore.figures.cloud.gradients")).T
    assert found == pytest.approx(exact, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("size", [1, 2, 64, 400, 442])
def test_the_cloud_knows_the_covariance_of_a_batch(engine, size):
    gradients = patients()
    n = len(gradients)
    same = gradients.T @ gradients / n
    # Of two different patients; a batch holds B (B − 1) such pairs.
    others = (np.outer(gradients.sum(0), gradients.sum(0)) - n * same) / n / (n - 1)
    for how, pair in (("with", 0 * others), ("without", others)):
        exact = same / size + (size - 1) / size * pair
        xx, xy, yy = engine.evaluate(
            "([B, how]) => explore.figures.cloud.covariance(B, how)", [size, how]
        )
        assert [xx, xy, yy] == pytest.approx(exact[[0, 0, 1], [0, 1, 1]], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("memory", [1, 2, 8, 32])
def test_momentum_knows_its_variance_and_eigenvalues(engine, memory):
    mu = 1 - 1 / memory
    for rate in values(engine, "momentum", "rate"):
        for h in (1.0, 12.0):
            eta = rate / memory
            step = np.array([[mu, eta * h], [-mu, 1 - eta * h]])
            pairs = law(engine, "momentum", "eigenvalues", rate, memory, h)
            found = np.sort_complex([complex(*pair) for pair in pairs])
            # Next to a double root rounding is magnified to its square root.
            assert found == pytest.approx(np.sort_complex(np.linalg.eigvals(step)), abs=1e-7)
            assert found.sum() == pytest.approx(np.trace(step), **CLOSE)
            assert found.prod() == pytest.approx(np.linalg.det(step), rel=1e-9, abs=1e-12)
            if np.abs(found).max() < 1:
                exact = sgd_covariance(h, 4.0, eta, momentum=mu)
                variance = law(engine, "momentum", "variance", rate, memory, h, 2)
                assert variance == pytest.approx(exact, **CLOSE)


def x_loss(tilt):
    x = sp.symbols("x", real=True)
    return Loss(x**4 / 4 - x**2 / 2 + tilt * x, x)


def settled_share(loss, rate, kick, top):
    """Part of the walk's settled law below `top`: Gauss-Legendre on panels, eigenvector."""
    edges = np.r_[np.linspace(-5.1, top, 40), np.linspace(top, 5.1, 40)[1:]]
    node, weight = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + half * (1 + node)).ravel()
    w = (half * weight).ravel()
    step = stats.norm.pdf(x[:, None], x - rate * loss.gradient(x), kick) * w
    p = np.linalg.solve(
        np.vstack([(step - np.eye(len(x)))[:-1], w]), np.r_[np.zeros(len(x) - 1), 1.0]
    )
    return (p * w)[x < top].sum()


@pytest.mark.parametrize("knobs", [(0.02, 1, 30), (0.08, 1, 30), (0.04, 4, 30), (0.08, 8, 15)])
def test_gibbs_knows_both_shares_and_how_long_the_valleys_remember(engine, knobs):
    rate, batch, variance = knobs
    loss, kT = x_loss(sp.Rational(1, 10)), rate * variance / batch / 2
    kick = rate * math.sqrt(variance / batch)
    left, top, right = np.sort(np.roots([1, 0, -1, 0.1]).real).tolist()
    found = law(engine, "gibbs", "theory", *knobs)
    edges = np.linspace(-6, top, 2001)
    share = (gibbs_density(loss, kT).bin_averages(edges) * np.diff(edges)).sum()
    assert found["gibbs"] == pytest.approx(share, **CLOSE)
    assert found["walk"] == pytest.approx(settled_share(loss, rate, kick, top), **CLOSE)
    assert abs(found["walk"] - found["gibbs"]) > 1e-5
    assert found["over"] == pytest.approx(mean_first_passage_time(loss, left, right, kT), **CLOSE)
    assert found["back"] == pytest.approx(mean_first_passage_time(loss, right, left, kT), **CLOSE)


@pytest.mark.parametrize("knobs", [(0.02, 8, 30), (0.1, 3, 45), (0.4, 5, -60), (0.2, 2, 90)])
def test_the_whirl_knows_its_covariance_and_the_area_swept(engine, knobs):
    rate, hot, degrees = knobs
    H, turn = np.diag([1.0, 3.0]), np.radians(degrees)
    direction = np.array([np.cos(turn), np.sin(turn)])
    sigma = np.eye(2) + (hot - 1) * np.outer(direction, direction)
    upper = [0, 0, 1], [0, 1, 1]
    assert law(engine, "whirl", "noise", hot, degrees) == pytest.approx(sigma[upper], **CLOSE)
    S = sgd_covariance(H, sigma, rate)
    both = engine.evaluate(
        """([rate, hot, degrees]) => {
          const { noise, covariance, smooth, area } = explore.figures.whirl;
          const sigma = noise(hot, degrees), S = covariance(rate, sigma);
          return [S, area(S), area(smooth(rate, sigma))];
        }""",
        [rate, hot, degrees],
    )
    following = S @ (np.eye(2) - rate * H).T  # E[Φ Φ′ᵀ] of a step and the next
    swept = (following[0, 1] - following[1, 0]) / 2 / rate
    assert both[0] == pytest.approx(S[upper], **CLOSE)
    assert both[1] == pytest.approx(swept, rel=1e-9, abs=1e-12)
    assert both[2] == pytest.approx(circulation(H, sigma, rate)[0, 1], rel=1e-9, abs=1e-12)


RACES = [(0.1, 0.02, 1), (0.05, 0.2, 0.5), (0.125, 0.01, 0), (0.0625, 0.1, 0.25)]


@pytest.mark.parametrize("knobs", RACES)
def test_the_race_knows_three_mean_times(engine, knobs):
    T, dt, finish = knobs
    loss, found = x_loss(0), law(engine, "race", "theory", *knobs)
    walk = chain_escape_rate(loss, float(finish), -2.8, dt, 2 * T / dt)
    assert found["walk"] == pytest.approx(1 / walk, **CLOSE)
    assert found["smooth"] == pytest.approx(1 / escape_rate(loss, float(finish), T), **CLOSE)
    assert found["kramers"] == pytest.approx(1 / kramers_rate(loss, -1.0, 0.0, T), **CLOSE)


# Measurement: what runs in the page against its own exact law.

RUN = """([name, at, seed]) => {
  const figure = explore.figures[name];
  const knobs = Object.fromEntries(figure.knobs.map((k) => [k.id, k.values[at[k.id] ?? k.start]]));
  const state = figure.begin(new explore.Chance(seed), knobs);
  figure.turned(state, knobs);
  for (let n = figure.patience(state); n > 0; n--) figure.step(state);
  const { rows, waiting } = figure.read(state, knobs);
  for (const row of Object.values(rows)) row.says ??= null;
  const rules = figure.rows.filter((row) => row.rule).map((row) => row.id);
  return { rows, waiting: waiting ?? null, rules };
}"""


def run(engine, name, at, seed):
    return engine.evaluate(RUN, [name, at, seed])


def z_of(row, theory=None):
    return (row["value"] - (row["theory"] if theory is None else theory)) / row["error"]


# A setting, the rows that have an exact law, and a row that must be rejected.
SEEDED = {
    "one-weight": ({"rate": 4}, ["variance"], ["small"]),
    "cloud": ({"B": 8, "replace": 1}, ["square"], ["fresh"]),
    "momentum": ({"memory": 2}, ["along", "across"], ["rule"]),
    "gibbs": ({"rate": 3, "batch": 2}, ["temperature", "walk"], ["gibbs"]),
    "whirl": ({"rate": 4}, ["area", "x", "y"], ["smooth"]),
    "race": ({"T": 4, "dt": 2, "finish": 0}, ["walk"], ["smooth", "kramers"]),
}


@pytest.mark.parametrize("name", NAMES)
def test_over_many_seeds_z_is_standard_normal_and_a_wrong_law_is_rejected(engine, name):
    at, exact, wrong = SEEDED[name]
    runs = [run(engine, name, at, seed)["rows"] for seed in range(100, 116)]
    for row in exact:
        z = np.array([z_of(rows[row]) for rows in runs])
        assert abs(z.sum()) / math.sqrt(len(z)) < 3.3, (row, z)
        low, high = stats.chi2.ppf([5e-4, 1 - 5e-4], len(z))
        assert low < (z**2).sum() < high, (row, z)
        print(f"{name} {row}: mean z {z.mean():+.2f}, mean z² {(z**2).mean():.2f}")
    for row in wrong:
        z = np.array([z_of(rows[row]) for rows in runs])
        assert abs(z.sum()) / math.sqrt(len(z)) > 6, (row, z)
        print(f"{name} {row}, wrong: {z.sum() / math.sqrt(len(z)):+.1f} errors off in all")


# Positions of the sliders, each in the order of the figure's knobs.
GRID = {
    "one-weight": [(0, 4, 1), (2, 0, 0), (5, 2, 3), (6, 1, 1), (7, 2, 1), (8, 2, 2)],
    "cloud": [(0, 0), (0, 1), (4, 0), (6, 1), (9, 0), (9, 1)],
    "momentum": [(0, 0, 0), (0, 5, 1), (3, 3, 2), (4, 1, 2), (7, 4, 3), (6, 5, 2)],
    "gibbs": [(1, 0, 2), (2, 1, 2), (2, 0, 0), (3, 0, 2), (3, 3, 2), (2, 2, 2)],
    "whirl": [(0, 4, 5), (1, 2, 2), (3, 3, 1), (4, 0, 6), (4, 4, 8)],
    "race": [(4, 0, 0), (4, 3, 4), (3, 1, 2), (2, 2, 0), (0, 3, 3)],
}


@pytest.mark.parametrize("name", NAMES)
def test_at_many_places_of_the_sliders_theory_and_measurement_agree(engine, name):
    knobs = engine.evaluate(f"() => explore.figures['{name}'].knobs.map((k) => k.id)")
    for positions in GRID[name]:
        at = dict(zip(knobs, positions, strict=True))
        seen = run(engine, name, at, 1)
        assert seen["waiting"] is None, (at, seen)
        for row, reading in seen["rows"].items():
            if row not in seen["rules"] and reading["says"] is None:
                z = z_of(reading)
                print(f"{name} {at} {row}: z = {z:+.1f}")
                assert abs(z) <= 4, (at, row, reading)


def test_beyond_the_edge_no_law_is_claimed(engine):
    for name, rate in (("one-weight", 9), ("one-weight", 10), ("momentum", 6)):
        seen = run(engine, name, {"rate": rate}, 1)
        assert seen["waiting"] == ""
        assert all(row["says"] == "no law" for row in seen["rows"].values())


def test_the_numbers_run_without_a_page(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine; the browser runs the same files")
    (tmp_path / "diabetes.js").write_text(sgdbook_explore.diabetes(), encoding="utf8")
    files = [
        tmp_path / "diabetes.js" if f.endswith("diabetes.js") else STATIC / f
        for f in sgdbook_explore.scripts(NAMES)[:-1]
    ]
    code = "".join(f"require({json.dumps(str(f))});" for f in files)
    ask = "console.log(JSON.stringify(run(['one-weight', {}, 1])))"
    program = f"{code} const run = {RUN}; {ask}"
    done = subprocess.run([node, "-e", program], capture_output=True, text=True)
    assert json.loads(done.stdout)["rows"]["variance"]["error"] > 0


# The reader.


def test_two_visits_show_the_same_numbers_and_another_seed_shows_others(opened):
    def look(tab):
        return tab.locator(".explore-table").inner_text()

    first, second = opened("one-weight"), opened("one-weight")
    assert look(first) == look(second)
    assert "agrees" in look(first)
    second.get_by_role("button", name="Next seed").click()
    assert look(first) != look(second)


# Which answer to its question is the right one.
RIGHT = {"one-weight": 1, "cloud": 1, "momentum": 0, "gibbs": 1, "whirl": 1, "race": 1}


@pytest.mark.parametrize("name", NAMES)
def test_with_the_keyboard_alone(opened, name):
    tab = opened(name)

    def here():
        return tab.evaluate("() => document.activeElement.textContent")

    pressed = []
    for _ in range(5):
        tab.keyboard.press("Tab")
        assert tab.evaluate("() => document.activeElement.matches(':focus-visible')")
        pressed.append(here())
    assert pressed[:4] == ["Run", "Skip ahead", "Restart", "Next seed"]
    tab.keyboard.press("Enter")  # the first answer
    assert here() == "Try it"
    tab.keyboard.press("Enter")
    said = tab.locator(".explore-judged").inner_text()
    assert ("That is what happened." in said) == (RIGHT[name] == 0)
    assert ("Not this time." in said) == (RIGHT[name] != 0)
    assert said.split("”. ", 1)[1] in tab.locator(".explore [role=status]").inner_text()
    for slider in tab.locator(".explore-knobs input").all():
        assert slider.evaluate("(e) => e === document.activeElement")
        for key, end in (("Home", "min"), ("End", "max")):
            tab.keyboard.press(key)
            assert slider.input_value() == slider.get_attribute(end)
        tab.keyboard.press("Tab")


@pytest.mark.parametrize("name", NAMES)
def test_the_question_is_judged_by_what_is_measured(engine, name):
    """By the numbers, not by a stored answer: where nothing has changed, the judgement differs."""
    trial = engine.evaluate(f"() => explore.figures['{name}'].trial")
    before, after = (run(engine, name, at, 1)["rows"] for at in ({}, trial))
    ask = f"(rows) => explore.figures['{name}'].judge(...rows).right"
    assert engine.evaluate(ask, [before, after]) == RIGHT[name]
    if name not in ("gibbs", "momentum"):  # where nothing is to change
        assert engine.evaluate(ask, [before, before]) != RIGHT[name]


@pytest.mark.parametrize("name", NAMES)
def test_with_a_thumb_alone(opened, name):
    phone = {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    tab = opened(name, motion="no-preference", **phone)
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    tab.wait_for_function(f"() => {figure(name)}.state && {figure(name)}.running")
    tab.get_by_role("button", name="Pause").tap()
    tab.get_by_role("button", name="Skip the question").tap()
    slider = tab.locator(".explore-knobs input").first
    box = slider.bounding_box()
    slider.tap(position={"x": box["width"] - 5, "y": box["height"] / 2})
    assert slider.input_value() == slider.get_attribute("max")
    for button in ("Skip ahead", "Next seed", "Restart"):
        tab.get_by_role("button", name=button).tap()
    small = tab.evaluate(
        "() => [...document.querySelectorAll('.explore button, .explore input')]"
        ".filter((e) => e.offsetParent && e.offsetHeight < 44).map((e) => e.outerHTML)"
    )
    assert small == []
    wide = tab.evaluate(
        "() => [...document.querySelectorAll('.explore td, .explore th')]"
        ".filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"
    )
    assert wide == []
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(opened, theme):
    tab = opened(*NAMES, theme=theme)

    def violations():
        found = Axe().run(tab, context="main").response["violations"]
        return [(rule["id"], [n["html"][:120] for n in rule["nodes"]]) for rule in found]

    assert violations() == []  # settled, the question open
    for name in NAMES:
        tab.evaluate(f"() => {figure(name)}.guess(0)")
    for name in NAMES[::2]:
        tab.evaluate(f"() => {figure(name)}.attempt()")
    for name in NAMES[1:4]:
        tab.evaluate(f"() => {figure(name)}.play(true)")
    assert violations() == []  # answered or judged, running or paused


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_written_on_the_canvas_can_be_read(opened, theme):
    tab = opened("gibbs", theme=theme)
    colours = tab.evaluate(f"() => {figure('gibbs')}.colours")

    def luminance(colour):
        c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    ground = luminance(colours["ground"])
    for colour in [colours["text"], *(c for name, c in colours.items() if name.endswith("-text"))]:
        light, dark = sorted((luminance(colour), ground), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colour


def test_reduced_motion_begins_at_rest_and_settled(opened):
    tab = opened(*NAMES)
    tab.wait_for_timeout(300)
    for name in NAMES:
        assert not tab.evaluate(f"() => {figure(name)}.running")
        assert tab.locator(f".tag_explore-{name} .explore").get_attribute("data-settled") == "true"
        assert "not yet settled" not in tab.locator(f".tag_explore-{name} table").inner_text()


def test_it_runs_in_view_only_and_stops_when_told(opened):
    tab = opened("gibbs", before=3000, motion="no-preference")
    steps = f"() => {figure('gibbs')}.state.steps"
    tab.wait_for_timeout(300)
    assert tab.evaluate(steps) == 0
    tab.locator(".explore").scroll_into_view_if_needed()
    tab.wait_for_function(f"() => {figure('gibbs')}.state.steps > 20")
    assert tab.locator(".explore [role=status]").inner_text() == ""  # it does not talk by itself
    tab.get_by_role("button", name="Pause").click()
    held = tab.evaluate(steps)
    tab.wait_for_timeout(200)
    assert tab.evaluate(steps) == held
    assert "not yet settled" in tab.locator(".explore [role=status]").inner_text()
    tab.get_by_role("button", name="Run").click()
    tab.wait_for_function(f"() => {figure('gibbs')}.state.steps > {held}")
    tab.evaluate("() => scrollTo(0, 0)")
    tab.wait_for_function(f"() => !{figure('gibbs')}.running")


def test_print_and_no_script_show_the_figure_that_stands_still(opened):
    tab = opened("gibbs")
    still = tab.get_by_role("img", name="It stands still.")
    assert not still.is_visible()
    assert tab.locator("canvas").get_attribute("aria-label").startswith("Above, the loss")
    tab.emulate_media(media="print")
    assert still.is_visible()
    assert not tab.locator(".explore").is_visible()
    tab = opened("gibbs", java_script_enabled=False)
    assert tab.get_by_role("img", name="It stands still.").is_visible()
