"""The audit by wrong formulas: what it tells of each, and that its list fits the code."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from audit import mutants

ROOT = Path(__file__).parents[1]
LISTED = mutants.listed(ROOT)
WITHOUT_PHYSICS = {"sgdnotes/figures.py"}

AREA = "def area(r):\n    return 3 * r**2\n\n\ndef half(x):\n    return x / 2\n"
TESTS = "import area\n\n\ndef test_area():\n    assert area.area(2) == 12\n"
LIST = """
- file: area.py
  asked: [test_area.py]
  mutants:
    - {id: killed, wrong: the cube, from: r**2, to: r**3}
    - {id: hidden, wrong: a third, from: x / 2, to: x / 3}
    - {id: same, wrong: a product, from: r**2, to: r * r, equivalent: it is the same}
    - {id: not same, wrong: the cube, from: r**2, to: r**3, equivalent: it is not}
    - {id: gone, wrong: a text that is not there, from: r**4, to: r**3}
    - {id: twice, wrong: a text that is there twice, from: return, to: yield}
    - {id: no code, wrong: no Python, from: r**2, to: "r**2)"}
    - {id: endless, wrong: no end, from: return 3 * r**2, to: "while True: pass"}
- file: notebooks/09-area.ipynb
  mutants:
    - {id: "09.1", wrong: a claim that fails, from: sp.pi * 4, to: sp.pi * 3}
    - {id: "09.2", wrong: seen in the stored verdict alone, from: of six, to: of seven}
    - {id: "09.3", wrong: a figure that nobody checks, from: height = 4, to: height = 5}
