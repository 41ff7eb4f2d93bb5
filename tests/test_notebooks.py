"""The form of every chapter: what a reader, a tester and a screen reader rely on."""

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import sgdbook_ledger as ledger

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ANATOMY = [
    "The idea",
    "On the blackboard",
    "The experiment",
    "Where it breaks",
    "What the lecture says",
    "Erratum",
    "Errata",
    "Exercises",
    "Summary",
    "Further reading",
    "How this was checked",
]
WIDTH = 70
DRAWS = {"figure", "subplots", "subplot", "subplot_mosaic", "plot", "hist", "imshow", "scatter"}
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home|root|tmp|work|mnt|opt|usr|var|Users)/\w|[A-Z]:\\\w"
)
DIRECTIVE = re.compile(r"^(?:`{3,}|:{3,})\{([\w-]+)\}[ \t]*(.*)\n((?::[\w-]+:.*\n)*)", re.MULTILINE)

for_each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def checks(cell):
    """The ids that a code cell checks."""
    return ledger._CHECK.findall(cell.source)


def check_cells(path):
    return [cell for cell in code_cells(path) if checks(cell)]


def prose(path):
    return "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")


def headings(text, level):
    """The headings of one level, those inside fenced blocks left out."""
    bare = re.sub(r"^(`{3,}|~{3,})(?:.|\n)*?^\1\s*$", "", text, flags=re.MULTILINE)
    return re.findall(rf"^#{{{level}}} +(.+?)\s*$", bare, re.MULTILINE)


def has_erratum(path):
    _, _, errata, _ = ledger.read_ledger(ROOT)
    return any(str(row.fields["chapter"]) == path.stem[:2] for row in errata)


def has_statement(path):
    """Whether the ledger has a statement of the lectures for this chapter."""
    _, statements, _, _ = ledger.read_ledger(ROOT)
    return any(str(row.fields["chapter"]) == path.stem[:2] for row in statements)


