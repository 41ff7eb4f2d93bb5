"""Notebooks are executed side by side before the pages are read."""

import multiprocessing.pool
import shutil

import nbformat
import pytest
import sgdbook_execute as execute
from myst_nb.core.execute import cache as one_by_one
from myst_nb.core.execute.base import ExecutionError
from sphinx.application import Sphinx


@pytest.fixture
def built(tmp_path):
    """Builds a book of notebooks with these sources, and returns their pages."""

    def build(*sources):
        for i, source in enumerate(sources):
            nb = nbformat.v4.new_notebook(
                metadata={
                    "kernelspec": {"name": "python3", "display_name": "", "language": "python"}
                },
                cells=[
                    nbformat.v4.new_markdown_cell(f"# Page {i}"),
                    nbformat.v4.new_code_cell(source),
                ],
            )
            nbformat.write(nb, tmp_path / f"page{i}.ipynb")
        settings = {
            "extensions": ["myst_nb", "sgdbook_execute"],
            "nb_execution_mode": "cache",
            "nb_execution_raise_on_error": True,
            "root_doc": "page0",
        }
        out = tmp_path / "out" / "html"
        Sphinx(
            tmp_path, None, out, tmp_path / "doctrees", "html", settings, status=None, warning=None
        ).build()
        return [(out / f"page{i}.html").read_text("utf8") for i in range(len(sources))]

    return build


def test_pages_show_what_was_executed_before_they_were_read(built, monkeypatch):
    monkeypatch.setattr(one_by_one, "single_nb_execution", lambda *a, **k: 1 / 0)
    # One at a time: two kernels that start at once may pick the same port.
    monkeypatch.setattr(execute.multiprocessing, "Pool", lambda n: multiprocessing.pool.Pool(1))
    first, second = built("print(6 * 7)", "print(2**10)")
    assert "42" in first
    assert "1024" in second


def test_the_build_says_how_far_it_has_come(built, capfd):
    built("1", "2")
    shown = capfd.readouterr().out
    assert "running 2 notebooks, " in shown
    assert "1 of 2 notebooks run: page" in shown
    assert "2 of 2 notebooks run: page" in shown
    assert shown.endswith("writing the pages\n")


def test_a_notebook_that_wrote_to_standard_error_is_run_again(built, tmp_path):
    noisy = (
        "import os, sys, pathlib\nif pathlib.Path('noise').exists(): sys.stderr.write('i' + 'll')"
    )
    (tmp_path / "noise").touch()
    assert "ill" in built("print(1)", noisy)[1]
    (tmp_path / "noise").unlink()
    shutil.rmtree(tmp_path / "doctrees")  # as make.py does after a build that failed
    assert "ill" not in built("print(1)", noisy)[1]


def test_a_notebook_that_was_quiet_is_not_run_again(built, tmp_path):
    count = "with open('count', 'a') as file: file.write('x')"
    for _ in range(2):
        built("print(1)", count)
        shutil.rmtree(tmp_path / "doctrees")
    assert (tmp_path / "count").read_text() == "x"


def test_a_notebook_that_fails_stops_the_build(built):
    with pytest.raises(ExecutionError, match="page1"):
        built("print(6 * 7)", "1 / 0")
