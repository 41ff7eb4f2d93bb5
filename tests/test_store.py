"""Storing a notebook loses nobody's work, and leaves nothing of an editor behind."""

import json
import os

import nbformat
import pytest

from tools import store

HIGHER = {"name": "conda-env-sgd-py", "display_name": "sgd", "language": "python"}


def notebook(*sources, **metadata):
    cells = [nbformat.v4.new_code_cell(s) for s in sources]
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "01-one.ipynb"
    nb = notebook("1 + 1", "2 + 2", kernelspec=HIGHER)
    nb.cells[1].metadata["tags"] = ["keep_output"]
    path.write_text(store.text(nb), "utf8")
    return path


class Client:
    """Stands for a kernel: gives each cell an output."""

    during = staticmethod(lambda: None)

    def __init__(self, nb, **options):
        self.nb = nb
        self.path = options["resources"]["metadata"]["path"]

    def execute(self):
        for count, cell in enumerate(self.nb.cells, start=1):
            cell.execution_count = count
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "4"})]
        self.nb.metadata["language_info"] = {"version": "3.12"}
        self.during()


@pytest.fixture
def kernel(monkeypatch):
    monkeypatch.setattr(Client, "during", staticmethod(lambda: None))
    monkeypatch.setattr(store, "NotebookClient", Client)
    return Client


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_an_executed_notebook_holds_its_verdicts_and_nothing_else(saved, kernel):
    assert store.execute(saved) == ""
    nb = nbformat.read(saved, 4)
    assert [cell.outputs == [] for cell in nb.cells] == [True, False]
    assert nb.metadata == {"kernelspec": store.KERNEL}
    assert [cell.execution_count for cell in nb.cells] == [1, 2]
    assert store.check(saved) == ""
    assert names(saved.parent) == [saved.name]


def test_an_edit_that_was_saved_meanwhile_is_kept_and_said(saved, kernel):
    edit = store.text(notebook("3 + 3"))
    kernel.during = staticmethod(lambda: saved.write_text(edit, "utf8"))
    assert "was changed while it ran" in store.execute(saved)
    assert saved.read_text("utf8") == edit
    assert names(saved.parent) == [saved.name]


def test_a_full_disk_leaves_the_old_file(saved, kernel, monkeypatch):
    before = saved.read_bytes()

    def full(path, text, *rest, **options):
        path.write_bytes(text.encode()[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.Path, "write_text", full)
    assert "No space left" in store.execute(saved)
    assert saved.read_bytes() == before
    assert names(saved.parent) == [saved.name]


def test_an_interruption_leaves_the_old_file(saved, kernel):
    before = saved.read_bytes()

    def interrupted():
        raise KeyboardInterrupt

    kernel.during = staticmethod(interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.execute(saved)
    assert saved.read_bytes() == before


def test_a_link_to_a_notebook_stays_a_link(saved, kernel, tmp_path):
    link = tmp_path / "link.ipynb"
    link.symlink_to(saved)
    assert store.execute(link) == ""
    assert link.is_symlink()
    assert os.path.samefile(link, saved)


def test_a_cell_that_fails_is_shown_and_nothing_is_stored(tmp_path, capsys):
    path = tmp_path / "02-two.ipynb"
    path.write_text(store.text(notebook("1 + 1", "1 / 0")), "utf8")
    before = path.read_bytes()
    assert store.main([str(path)]) == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "02-two.ipynb did not run" in told
    assert path.read_bytes() == before


def test_a_failure_does_not_keep_the_next_notebook_from_its_turn(saved, kernel, monkeypatch):
    done = []
    monkeypatch.setattr(store, "execute", lambda path: done.append(path) or "it failed")
    assert store.main(["one", "two"]) == 1
    assert len(done) == 2


def test_the_normal_form_keeps_the_ids_and_one_new_cell_is_a_small_difference():
    nb = notebook("1", "2", "3")
    ids = [cell.id for cell in nb.cells]
    before = store.text(store.normal_form(nb)).splitlines()
    nb.cells.insert(1, nbformat.v4.new_markdown_cell("More."))
    after = store.text(store.normal_form(nb)).splitlines()
    assert [cell.id for cell in nb.cells if cell.source != "More."] == ids
    assert len(after) - len(before) == 8
    assert set(before) <= set(after)


@pytest.mark.parametrize("key", ["vscode", "colab", "widgets", "toc"])
def test_the_normal_form_forgets_an_editors_metadata(key):
    nb = store.normal_form(notebook("1", kernelspec=HIGHER, **{key: {"a": 1}}))
    assert nb.metadata == {"kernelspec": store.KERNEL}


def test_the_normal_form_keeps_of_a_cell_what_the_book_reads():
    nb = notebook("1")
    told = {"tags": ["hide-input"], "mystnb": {"image": {"alt": "A line."}}}
    nb.cells[0].metadata.update(
        told, id="x", outputId="y", pycharm={}, slideshow={}, vscode={}, execution={}
    )
    folded = {"jupyter": {"source_hidden": True}}
    assert store.normal_form(nb).cells[0].metadata == told | folded


def test_a_cell_that_the_page_does_not_fold_is_open_in_jupyterlab():
    nb = notebook("1")
    nb.cells[0].metadata.update(tags=["hide-cell"], jupyter={"source_hidden": True})
    assert store.normal_form(nb).cells[0].metadata == {"tags": ["hide-cell"]}


def test_a_notebook_that_is_not_in_normal_form_is_named_with_the_cure(saved, capsys):
    assert store.main(["--check", str(saved)]) == 1
    assert "`python3 make.py notebooks 01` puts it there" in capsys.readouterr().err
    assert json.loads(saved.read_text("utf8"))["metadata"]["kernelspec"] == HIGHER
