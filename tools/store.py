"""Executes notebooks and stores them in their normal form; make.py calls it.

    python -m tools.store notebook …            execute, and put in normal form
    python -m tools.store --check notebook …    say which are not in normal form

The normal form: the sources, the ids of the cells, tags and alternative texts,
execution counts, the outputs of the cells that have the tag `keep_output`, one
kernel's name, and nothing else. Two people's notebooks then differ where their
work does.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
TOLD = ("tags", "mystnb")  # what a cell's metadata may say


def normal_form(nb):
    """The notebook without what an editor, another kernel or a run has left in it."""
    nb = nbformat.from_dict(nb)
    nb.metadata = {"kernelspec": dict(KERNEL)}
    nb.nbformat, nb.nbformat_minor = 4, 5
    for cell in nb.cells:
        cell.metadata = {key: cell.metadata[key] for key in TOLD if key in cell.metadata}
        if cell.cell_type != "code":
            continue
        # What the page folds is folded in JupyterLab, too.
        if "hide-input" in cell.metadata.get("tags", ()):
            cell.metadata["jupyter"] = {"source_hidden": True}
        if "keep_output" not in cell.metadata.get("tags", ()):
            cell.outputs = []
        for output in cell.outputs:
            if "metadata" in output:
                output.metadata = {}
    return nb


def text(nb):
    return nbformat.writes(nb) + "\n"


def read(data):
    return nbformat.reads(data.decode("utf8"), as_version=4)


def execute(notebook):
    """Execute one notebook and put the result in its place; "" or what went wrong.

    The old file stays until the new one is written whole, and for good if someone
    has saved another meanwhile.
    """
    notebook = notebook.resolve()
    before = notebook.read_bytes()
    nb = read(before)
    nb.metadata["kernelspec"] = dict(KERNEL)
    client = NotebookClient(nb, timeout=None, resources={"metadata": {"path": notebook.parent}})
    try:
        client.execute()
    except CellExecutionError as error:
        return f"{error}\n{notebook.name} did not run: the cell above failed. Nothing was stored"
    aside = notebook.with_name(f".{notebook.name}.new")
    try:
        aside.write_text(text(normal_form(nb)), "utf8", newline="\n")
        shutil.copymode(notebook, aside)
        if notebook.read_bytes() != before:
            return (
                f"{notebook.name} was changed while it ran. What was saved meanwhile is kept, "
                f"and no verdict was stored: run the same command again"
            )
        os.replace(aside, notebook)
    except OSError as error:
        return f"{notebook.name} could not be stored ({error}); the old file is as it was"
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    return ""


def check(notebook):
    """Whether one notebook is in its normal form; "" or what to do."""
    data = notebook.read_bytes()
    if data.decode("utf8") == text(normal_form(read(data))):
        return ""
    return (
        f"{notebook.name} is not in its normal form; "
        f"`python3 make.py notebooks {notebook.name[:2]}` puts it there"
    )


def main(arguments):
    task = check if "--check" in arguments else execute
    failed = False
    for name in arguments:
        if name.startswith("--"):
            continue
        if task is execute:
            print(f"== executing {Path(name).name}", flush=True)
        told = task(Path(name))
        if told:
            print(told, file=sys.stderr, flush=True)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
