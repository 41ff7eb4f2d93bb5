"""The ledger is complete, and every statement of a written chapter has its check."""

import re
from collections import Counter
from pathlib import Path

import pytest
import sgdbook_ledger as ledger

ROOT = Path(__file__).parents[1]
COUNTS = {"S0": 23, "S1": 12, "S2": 34, "S3": 5, "S4": 17}
ERRATA = 15
CHAPTERS = {f"{k:02d}" for k in range(1, 23)}
SOURCES, CLAIMS, MISTAKES, BEYOND = ledger.read_ledger(ROOT)
WRITTEN = ledger.chapters(ROOT)
LISTED = {row.id for row in (*CLAIMS, *MISTAKES, *BEYOND)}
CORRECTED = {"typo", "wrong"}
ROLE = re.compile(r"\{claim\}`([^`]*)`")
EVERYWHERE = [*sorted((ROOT / "book").glob("*.md")), *WRITTEN, ROOT / "book" / "claims.yml"]


def for_each(rows):
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.id)


def test_every_statement_of_the_sources_is_listed_once_and_in_order():
    assert list(SOURCES) == list(COUNTS)
    wanted = [f"{key}.{k}" for key, count in COUNTS.items() for k in range(1, count + 1)]
    assert [row.id for row in CLAIMS] == wanted


def test_every_erratum_is_listed_once_and_in_order():
    assert [row.id for row in MISTAKES] == [f"E{k}" for k in range(1, ERRATA + 1)]


@pytest.mark.parametrize("key", COUNTS)
def test_every_source_has_a_title_and_an_entry_in_the_bibliography(key):
    assert SOURCES[key]["title"].strip()
    cited = re.escape(SOURCES[key]["cite"])
    assert re.search(rf"^@\w+\{{{cited},", (ROOT / "book/references.bib").read_text("utf8"), re.M)


@for_each(CLAIMS)
def test_a_statement_has_a_legal_verdict_and_a_legal_chapter(row):
    assert row.fields["verdict"] in ledger.VERDICTS
    assert row.fields["chapter"] in CHAPTERS
    assert row.fields["says"].strip()
    assert set(row.fields) <= {"id", "says", "verdict", "truth", "errata", "chapter", "notable"}


@for_each([row for row in CLAIMS if row.fields["verdict"] in CORRECTED])
def test_what_is_wrong_comes_with_the_truth(row):
    assert row.fields.get("truth", "").strip()


@for_each(MISTAKES)
def test_an_erratum_shows_the_printed_form_the_truth_and_an_example(row):
    for name in ("title", "printed", "truth", "example"):
        assert row.fields[name].strip()
    assert row.fields["chapter"] in CHAPTERS
    assert row.fields["claims"]


def test_statements_and_errata_name_each_other():
    from_claims = {(e, row.id) for row in CLAIMS for e in row.fields.get("errata", ())}
    from_errata = {(row.id, c) for row in MISTAKES for c in row.fields["claims"]}
    assert from_claims == from_errata
    assert {name for pair in from_claims for name in pair} <= LISTED


@for_each([row for row in CLAIMS if row.written])
def test_a_statement_of_a_written_chapter_is_checked_there_or_noted_there(row):
    here = [check for check in row.checks if check.notebook[:2] == row.fields["chapter"]]
    noted = row.note is not None and row.note[:2] == row.fields["chapter"]
    assert here or (row.fields.get("notable") is True and noted)


@for_each([row for row in MISTAKES if row.written])
def test_an_erratum_of_a_written_chapter_rejects_the_printed_form_there(row):
    here = [check for check in row.checks if check.notebook[:2] == row.fields["chapter"]]
    assert any(
        check.part("corrected")
        and re.search(r"the printed form(, [^,;]+,)? is rejected", check.verdict)
        for check in here
    ), here


@for_each([row for row in CLAIMS if row.fields.get("notable")])
def test_only_misprints_notation_and_wording_may_be_noted_instead_of_checked(row):
    assert row.fields["verdict"] in {"typo", "notation", "wrong", "loose"}


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.stem)
def test_a_notebook_checks_only_what_is_listed(path):
    checked = {check.id for check in ledger.read_checks(path)}
    assert checked <= LISTED


@for_each([row for row in BEYOND if row.written])
def test_what_goes_beyond_the_sources_is_said_and_checked_in_its_chapter(row):
    assert row.fields["says"].strip()
    assert row.fields["verdict"] in {"ok", "ok if"}
    assert set(row.fields) <= {"id", "says", "verdict", "truth", "cite", "chapter"}
    assert ("truth" in row.fields) == (row.fields["verdict"] == "ok if")
    assert [c for c in row.checks if c.notebook[:2] == row.fields["chapter"]]


@pytest.mark.parametrize("key", sorted({r.fields["cite"] for r in BEYOND if "cite" in r.fields}))
def test_what_a_row_cites_is_in_the_bibliography(key):
    assert re.search(rf"^@\w+\{{{key},", (ROOT / "book/references.bib").read_text("utf8"), re.M)


def test_no_two_checks_say_the_same():
    said = Counter(c.part("says") for path in WRITTEN for c in ledger.read_checks(path))
    assert [words for words, times in said.items() if times > 1] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.stem)
def test_every_stored_verdict_says_what_it_confirms(path):
    for check in ledger.read_checks(path):
        assert check.part("kind") in ("exact", "measured")


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.stem)
def test_a_notebook_notes_only_statements_and_each_once(path):
    assert ledger.read_notes(path) <= {ledger.slug(row.id) for row in CLAIMS}


def test_no_statement_is_noted_twice():
    notes = Counter(note for path in WRITTEN for note in ledger.read_notes(path))
    assert [note for note, times in notes.items() if times > 1] == []


def test_no_two_checks_share_an_anchor():
    anchors = Counter(check.anchor for path in WRITTEN for check in ledger.read_checks(path))
    assert [anchor for anchor, times in anchors.items() if times > 1] == []


@pytest.mark.parametrize("path", EVERYWHERE, ids=lambda p: p.name)
def test_every_link_to_a_statement_names_one_that_is_listed(path):
    assert set(ROLE.findall(path.read_text("utf8"))) <= LISTED


def test_the_pages_that_are_filled_have_a_place_to_fill():
    for page in ledger.FILLED:
        assert (ROOT / f"{page}.md").read_text("utf8").count(ledger._FILL) == 1
