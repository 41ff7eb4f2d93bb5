"""Copies of the project, and children that run a test or a notebook in them.

A child knows nothing of what was changed in its copy: it says who failed first, or nobody.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import multiprocessing
import os
import queue
import re
import shutil
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from pathlib import Path

PATIENCE = 200  # seconds of a processor for one test or notebook; then the clock has noticed
WAITING = 20  # times as long by the wall, for what waits for ever
LEFT = (".git", ".venv*", "_build", "workbook", "__pycache__", ".hypothesis", ".make.lock")
# Slow to import, and no part of the project: the process that starts all others has them.
PRELOADED = ["hypothesis", "matplotlib.pyplot", "playwright.sync_api", "pytest", "scipy.integrate",
             "scipy.optimize", "scipy.sparse.linalg", "sklearn.datasets", "sympy"]  # fmt: skip
OVERTIME = getattr(signal, "SIGXCPU", 0)
_clock = itertools.count(1)  # of the files that are written: none may look like its last form


# What a child process does.


class _First:
    """A plugin of pytest that remembers the first failure."""

    told = ""

    def pytest_exception_interact(self, node, call):
        """Pytest calls it for a failure of a test, and of a file's own code."""
        kind, text = call.excinfo.type.__name__, str(call.excinfo.value).strip()
        if kind == "CollectError":  # the error itself is in the text
            text = text.splitlines()[-1].removeprefix("E").strip()
            kind = text.split(":")[0]
        self.told = self.told or (node.nodeid.removeprefix("tests/"), kind, text.split("\n")[0])


def _run_tests(arguments: str):
    import pytest

    first = _First()
    without = ("cacheprovider", "nbval", "xdist", "hypothesispytest")  # it would come too late
    options = ["-x", "-q", "--tb=line", "--timeout=0", *(f"-pno:{name}" for name in without)]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis is there already
    file, _, rest = arguments.partition(" -k ")
    code = pytest.main([file, *(["-k", rest] if rest else []), *options], plugins=[first])
    return None if code == 0 else (first.told or (arguments, f"exit code {code}", "of pytest"))


def _sanitised(text: str) -> str:
    """A verdict without the digits that another processor may round otherwise."""
    from nbval.plugin import get_sanitize_patterns

    for regex, replace in get_sanitize_patterns(Path("tests/nbval-sanitise.cfg").read_text("utf8")):
        text = re.sub(regex, replace, text)
    return text


def _run_notebook(path: str):
    import matplotlib.pyplot as plt

    place, known, changed = Path(path).absolute(), {"__name__": "__main__"}, None
    cells = json.loads(place.read_text("utf8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    home = os.getcwd()
    os.chdir(place.parent)
    warnings.simplefilter("ignore")
    for number, cell in enumerate(cells, start=1):
        tree, name = ast.parse("".join(cell["source"])), f"code cell {number}"
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        try:
            exec(compile(tree, name, "exec"), known)
            shown = last and eval(compile(ast.Expression(last.value), name, "eval"), known)
        except Exception as error:
            kind, text = type(error).__name__, str(error).split("\n")[0]
            who = f"claim {text.split(':')[0]}" if kind == "ClaimFailed" else name
            return who, kind, text
        finally:
            plt.close("all")
        if "keep_output" in cell["metadata"].get("tags", ()) and not changed:
            told = [o.get("data", {}).get("text/plain", "") for o in cell["outputs"]]
            stored = "".join("".join(text) for text in told)
            os.chdir(home)
            if _sanitised(repr(shown)) != _sanitised(stored):
                changed = f"stored verdict of {name}", "verdict", f"{shown!r}"
            os.chdir(place.parent)
    return changed


def _child(root: str, asked: str, patience: int, told) -> None:
    """Run one test or notebook of a copy, and tell who failed: (who, what, words) or None."""
    with contextlib.suppress(ImportError):  # Windows has the wall's clock alone
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (patience, patience + 5))
    os.chdir(root)
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C is the parent's business
    os.environ["PYTHONPATH"] = root
    sys.path.insert(0, root)
    for stream in (1, 2):  # whoever reads the progress does not want a child's
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    try:
        run = _run_notebook if asked.endswith(".ipynb") else _run_tests
        told.send(run(asked))
    except BaseException:
        told.send((asked, "crash", traceback.format_exc().splitlines()[-1]))


class Workshop:
    """Copies of the project, one a worker, and the children that run in them."""

    def __init__(self, root: Path, workers: int, patience: int = PATIENCE):
        self.root, self.workers, self.patience = root, workers, patience
        self._copies, self._children, self._lock = queue.Queue(), set(), threading.Lock()
        self._controls, self._passed = {}, set()
        known = multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context(
            "forkserver" if "forkserver" in known else "spawn"
        )
        if "forkserver" in known:
            self._context.set_forkserver_preload(PRELOADED)

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="mutants-")
        for k in range(self.workers):
            copy = Path(self._folder.name).resolve() / f"copy{k}"
            shutil.copytree(self.root, copy, ignore=shutil.ignore_patterns(*LEFT))
            self._copies.put(copy)
        return self

    def __exit__(self, *error):
        self.stop()
        self._folder.cleanup()

    def stop(self):
        """End all children."""
        with self._lock:
            for child in self._children:
                child.kill()

    def ask(self, copy: Path, asked: str):
        """Who failed of one test or notebook in a copy: (who, what, words), or None."""
        receive, send = self._context.Pipe(duplex=False)
        child = self._context.Process(target=_child, args=(str(copy), asked, self.patience, send))
        with self._lock:
            child.start()
            self._children.add(child)
        send.close()
        late = "the clock", "clock", f"{asked} took more than {self.patience} s"
        try:
            return receive.recv() if receive.poll(WAITING * self.patience) else late
        except EOFError:
            child.join()
            ended = child.exitcode
            return late if ended == -OVERTIME else (asked, "crash", f"it ended with {ended}")
        finally:
            child.kill()
            child.join()
            with self._lock:
                self._children.discard(child)

    @contextlib.contextmanager
    def copy(self):
        """A copy that nobody else works in."""
        mine = self._copies.get()
        try:
            yield mine
        finally:
            self._copies.put(mine)

    def control(self, copy: Path, asked: str) -> None:
        """ValueError if a test or notebook fails although nothing was changed."""
        with self._lock:
            mine = self._controls.setdefault(asked, threading.Lock())
        with mine:
            if asked not in self._passed:
                if failed := self.ask(copy, asked):
                    raise ValueError(f"{asked} fails although nothing was changed: {failed}")
                self._passed.add(asked)


def write(file: Path, text: bytes) -> None:
    """Write a file, with a time that none of its earlier forms had: Python looks at it."""
    file.write_bytes(text)
    moment = 10**9 + next(_clock)
    os.utime(file, (moment, moment))
