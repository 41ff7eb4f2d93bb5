"""A plain notebook reads well where nothing knows MyST, and runs the chapter's own code."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
import sgdbook_plain as plain

ROOT = Path(__file__).parents[1]
BOOK = plain.Book()
CHAPTERS = list(BOOK.chapters)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    monkeypatch.delenv("SGDNOTES_SITE", raising=False)


def converted(path):
    text = plain.plain(BOOK, json.loads(path.read_text("utf8")), plain.first_cell())
    return nbformat.reads(text, as_version=4)


def prose(nb):
    return "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.name[:2])
def test_no_word_of_myst_is_left_and_the_code_is_the_chapters(path):
    nb = converted(path)
    nbformat.validate(nb)
    text = prose(nb)
    assert not re.findall(r"\{[a-z:]+\}`|^[`:]{3,}\{|^\([\w-]+\)=$", text, re.MULTILINE)
    assert text.count("<details>") == text.count("</details>")
    code = [cell.source for cell in nb.cells if cell.cell_type == "code"]
    source = nbformat.read(path, 4)
    assert code[1:] == [cell.source for cell in source.cells if cell.cell_type == "code"]
    assert 'find_spec("sgdnotes")' in code[0]
    assert nb.cells[0].source.startswith("# ")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.name[:2])
def test_every_exercise_is_a_heading_and_every_solution_folds(path):
    text = prose(converted(path))
    source = path.read_text("utf8")
    assert len(re.findall(r"^### Exercise \d+\. \S", text, re.MULTILINE)) == (
        source.count("{exercise-start}")
    )
    assert text.count("Solution of Exercise") >= source.count("{solution-start}")


def written(*texts):
    """The markdown of cells that follow each other."""
    writer = plain.Writer(BOOK)
    return [writer.markdown(text) for text in texts]


KEY = "bottou2018optimization"


def test_citations_name_their_authors_and_link_to_the_paper():
    (text, inside) = written(f"{{cite:t}}`{KEY}` says", f"So {{cite:p}}`{KEY}`.")
    assert re.fullmatch(r"\[Bottou et al\. \(2018\)\]\(https://\S+\) says", text)
    assert re.fullmatch(r"So \(\[Bottou et al\., 2018\]\(https://\S+\)\)\.", inside)


def test_a_source_that_is_not_in_the_bibliography_is_an_error():
    with pytest.raises(KeyError, match="nobody1999"):
        written("{cite:t}`nobody1999`")


def test_references_link_to_the_book_where_it_is_published(monkeypatch):
    texts = "{ref}`E14 <erratum-e14>`", "{claim}`S0.7`"
    assert written(*texts) == ["E14", "S0.7"]
    monkeypatch.setenv("SGDNOTES_SITE", "https://example.org/sgd")
    assert written(*texts) == [
        "[E14](https://example.org/sgd/book/errata.html#erratum-e14)",
        "[S0.7](https://example.org/sgd/book/claims.html)",
    ]


def test_a_solution_folds_until_it_ends_over_any_number_of_cells():
    first, second, third = written(
        "```{exercise-start} Why?\n:label: a\n```\n\nAsk.\n\n```{exercise-end}\n```\n\n"
        "```{solution-start} a\n:class: dropdown\n```\nOne.",
        "Two.",
        "Three.\n\n```{solution-end}\n```\n\nAfter.",
    )
    fold = "<details><summary><b>Solution of Exercise 1</b></summary>\n\n{}\n\n</details>"
    assert first == "### Exercise 1. Why?\n\nAsk.\n\n" + fold.format("One.")
    assert second == fold.format("Two.")
    assert third == fold.format("Three.") + "\n\nAfter."


def test_an_equation_has_its_number_where_it_stands_and_where_it_is_named(monkeypatch):
    monkeypatch.setitem(BOOK.equations, "eq-step", 3)
    assert written("$$x=1$$ (eq-step)", "by {eq}`eq-step`") == ["$$x=1\\tag{3}\n$$", "by (3)"]


def test_boxes_become_quotations_and_folds():
    (text,) = written(":::{admonition} Predict\nRise?\n:::\n\n:::{dropdown} Answer\nYes.\n:::")
    assert text == (
        "> **Predict.**\n>\n> Rise?\n\n"
        "<details><summary><b>Answer</b></summary>\n\nYes.\n\n</details>"
    )


def test_a_directive_without_a_plain_form_is_an_error():
    with pytest.raises(ValueError, match="directive figure"):
        written("```{figure} a.png\nA picture.\n```")


def test_code_that_the_page_folds_is_folded():
    writer = plain.Writer(BOOK)
    cell = nbformat.v4.new_code_cell("1", metadata={"tags": ["hide-input"]})
    assert writer.cell(cell)["metadata"]["jupyter"] == {"source_hidden": True}
    cell.metadata.tags = []
    assert "jupyter" not in writer.cell(cell)["metadata"]


def test_a_readers_own_copy_is_never_written_over(tmp_path):
    mine = tmp_path / CHAPTERS[0].name
    mine.write_text("mine")
    plain.write(tmp_path, "first", keep=True)
    assert mine.read_text() == "mine"
    assert len(list(tmp_path.glob("*.ipynb"))) == len(CHAPTERS)


def test_what_a_chapter_reads_lies_beside_it_or_is_fetched_from_the_site(tmp_path, monkeypatch):
    plain.write(tmp_path, "first")
    found = {name for chapter in BOOK.chapters.values() for name in plain.reads(chapter)}
    assert found == {"data/network.json", "data/rare.json"}
    for name in found:
        assert (tmp_path / name).read_bytes() == (ROOT / "notebooks" / name).read_bytes()
    network, *_ = [p for p in CHAPTERS if plain.reads(BOOK.chapters[p])]
    assert "urlretrieve" not in converted(network).cells[1].source
    site = tmp_path / "site" / "plain" / "data"
    site.mkdir(parents=True)
    (site / "network.json").write_text("measured")
    monkeypatch.setenv("SGDNOTES_SITE", (tmp_path / "site").as_uri())
    alone = tmp_path / "alone"
    alone.mkdir()
    monkeypatch.chdir(alone)
    exec(converted(network).cells[1].source.replace("%pip", "# pip"), {})
    assert (alone / "data" / "network.json").read_text() == "measured"


@pytest.mark.parametrize(
    ("site", "repository", "where"),
    [
        ("https://example.org/sgd/", "", "https://example.org/sgd/plain/sgdnotes-"),
        ("", "https://github.com/o/r", "git+https://github.com/o/r"),
        ("", "", "sgdnotes-"),
    ],
)
def test_the_helpers_come_from_the_site_the_repository_or_the_wheel_beside(
    monkeypatch, site, repository, where
):
    monkeypatch.setenv("SGDNOTES_SITE", site)
    assert f'else "{where}' in plain.first_cell(repository)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    plain.build_wheel(out)
    return out / plain.wheel_name()


def test_the_wheel_holds_every_module_and_the_mark_that_it_is_typed(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "sgdnotes"
    modules = {p.relative_to(ROOT).as_posix() for p in package.rglob("*.py")}
    assert modules | {"sgdnotes/py.typed"} <= inside


def test_the_readmes_example_runs_from_the_wheel_alone(wheel, tmp_path):
    readme = (ROOT / "README.md").read_text("utf8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    env = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{code}\nimport sgdnotes\nprint(sgdnotes.__file__)"],
        cwd=tmp_path, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(os.path.join(wheel.name, "sgdnotes", "__init__.py"))


def test_what_jupyterlite_is_given_starts_its_kernel_and_finds_the_wheel(tmp_path):
    plain.write_lite(tmp_path)
    assert [path.name for path in (tmp_path / "pypi").iterdir()] == [plain.wheel_name()]
    assert (tmp_path / "files" / "notebooks" / "data" / "network.json").exists()
    for path in (tmp_path / "files" / "notebooks").glob("*.ipynb"):
        nb = nbformat.read(path, 4)
        assert nb.metadata.kernelspec.name == "python"
        assert nb.cells[1].source == "%pip install -q sgdnotes"
