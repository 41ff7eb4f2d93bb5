"""Notebooks are executed side by side, and a page is read when its own is done."""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import sgdbook_execute
import sgdbook_kernel
from myst_nb.core.execute import cache as one_by_one
from myst_nb.core.execute.base import ExecutionError
from nbclient.exceptions import DeadKernelError
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError


@pytest.fixture
def built(tmp_path):
    """Builds a book of notebooks with these sources, and returns their pages."""

    def build(*sources, **more):
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
            **more,
        }
        out = tmp_path / "out" / "html"
        Sphinx(
            tmp_path, None, out, tmp_path / "doctrees", "html", settings, status=None, warning=None
        ).build()
        return [(out / f"page{i}.html").read_text("utf8") for i in range(len(sources))]

    return build


def test_pages_show_what_was_executed_before_they_were_read(built, monkeypatch):
    monkeypatch.setattr(one_by_one, "single_nb_execution", lambda *a, **k: 1 / 0)
    first, second = built("print(6 * 7)", "print(2**10)")
    assert "42" in first
    assert "1024" in second


def test_the_longest_notebook_is_run_first(built, tmp_path, monkeypatch):
    monkeypatch.setattr(sgdbook_execute, "CORES", 1)
    (tmp_path / "benchmarks").mkdir()
    took = {"page0": {"seconds": 1.0}, "page2": {"seconds": 2.0}, "page3": {"seconds": 1.5}}
    results = json.dumps({"book": {"notebooks": took}})
    (tmp_path / "benchmarks" / "results.json").write_text(results)
    pages = built(*(f"open('order', 'a').write('{i}'); print('I am', {i})" for i in range(4)))
    assert (tmp_path / "order").read_text() == "1230"  # nobody knows how long page 1 takes
    assert all(f"I am {i}" in page for i, page in enumerate(pages))


@pytest.mark.parametrize("others", [["1"], []])  # MyST-NB itself runs one that is alone
def test_a_line_that_arrives_in_parts_is_one_line(built, others):
    slow = (
        "import time\nfor part in ('six', ' times', ' seven\\n'):\n"
        "    print(part, end='', flush=True)\n    time.sleep(0.3)"
    )
    assert "six times seven\n" in built(slow, *others)[0]


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


def test_a_kernel_does_not_build_the_book_that_asks_for_it(monkeypatch):
    monkeypatch.setattr("jupyter_book.cli.main.main", lambda *_: pytest.fail("it builds"))
    runpy.run_module("tools.sphinx", run_name="__mp_main__")  # as a forked process imports it


SEEN = """
import os, pathlib, sys
print("sympy" in sys.modules, pathlib.Path("page0.ipynb").exists(), os.environ.get("ASKED"))
"""


def test_a_kernel_is_forked_with_all_that_chapters_import(built, monkeypatch):
    monkeypatch.setenv("ASKED", "of the build")
    assert f"{sgdbook_kernel.FORKS} True of the build" in built(SEEN, "1")[0]
    assert "MPLBACKEND" not in os.environ


def test_a_kernel_that_is_forked_looks_for_garbage(built):
    assert "<span></span>True" in built("import gc\nprint(gc.isenabled())", "1")[0]


@pytest.mark.parametrize("forks", [sgdbook_kernel.FORKS, False])
def test_work_is_done_apart_before_a_page_is_written(tmp_path, monkeypatch, forks):
    monkeypatch.setattr(sgdbook_kernel, "FORKS", forks)

    def built(*work):
        (tmp_path / "index.rst").write_text("A page\n======\n")
        app = Sphinx(tmp_path, None, tmp_path / "out", tmp_path / "out", "html", status=None)
        app.connect("env-before-read-docs", lambda *args: sgdbook_kernel.apart(app, *work))
        app.connect("html-page-context", lambda *args: seen.append((tmp_path / "done").exists()))
        app.build()

    seen = []
    built(os.mkdir, tmp_path / "done")
    assert seen
    assert all(seen)
    with pytest.raises(ExtensionError, match="mkdir failed"):
        built(os.mkdir, tmp_path / "done")


def test_where_no_kernel_can_be_forked_they_are_ordinary_ones(built, monkeypatch):
    monkeypatch.setattr(sgdbook_kernel, "FORKS", False)
    assert "False True None" in built(SEEN, "1")[0]


def test_chapters_do_not_share_what_they_set(built):
    change = "import matplotlib as mpl\nmpl.rcParams['lines.linewidth'] += 5"
    for page in built(*3 * [f"{change}\nprint(mpl.rcParams['lines.linewidth'])"]):
        assert "<span></span>6.5" in page


def test_a_figure_is_shown_at_the_end_of_its_cell(built):
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    for page in built(draw, draw):
        assert "<img" in page


def test_a_formula_in_a_figure_is_not_parsed_by_each_renderer(built):
    draw = (
        "import matplotlib.pyplot as plt\nfrom matplotlib.mathtext import MathTextParser\n"
        "plt.figure(layout='constrained')\nplt.title('$x^2$')\nplt.savefig('x.svg')\n"
        "print('parsed', MathTextParser._parse_cached.cache_info().misses)"
    )
    # Once for the layout, in pixels, and once in the units of the file.
    assert ("parsed 2\n" in built(draw, "1")[0]) == sgdbook_kernel.FORKS


def test_a_chapter_may_start_processes_of_its_own(built):
    spread = (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "with ProcessPoolExecutor(2) as pool:\n    print(sum(pool.map(abs, [-20, 22])))"
    )
    assert "<span></span>42" in built(spread, "1")[0]


def test_a_cell_that_never_ends_stops_the_build(built):
    began = time.monotonic()
    with pytest.raises(ExecutionError, match="page1"):
        built("1", "while True: pass", nb_execution_timeout=2)
    assert time.monotonic() - began < 60


def test_a_kernel_that_dies_stops_the_build(built):
    with pytest.raises(DeadKernelError):
        built("1", "import os\nos._exit(3)")


@pytest.mark.skipif(not sgdbook_kernel.FORKS, reason="kernels are forked on Linux alone")
def test_kernels_end_with_the_build_that_asked_for_them(tmp_path):
    wait = (
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(99)"
    )
    for i, source in enumerate((wait, "1")):
        nb = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": ""}},
            cells=[nbformat.v4.new_markdown_cell("# A"), nbformat.v4.new_code_cell(source)],
        )
        nbformat.write(nb, tmp_path / f"page{i}.ipynb")
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'sgdbook_execute']\nroot_doc = 'page0'\n"
        "nb_execution_mode = 'cache'\n"
    )
    extensions = Path(sgdbook_kernel.__file__).parent
    build = subprocess.Popen(
        [sys.executable, "-m", "sphinx", "-q", tmp_path, tmp_path / "out" / "html"],
        env={**os.environ, "PYTHONPATH": str(extensions)},
    )
    told = tmp_path / "pid"
    while not (told.exists() and told.read_text()):
        assert build.poll() is None
        time.sleep(0.1)
    build.send_signal(signal.SIGKILL)
    build.wait()
    kernel = Path("/proc") / told.read_text()
    for _ in range(100):
        if not kernel.exists() or "\nState:\tZ" in (kernel / "status").read_text():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the kernel is still there")