def draws(statement):
    """Whether a statement, not counting the functions that it defines, makes a figure."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "plt"
        and node.func.attr in DRAWS
        for node in ast.walk(statement)
    )


@dataclass
class Directive:
    name: str
    argument: str
    options: dict
    cell: int


def directives(path):
    """The directives of the prose, in order, with the number of the cell they stand in."""
    found = []
    for number, cell in enumerate(read(path).cells):
        if cell.cell_type == "markdown":
            for name, argument, lines in DIRECTIVE.findall(cell.source + "\n"):
                options = dict(re.findall(r"^:([\w-]+):[ \t]*(.*?)[ \t]*$", lines, re.MULTILINE))
                found.append(Directive(name, argument.strip(), options, number))
    return found


def exercises(path):
    return [d for d in directives(path) if d.name in ("exercise", "exercise-start")]


def test_every_chapter_of_the_contents_is_there_and_every_notebook_is_in_the_contents():
    assert [p.resolve() for p in ledger.chapters(ROOT)] == [p.resolve() for p in NOTEBOOKS]


@for_each_notebook
def test_the_name_gives_the_number_and_the_subject(path):
    assert re.fullmatch(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*", path.stem)


@for_each_notebook
def test_nbformat_finds_it_valid(path):
    nbformat.validate(read(path))


@for_each_notebook
def test_cell_ids_are_unique(path):
    ids = [cell.id for cell in read(path).cells]
    assert len(ids) == len(set(ids))


@for_each_notebook
def test_the_stored_counts_say_that_it_was_run_once_from_top_to_bottom(path):
    # A cell without a count is one that nbval would not compare.
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@for_each_notebook
def test_no_line_of_code_is_cut_off_by_the_page(path):
    lines = [line for cell in code_cells(path) for line in cell.source.splitlines()]
    assert [line for line in lines if len(line) > WIDTH] == []


@for_each_notebook
def test_it_has_one_title_and_the_sections_of_a_chapter_in_order(path):
    text = prose(path)
    assert len(headings(text, 1)) == 1
    found = [h for h in headings(text, 2) if h in ANATOMY]
    wanted = [h for h in ANATOMY if not h.startswith("Errat")]
    if not has_statement(path):
        wanted.remove("What the lecture says")
    assert [h for h in found if not h.startswith("Errat")] == wanted
    assert found == sorted(found, key=ANATOMY.index)
    assert sum(h.startswith("Errat") for h in found) == has_erratum(path)


@for_each_notebook
def test_it_opens_with_its_claim_and_its_picture(path):
    cells = read(path).cells
    first = next(k for k, cell in enumerate(cells) if "plt.show()" in cell.source)
    before = [cell.source for cell in cells[:first] if cell.cell_type == "markdown"]
    assert len(before) == 1
    assert headings(before[0], 2) == []
    assert len(before[0].split()) <= 120, "one claim, then the picture"


@for_each_notebook
def test_the_code_that_no_reader_must_see_is_folded(path):
    for cell in code_cells(path):
        tags = set(cell.metadata.get("tags", []))
        if "plt.show()" in cell.source or checks(cell):
            assert tags & {"hide-input", "hide-cell"}, cell.source
        assert ("hide-input" in tags) == bool(
            cell.metadata.get("jupyter", {}).get("source_hidden")
        ), cell.source


@for_each_notebook
def test_the_audit_of_its_checks_stands_at_its_end(path):
    text = prose(path)
    assert text.count("```{audit}") == 1
    assert "```{audit}" in text[text.index("## How this was checked") :]


@for_each_notebook
def test_it_stores_an_exact_and_a_measured_verdict(path):
    assert {check.part("kind") for check in ledger.read_checks(path)} == {"exact", "measured"}


@for_each_notebook
def test_each_check_cell_makes_one_check_and_stores_its_verdict(path):
    for cell in check_cells(path):
        ids = checks(cell)
        assert len(ids) == 1, cell.source
        calls = [
            node.func.attr
            for node in ast.walk(ast.parse(cell.source))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("exact", "measured")
        ]
        assert len(calls) == 1, cell.source
        assert {"nbval-check-output", "keep_output"} <= set(cell.metadata.get("tags", [])), ids
        assert [output.output_type for output in cell.outputs] == ["execute_result"], ids
        text = ledger.stored_text(cell.outputs[0])
        found = ledger._VERDICT.fullmatch(text)
        assert found, text
        assert (found["id"], found["kind"]) == (ids[0], calls[0]), text


@for_each_notebook
def test_a_rival_is_rejected_by_so_much_that_other_seeds_reject_it_too(path):
    """The claim wants eight errors; one that has nine today has seven with another seed."""
    for cell in check_cells(path):
        verdict = cell.outputs[0].data["text/plain"]
        for z in re.findall(r"rejected at \|z\| = ([\d.]+)", verdict):
            assert float(z) >= 11, verdict


@for_each_notebook
def test_only_check_cells_store_an_output_or_carry_their_tags(path):
    for cell in code_cells(path):
        if not checks(cell):
            assert not cell.outputs, cell.source
            assert not {"nbval-check-output", "keep_output"} & set(cell.metadata.get("tags", []))


@for_each_notebook
def test_no_stored_output_is_an_error_or_goes_to_stderr(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type not in ("error", "stream")


@for_each_notebook
def test_a_cell_that_draws_ends_by_showing_its_figure(path):
    for cell in code_cells(path):
        body = ast.parse(cell.source).body
        if any(draws(statement) for statement in body):
            assert ast.unparse(body[-1]) == "plt.show()", cell.source
        else:
            assert "plt.show()" not in cell.source, cell.source


@for_each_notebook
def test_every_figure_has_a_text_for_those_who_do_not_see_it(path):
    shown = [cell for cell in code_cells(path) if "plt.show()" in cell.source]
    assert shown
    for cell in shown:
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        assert len(alt) >= 40, cell.source


@for_each_notebook
def test_no_two_figures_share_their_text(path):
    cells = [c for c in code_cells(path) if "plt.show()" in c.source]
    alts = [c.metadata.get("mystnb", {}).get("image", {}).get("alt") for c in cells]
    assert len(alts) == len(set(alts))


@for_each_notebook
def test_sympy_prints_as_it_does_everywhere_else(path):
    assert not any("init_printing" in cell.source for cell in code_cells(path))


@for_each_notebook
def test_no_cell_calls_the_shell(path):
    for cell in code_cells(path):
        assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE), cell.source


@for_each_notebook
def test_every_simulation_names_its_randomness(path):
    for cell in code_cells(path):
        assert set(re.findall(r"np\.random\.(\w+)", cell.source)) <= {"default_rng", "Generator"}
        assert "default_rng()" not in cell.source


@for_each_notebook
def test_it_has_six_to_eight_exercises_each_with_a_label_of_its_own(path):
    labels = [d.options.get("label") for d in exercises(path)]
    assert 6 <= len(labels) <= 8
    assert all(labels)
    assert len(set(labels)) == len(labels)


@for_each_notebook
def test_every_exercise_has_a_folded_solution_whose_code_runs(path):
    found, cells = directives(path), read(path).cells
    solved = []
    for k, start in enumerate(found):
        if start.name != "solution-start":
            continue
        end = next(d for d in found[k + 1 :] if d.name in ("solution-start", "solution-end"))
        assert end.name == "solution-end", f"the solution of {start.argument} does not end"
        assert "dropdown" in start.options.get("class", "").split(), start.argument
        inside = [c for c in cells[start.cell + 1 : end.cell] if c.cell_type == "code"]
        assert inside, f"the solution of {start.argument} has no code"
        solved.append(start.argument)
    assert sorted(solved) == sorted(d.options["label"] for d in exercises(path))


@for_each_notebook
def test_no_text_names_a_path_of_one_machine(path):
    for cell in read(path).cells:
        stored = " ".join(map(str, cell.get("outputs", [])))
        assert not MACHINE_PATH.search(cell.source + " " + stored), cell.source


def test_no_two_notebooks_share_a_long_cell():
    owners = defaultdict(set)
    for path in NOTEBOOKS:
        for cell in code_cells(path):
            if len(cell.source.splitlines()) > 6:
                owners[cell.source.strip()].add(path.stem)
    assert [cell for cell, names in owners.items() if len(names) > 1] == []


def test_the_helpers_here_see_what_they_should():
    text = "# T\n\n## A\n\n```{note}\n## not this\n```\n\n## B\n\n### C\n"
    assert headings(text, 2) == ["A", "B"]
    assert draws(ast.parse("fig, ax = plt.subplots()").body[0])
    assert not draws(ast.parse("def f():\n    plt.subplots()").body[0])
    assert MACHINE_PATH.search("see /" + "home/someone/x")
    assert not MACHINE_PATH.search("https://example.org/home/x and a/tmp/b")
    (found,) = DIRECTIVE.findall("```{solution-start} ex-1\n:class: dropdown\n```\n")
    assert found == ("solution-start", "ex-1", ":class: dropdown\n")