"""


def cell(source, output=""):
    outputs = [{"output_type": "execute_result", "data": {"text/plain": [output]}}]
    return {
        "cell_type": "code", "source": source.splitlines(keepends=True),
        "metadata": {"tags": ["keep_output"]} if output else {},
        "outputs": outputs if output else [],
    }  # fmt: skip


NOTEBOOK = [
    cell(
        "import sympy as sp\nfrom sgdnotes.claims import claim\n"
        "words = 'the area of six'\nheight = 4"
    ),
    cell(
        'claim("S0.1", words).exact(sp.pi * 4, 4 * sp.acos(-1))',
        "the area of six (S0.1, exact): residual 0, and 0 in 30 digits",
    ),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    for folder in ("tests", "audit", "notebooks"):
        (root / folder).mkdir()
    (root / "area.py").write_text(AREA)
    (root / "tests" / "test_area.py").write_text(TESTS)
    (root / "audit" / "mutants.yml").write_text(LIST)
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    shutil.copy(ROOT / "tests" / "nbval-sanitise.cfg", root / "tests")
    (root / "notebooks" / "09-area.ipynb").write_text(json.dumps({"cells": NOTEBOOK}))
    return root


@pytest.fixture(scope="module")
def seen(project):
    """What became of each mistake of the small project."""
    report = mutants.audit(project, workers=1, patience=8, say=lambda text: None)
    return {e["id"]: e for e in report["mutants"]}


def test_a_mistake_that_a_test_notices_is_killed_by_that_test(seen):
    assert seen["killed"]["outcome"] == "killed"
    assert seen["killed"]["by"] == "test_area.py::test_area"
    assert seen["killed"]["words"].startswith("AssertionError: assert 24 == 12")


def test_a_mistake_that_nobody_notices_survives(seen):
    for id in ("hidden", "09.3"):
        assert (seen[id]["outcome"], seen[id]["by"]) == ("survived", "")


def test_a_claim_that_fails_is_told_from_a_stored_verdict_that_differs(seen):
    assert (seen["09.1"]["outcome"], seen["09.1"]["by"]) == ("killed", "claim S0.1")
    assert seen["09.2"]["outcome"] == "killed"
    assert seen["09.2"]["by"] == "stored verdict of code cell 2"


def test_what_is_called_equivalent_must_pass(seen):
    assert seen["same"]["outcome"] == "equivalent"
    assert seen["not same"]["outcome"] == "not equivalent"


def test_a_text_that_does_not_occur_once_is_stale(seen):
    assert seen["gone"]["outcome"] == seen["twice"]["outcome"] == "stale"
    assert "2 times" in seen["twice"]["words"]


def test_code_that_does_not_run_checks_nothing(seen):
    assert seen["no code"]["outcome"] == "broken"
    assert "SyntaxError" in seen["no code"]["words"]


def test_a_mistake_without_end_is_noticed_by_the_clock(seen):
    assert (seen["endless"]["outcome"], seen["endless"]["by"]) == ("killed", "the clock")


def test_the_project_itself_is_not_touched_and_the_report_is_stored(project, seen):
    assert (project / "area.py").read_text() == AREA
    stored = json.loads((project / "audit" / "mutants.json").read_text("utf8"))
    assert stored["listed"] == len(seen) == 11
    assert stored["files"]["area.py"]["mutants"] == 8
    assert not list((project / "audit").glob("*.part"))


def test_what_has_not_changed_is_not_tried_again(project, seen, monkeypatch):
    monkeypatch.setattr(mutants, "trial", lambda *a: pytest.fail("tried again"))
    again = mutants.audit(project, ["killed", "09"], workers=1, say=lambda text: None)
    assert {e["id"]: e for e in again["mutants"]} == seen
    assert "tried" in mutants.summary(again) or again["tried"] == 0
    todo, changed = mutants.listed(project), []
    for more in ("# words\n", "more = 1\n"):
        (project / "tests" / "test_area.py").write_text(TESTS + more)
        changed.append(set(mutants.outdated({"mutants": list(seen.values())}, project)))
    (project / "tests" / "test_area.py").write_text(TESTS)
    assert changed == [set(), {m.id for m in todo if m.file == "area.py"}]


def test_a_test_that_fails_without_a_mistake_stops_the_run(project):
    (project / "tests" / "test_area.py").write_text(TESTS.replace("12", "13"))
    with pytest.raises(ValueError, match="fails although nothing was changed"):
        mutants.audit(project, ["killed"], workers=1, say=lambda text: None)
    (project / "tests" / "test_area.py").write_text(TESTS)


def test_a_word_that_chooses_nothing_is_refused(project):
    with pytest.raises(ValueError, match="no mistake has the id 'circle'"):
        mutants.chosen(mutants.listed(project), ["circle"])


def test_the_summary_names_what_was_not_noticed(project, seen):
    report = {"files": {"area.py": {"mutants": 1, "survived": 1}}, "mutants": [seen["hidden"]]}
    assert mutants.summary(report).splitlines() == [
        "  area.py: 1 survived",
        "  SURVIVED hidden (area.py): a third",
    ]


# The list of this project.


def test_every_mistake_of_the_list_fits_the_code_as_it_is():
    stale = []
    for mutant in LISTED:
        try:
            mutants.mutated(ROOT / mutant.file, mutant.changes)
        except mutants.Stale as error:
            stale.append(f"{mutant.id}: {error}")
    assert stale == []


def test_every_chapter_and_every_module_has_mistakes_on_the_list():
    files = Counter(m.file for m in LISTED)
    modules = [f for f in (ROOT / "sgdnotes").rglob("*.py") if f.name != "__init__.py"]
    wanted = {f.relative_to(ROOT).as_posix() for f in modules} - WITHOUT_PHYSICS
    wanted |= {f.relative_to(ROOT).as_posix() for f in (ROOT / "notebooks").glob("*.ipynb")}
    assert wanted - set(files) == set()
    assert sum(files.values()) >= 250


def test_every_test_that_the_list_asks_is_there():
    asked = {a.split()[0] for m in LISTED for a in m.asked}
    assert {a for a in asked if not (ROOT / a).is_file()} == set()


@pytest.mark.parametrize("entry", [{"id": "x"}, {"id": "x", "why": "?"}])
def test_an_entry_of_another_form_is_refused(tmp_path, entry):
    (tmp_path / "audit").mkdir()
    group = [{"file": "a.py", "mutants": [entry]}]
    (tmp_path / "audit" / "mutants.yml").write_text(yaml.safe_dump(group))
    with pytest.raises(ValueError, match="an entry must have"):
        mutants.listed(tmp_path)
