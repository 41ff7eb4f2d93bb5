"""The page on the checks says what is stored of them, and no more."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import sgdbook_trust as trust

from audit import mutants as audit_mutants
from audit import seeds as audit_seeds

ROOT = Path(__file__).parents[1]


def entry(outcome, by="", **more):
    return {"outcome": outcome, "by": by, "file": "a.py", "wrong": "no half"} | more


REPORT = {
    "listed": 6, "day": "2026-01-02", "machine": "2 cores, Linux", "python": "3.11.7",
    "files": {"a.py": {"mutants": 6, "killed": 3, "survived": 1, "equivalent": 1, "stale": 1}},
    "mutants": [
        entry("killed", "claim B1"), entry("killed", "test_a.py::test_x"),
        entry("killed", "test_a.py::test_y"), entry("survived"), entry("equivalent"),
    ],
}  # fmt: skip


def test_the_table_counts_what_was_noticed_and_names_what_was_not():
    text = "\n".join(trust.mutants_text(REPORT))
    assert "Of 6 wrong formulas the checks notice 3; 1 turned out to say the same as the" in text
    assert "the right one (`audit/mutants.yml` says why), and" in text
    assert "1 are not noticed; 1 have not been tried yet" in text
    assert "Noticed first by a unit test: 2, a claim: 1." in text
    assert "| `a.py` | 6 | 3 | 1 | 1 | 1 |" in text
    assert text.endswith("- `a.py`: no half")


def test_who_noticed_is_told_by_its_kind():
    told = {
        "claim S2.1": "a claim",
        "stored verdict of code cell 4": "only a changed figure in a tick's text",
        "code cell 4": "an assert or an error in a chapter",
        "the clock": "the clock",
        "test_a.py::test_x": "a unit test",
    }
    assert {by: trust.noticed_by(entry("killed", by)) for by in told} == told


def seeds(fails, z):
    return {
        "checks": [
            {"runs": 1500, "fails": fails, "odd": False},
            {"runs": 500, "fails": 0, "odd": fails > 0, "id": "B1", "says": "small", "mean": -0.5,
             "sd": 0.91},
        ],
        "families": 20, "day": "2026-01-02", "machine": "2 cores", "z": z,
    }  # fmt: skip


def test_exact_error_bars_fail_as_often_as_a_normal_number_lies_beyond_four():
    assert math.erfc(4 / math.sqrt(2)) * trust.ONCE_IN == pytest.approx(1, rel=1e-4)


def test_the_edges_are_those_of_the_stored_histogram():
    assert audit_seeds.EDGES == trust.EDGES


def test_other_seeds_are_told_in_failures_a_thousand():
    edges = [-np.inf, *trust.EDGES, np.inf]
    z = np.concatenate([np.zeros(3996), [-3.1, 3.2, 4.1, 9.0]])
    stored = {"01-a": seeds(1, np.histogram(z, edges)[0].tolist()), "02-b": seeds(0, [0] * 42)}
    (words,), text = trust.seeds_text(stored)
    assert "1 of 4,000 runs of a measured check failed: 0.25 in a thousand" in words
    assert "With exact error bars 0.3 runs would have failed" in words
    assert "Of 4,000 z" in words
    assert "0.10% lie beyond 3" in words
    assert "0.050% beyond 4" in words
    assert "| 01 | 20 | 2000 | 1 | 2026-01-02 |" in text
    assert "- small (B1, chapter 1): −0.50 ± 0.91" in text
    assert not any("chapter 2" in line for line in text)
    assert "not quite normal" not in "\n".join(trust.seeds_text({"02-b": stored["02-b"]})[1])


def test_what_is_older_than_the_code_is_told():
    notebook = audit_seeds.NOTEBOOKS[2]
    report = seeds(0, [0] * 42)
    stored = {notebook.stem: report | {"code": audit_seeds.digest(notebook)}}
    assert trust.outdated(ROOT, "seeds", stored) == []
    stored |= {"01-a": report | {"code": "gone"}}
    assert trust.outdated(ROOT, "seeds", stored) == ["01-a"]
    words, _ = trust.seeds_text(stored, ["01-a", "10-b"])
    assert words[-1] == "**Older than the code**, which has changed since: chapters 1, 10."


def test_trials_of_other_code_than_is_there_now_are_told():
    stored = audit_mutants.listed(ROOT)[:2]
    now = audit_mutants.marks(ROOT, stored)
    entries = [
        {"id": m.id, "file": m.file, "digest": now[m.id], "outcome": "killed", "by": "claim B1"}
        for m in stored
    ]
    entries[1]["digest"] = "gone"
    report = REPORT | {"mutants": entries}
    old = trust.outdated(ROOT, "mutants", report)
    assert old == [stored[1].id]
    text = "\n".join(trust.mutants_text(report, old))
    name = stored[1].file.split("/")[-1]
    assert f"**Older than the code**: 1 of these trials, of {name}." in text
    assert "Older" not in "\n".join(trust.mutants_text(report))


def test_the_histogram_has_a_bar_for_each_bin_in_proportion_to_its_count():
    picture = trust.histogram([-1.0, 0.0, 1.0], [0, 1, 3, 0])
    assert picture.count("<rect") == 2
    assert 'role="img"' in picture
    heights = [float(part.split('"')[0]) for part in picture.split('height="')[1:]]
    assert abs(heights[1] / heights[0] - 3) < 0.01


def test_what_is_not_stored_is_not_shown(tmp_path):
    assert trust.read(tmp_path, "seeds") is None
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "seeds.json").write_text(json.dumps({"families": 1}))
    assert trust.read(tmp_path, "seeds") == {"families": 1}


def test_the_directive_stands_on_the_page_about_the_book():
    about = (ROOT / "book" / "about.md").read_text("utf8")
    assert re.search(r"\n```\{trust\}\n[^`\n]+\n```\n", about)  # with the picture's words
