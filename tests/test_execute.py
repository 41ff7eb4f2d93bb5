"""Notebooks are executed side by side before the pages are read."""

import multiprocessing.pool

import nbformat
import pytest
from jupyter_cache.executors import basic
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
    monkeypatch.setattr(basic.mproc, "Pool", lambda: multiprocessing.pool.Pool(1))
    first, second = built("print(6 * 7)", "print(2**10)")
    assert "42" in first
    assert "1024" in second


def test_a_notebook_that_fails_stops_the_build(built):
    with pytest.raises(ExecutionError, match="page1"):
        built("print(6 * 7)", "1 / 0")
