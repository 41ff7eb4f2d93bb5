"""What the benchmark stores, and the page that is made from it; never how quick anything is."""

import importlib.util
import json
import re
from pathlib import Path

import contenders
import numpy as np
import pytest
import run
import sgdbook_bench

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "benchmarks.md").read_text("utf8")
RESULTS = ROOT / "benchmarks" / "results.json"
MACHINE = {
    "processor": "one", "cores": 2, "memory": 2**33, "system": "Linux x86_64",
    "python": "3.12.0", "day": "2026-01-02",
}  # fmt: skip
COST = {"machine": MACHINE, "build": {"cold": {"seconds": 99.0, "peak": 3e8}}, "notebooks": {}}


@pytest.fixture
def stored():
    return json.loads(RESULTS.read_text("utf8"))


@pytest.fixture
def speed(stored):
    return stored["speed"]


def made_up(**changes):
    """A small results file: the floor takes 1 ns, sgdnotes 2, the loop 1.5, jax is missing."""
    rows = {
        "floor": {"ns": 1.0, "peak": 1e6},
        "sgdnotes": {"ns": 2.0, "peak": 5e6},
        "Numba loop": {"ns": 1.5, "peak": 3e6},
        "Numba draw": {"ns": 0.5, "peak": 3e6},
        "JAX loop": None,
    }
    halved = {who: row and row | {"ns": row["ns"] / 2} for who, row in rows.items()}
    points = [
        {"chains": n // 100, "steps": 100, "seconds": n * 1e-9, "peak": 1e8} for n in (1e4, 1e9)
    ]
    return {
        "machine": MACHINE,
        "versions": {"numpy": "2.4.6", "jax": None},
        "works": {work: {"1": rows, "2": halved} for work in contenders.CONTENDERS},
        "growth": {"steps": points, "chains": points},
    } | changes


# What is stored.


def test_the_results_name_the_machine_and_the_versions(stored):
    for part in stored.values():
        assert set(part["machine"]) == set(MACHINE)
        assert all(part["machine"].values())
    assert set(stored["speed"]["versions"]) == set(run.PACKAGES)


def test_every_contender_has_a_row_for_every_number_of_threads(speed):
    assert list(speed["works"]) == list(contenders.CONTENDERS)
    for work, columns in speed["works"].items():
        assert list(columns) in (["1"], ["1", "2"])
        for rows in columns.values():
            assert list(rows) == list(contenders.CONTENDERS[work])
            for row in rows.values():
                assert row is None or (row["ns"] > 0 and row["peak"] > 1e6)
            for who in ("floor", "default floor"):
                assert rows[who]
            assert work == "increments" or rows["sgdnotes"]


def test_the_whole_work_was_measured_and_the_growth_up_to_a_billion(speed):
    assert speed["chains"] == 2**14
    assert speed["steps"] == dict.fromkeys(contenders.CONTENDERS, 1000) | {"mini-batches": 250}
    for points in speed["growth"].values():
        assert len(points) == len(run.GROWTH)
        done = [p["chains"] * p["steps"] for p in points]
        assert np.allclose(done, run.GROWTH, rtol=0.7)
        assert done[-1] == pytest.approx(1e9, rel=0.01)


def test_the_cost_of_every_notebook_is_stored_if_any_is(stored):
    if "book" in stored:
        assert set(stored["book"]["build"]) == {"cold", "repeated"}
        for cost in [*stored["book"]["build"].values(), *stored["book"]["notebooks"].values()]:
            assert cost["seconds"] > 0


def test_a_part_that_is_measured_leaves_the_other_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(run, "speed", lambda quick: made_up())
    monkeypatch.setattr(run, "book", lambda: COST)
    run.main([])
    run.main(["--book"])
    assert set(json.loads(run.RESULTS.read_text())) == {"speed", "book"}
    before = run.RESULTS.read_text()
    run.main(["--quick"])
    assert run.RESULTS.read_text() == before
    assert "Numba loop" in capsys.readouterr().out


# The same work.


@pytest.mark.parametrize("work", contenders.LOOPS)
@pytest.mark.parametrize("who", ["sgdnotes", "NumPy loop"])
def test_contenders_do_the_same_work(work, who, monkeypatch):
    monkeypatch.setattr(contenders, "STEPS", 30)
    monkeypatch.setattr(contenders, "CHAINS", 2**10)
    one, two = (contenders.CONTENDERS[work][who](threads)() for threads in (1, 2))
    other = contenders.CONTENDERS[work]["NumPy loop"](1)()
    shape = (2**10, 2) if work == "quadratic" else (2**10,)
    for ends in (one, two):
        assert ends.shape == shape
        gap = abs((ends**2).mean() - (other**2).mean())
        assert gap < 6 * np.hypot((ends**2).std(), (other**2).std()) / np.sqrt(ends.size)


def test_a_contender_that_does_other_work_stops_the_benchmark():
    def child(who, square):
        made = run.Child.__new__(run.Child)
        made.who, made.told = who, [{"square": square, "error": 0.01}]
        return made

    run.refuse_other_work([child("sgdnotes", 1.0), child("a loop", 1.05), child("floor", 0.0)])
    with pytest.raises(SystemExit, match="a loop ends at a mean square of 2"):
        run.refuse_other_work([child("sgdnotes", 1.0), child("a loop", 2.0)])


def test_a_contender_in_a_process_of_its_own_is_timed_or_says_what_is_missing(monkeypatch):
    child = run.Child("increments", "floor", 1, 1)
    assert child.hear() == {}
    child.run_once()
    child.close()
    assert child.told[0]["ns"] > 0
    if importlib.util.find_spec("torch") is None:
        lone = run.Child("double well", "PyTorch loop", 1, 1)
        assert lone.hear() == {"missing": "torch"}
        lone.close()


# The page.


def test_every_place_of_the_page_is_filled_from_the_results():
    places = re.findall(r"<!-- benchmark: ([a-z -]+) -->", PAGE)
    told = sgdbook_bench.fillings({"speed": made_up(), "book": COST})
    assert set(places) == set(told) | set(sgdbook_bench.FIGURES)
    assert len(places) == len(set(places))


def test_the_table_of_a_work_holds_ratios_speed_up_and_who_is_missing():
    lines = sgdbook_bench.work_table(made_up()["works"]["double well"])
    assert lines[2] == "| floor | 1.00 | 1.00 | 0.50 | 0.500 | 2.00 | 0.50 | 1 |"
    assert lines[3] == "| sgdnotes | 2.00 | 2.00 | 1.00 | 1.00 | 2.00 | 1.00 | 5 |"
    assert lines[6].startswith("| JAX loop | not installed |")
    assert len({line.count("|") for line in lines}) == 1


def test_who_is_quicker_is_said_and_by_how_much():
    told = sgdbook_bench.quicker(made_up())
    assert "on one thread: Numba loop on increments, 1.33 times; " in told
    assert "Quicker on 2 threads: Numba loop on increments, 1.33 times; " in told
    rows = {"sgdnotes": {"ns": 2.0}, "Numba loop": None, "floor": {"ns": 1.0}}
    assert sgdbook_bench.quicker(made_up(works={"double well": {"1": rows}})).startswith("Nobody")


def test_what_is_spent_on_drawing_is_split_from_all_else():
    lines = sgdbook_bench.split_table(made_up()["works"])
    assert "| sgdnotes, quadratic | 2.00 | 1.00 | 1.0 |" in lines
    assert "| Numba loop, quadratic | 1.50 | 1.00 | 0.5 |" in lines  # two numbers a chain-step
    assert "| Numba loop, heavy ball | 1.50 | 0.500 | 1.0 |" in lines
    works = made_up()["works"]
    works["increments"]["1"] = works["increments"]["1"] | {"Numba draw": None}
    assert not any("Numba" in line for line in sgdbook_bench.split_table(works))


def test_a_page_without_results_says_so(tmp_path):
    class App:
        srcdir = tmp_path

    source = [PAGE]
    sgdbook_bench._fill(App, "book/benchmarks", source)
    assert source[0].count("*Not measured yet.*") == len(re.findall("<!-- benchmark", PAGE))


def test_the_figures_are_drawn_without_a_ground_and_have_words(tmp_path):
    for name, draw, alt in sgdbook_bench.FIGURES.values():
        draw(made_up(), tmp_path / name)
        assert "<svg" in (tmp_path / name).read_text()
        assert len(alt) > 100
