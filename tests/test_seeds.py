"""The rerun with other seeds runs each notebook as its reader does, and forgets nothing."""

import json
import re
import tomllib

import numpy as np
import pytest

from audit import seeds
from sgdnotes import claims


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """Makes a Chapter of cells, and leaves the folder and the claims as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(claims.Claim, "measured", claims.Claim.measured)

    def make(*cells):
        return seeds.Chapter(written(tmp_path, *cells))

    return make


def written(folder, *cells):
    notebook = folder / "01-made-up.ipynb"
    cells = [{"cell_type": "code", "source": source} for source in cells]
    notebook.write_text(json.dumps({"cells": cells}))
    return notebook


def seeded(chapter):
    """How many statements wait for a seed."""
    return sum(not isinstance(step, dict) for _, step in chapter.steps)


RNG = "import numpy as np\nrng = np.random.default_rng(3)"


def test_what_no_seed_reaches_runs_once_and_before_the_rest(chapter):
    made = chapter(RNG, "slow = 2 + 2", "x = rng.normal()", "y = x + slow")
    assert made.known["slow"] == 4
    assert "x" not in made.known
    assert seeded(made) == 3
    made.rerun(0)
    assert made.known["y"] == np.random.default_rng(3).normal() + 4


def test_another_family_moves_every_seed(chapter):
    made = chapter(RNG, "x = rng.normal()", "def draw(seed):\n    return f(rng=seed)",
                   "f = lambda rng: rng", "several = draw(7), draw([7, 1])")  # fmt: skip
    made.rerun(2)
    assert made.known["x"] == np.random.default_rng(3 + 2 * seeds.STRIDE).normal()
    assert made.known["several"] == (7 + 2 * seeds.STRIDE, [7, 1, 2])


@pytest.mark.parametrize(
    "cells",
    [
        ("times = [1, 2]", "x = len(times) + rng.random()", "times = [3]"),
        ("rows = []", "rows.append(rng.random())", "x = len(rows)"),
        ("table = {}", "table['a'] = rng.random()", "x = sorted(table)"),
        ("def add(rows):\n    rows += [rng.random()]", "rows = []", "add(rows)", "x = len(rows)"),
        ("k = 1", "x = k + rng.random()", "k += 1"),
        ("for k in range(3):\n    pass", "x = rng.random() + k", "for k in range(9):\n    pass"),
        ("(a, b), c = (1, 2), 3", "x = a + rng.random()", "a = 5"),
        ("k = 1", "def f():\n    return k", "k = rng.random()", "x = f()", "k = 2"),
        ("k = 1", "pair = (lambda: k,)", "many = [*pair]", "k = rng.random()", "x = many[0]()"),
        ("k = rng.random()", "if k > 9:\n    k = 1", "x = k"),
        ("k = rng.random()", "k = 3", "x = k + rng.random()"),
        ("k = [1, 2, 3, 4, 5]", "rng.shuffle(k)", "x = tuple(k)"),
    ],
)  # fmt: skip
def test_a_name_that_is_written_twice_has_its_value_of_the_moment(chapter, cells):
    as_read = {}
    exec("\n".join([RNG, *cells]), as_read)
    made = chapter(RNG, *cells)
    assert not made.rerun(0)["broken"]
    assert made.known["x"] == as_read["x"]


def test_what_a_function_binds_is_its_own(chapter):
    made = chapter(RNG, "def f(k):\n    y = k\n    return y", "y = f(1)", "z = [y for y in 'ab']")
    assert seeded(made) == 1


def test_a_cell_that_breaks_is_told_and_the_next_one_runs(chapter):
    made = chapter(RNG, "x = rng.random()\nx.no_such\ny = 1 + x", "z = x")
    assert made.rerun(1)["broken"] == [(1, "AttributeError: 'float' object has no attribute "
                                        "'no_such'")]  # fmt: skip
    assert "y" not in made.known
    assert "z" in made.known


def test_what_is_checked_or_drawn_stays_what_it_was(chapter):
    made = chapter("from sgdnotes.claims import claim", "import matplotlib.pyplot as plt", RNG,
                   "x = 2", "claim('S1', 'two is two; three rejected').exact(x, 2)",
                   "ax = plt.axes()", "ax.plot(x)", "ax.plot(rng.random())",
                   "print(x)", "y = x + 1")  # fmt: skip
    assert made.known["y"] == 3
    assert seeded(made) == 4  # the dice, and all that the axes are told


CHECK = """
from sgdnotes.claims import claim
from sgdnotes.experiment import estimate
found = estimate.mean(rng.normal(size=400))
claim("B1", "the mean of four hundred is {0}").measured(found, {0})
"""


def test_a_check_of_stored_numbers_is_no_rerun(chapter):
    assert not chapter(RNG, CHECK.format(0).replace("rng", "np.random.RandomState(3)")).rerun(1)[
        "seen"
    ]


@pytest.mark.parametrize(("mean", "fails"), [(0.0, []), (1.0, ["B1"])])
def test_a_measured_check_is_told_with_its_z_and_whether_it_failed(chapter, mean, fails):
    told = chapter(RNG, CHECK.format(mean)).rerun(1)
    ((id, says, biased, z),) = told["seen"]
    assert (id, says, biased) == ("B1", f"the mean of four hundred is {mean}", False)
    assert (abs(z[0]) > 5) == bool(fails)
    assert [id for id, *_ in told["failed"]] == fails


def test_two_sets_of_families_are_summed_up_as_one():
    rng = np.random.default_rng(1)
    runs = [
        {
            "seen": [("S1", "a", False, rng.normal(size=3).tolist()), ("S2", "b", k % 2, [k])],
            "failed": [("S1", "a", "why")] * (k == 1),
            "broken": [(4, "ValueError: x")] * (k > 2),
        }
        for k in range(5)
    ]
    whole = seeds.summary(runs)
    parts = seeds.together(seeds.summary(runs[:2]), seeds.summary(runs[2:]))
    for one, two in zip(whole.pop("checks"), parts.pop("checks"), strict=True):
        assert two == pytest.approx(one, abs=1e-3)
    assert parts == whole


def test_the_digest_knows_what_python_does_and_no_more(tmp_path):
    first = seeds.digest(written(tmp_path, "def f():\n    '''Old words.'''\n    return 1"))
    again = seeds.digest(written(tmp_path, "def f():  # new\n    '''Words.'''\n    return 1"))
    other = seeds.digest(written(tmp_path, "def f():\n    '''Old words.'''\n    return 2"))
    assert first == again != other


def test_the_digest_knows_the_versions_of_what_computes():
    root = seeds.ROOT
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    needs = {re.match(r"[\w-]+", need)[0] for need in project["dependencies"]}
    assert set(seeds.PINS) == (needs | {"mpmath"}) - {"matplotlib", "tqdm"}  # these only show
    pinned = (root / "requirements.txt").read_text("utf8")
    assert all(f"\n{name}==" in pinned for name in seeds.PINS)


def test_a_notebook_that_is_not_there_is_refused():
    with pytest.raises(SystemExit, match="no notebook's name begins"):
        seeds.main("1", "09-brownian-motion.ipynb")
