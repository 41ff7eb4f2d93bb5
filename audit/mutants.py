"""Wrong physics, one mistake at a time: which check notices?

    python3 make.py mutants [WORD …] [--anew]

tries each mistake of `audit/mutants.yml` in a copy of the project: it changes the text,
asks the tests and notebooks that are named there, one after the other, and notes the
first that fails; each of them must pass on the copy as it is. What was seen is stored in
`audit/mutants.json`, from which the book makes its page.

WORD is the id of a mistake or a part of a file's path. A mistake whose file and tests are
as they were when it was last tried is not tried again, unless --anew says so.
"""

from __future__ import annotations

import argparse
import ast
import configparser
import contextlib
import datetime
import hashlib
import io
import itertools
import json
import multiprocessing
import os
import platform
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
LISTED, STORED = Path("audit/mutants.yml"), Path("audit/mutants.json")
PATIENCE = 200  # seconds of a processor for one test or notebook; then the clock has noticed
WAITING = 20  # times as long by the wall, for what waits for ever
# What a mistake must not be noticed by: the text no longer runs, so nothing was checked.
NO_VALUE = ("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError",
            "crash")  # fmt: skip
LEFT = (".git", ".venv*", "_build", "workbook", "__pycache__", ".hypothesis", ".make.lock")
# Slow to import, and no part of the project: the process that starts all others has them.
PRELOADED = ["hypothesis", "matplotlib.pyplot", "playwright.sync_api", "pytest", "scipy.integrate",
             "scipy.optimize", "scipy.sparse.linalg", "sklearn.datasets", "sympy"]  # fmt: skip
OVERTIME = getattr(signal, "SIGXCPU", 0)
_clock = itertools.count(1)  # of the files that are written: none may look like its last form


class Stale(ValueError):
    """A mistake whose text does not occur exactly once in its file."""


@dataclass(frozen=True)
class Mutant:
    """One mistake: what is changed, and whom to ask."""

    id: str
    file: str
    wrong: str
    changes: tuple[tuple[str, str], ...]
    asked: tuple[str, ...]  # pytest's arguments, or a notebook's path
    equivalent: str = ""


def listed(root: Path) -> list[Mutant]:
    """All mistakes of the list, or ValueError if it is not of the form that its head says."""
    found = []
    for group in yaml.safe_load((root / LISTED).read_text("utf8")):
        file, unknown = group["file"], set(group) - {"file", "asked", "mutants"}
        book = [file] if file.endswith(".ipynb") else []
        asked = [*book, *(_path(root, one) for one in group.get("asked", ()))]
        for entry in group["mutants"]:
            known = {"id", "wrong", "from", "to", "first", "equivalent"}
            if unknown | (set(entry) - known) or not known - {"first", "equivalent"} <= set(entry):
                raise ValueError(f"{file}: an entry must have {sorted(known)}, got {entry}")
            pairs = [[e] if isinstance(e, str) else e for e in (entry["from"], entry["to"])]
            changes = tuple((a.rstrip("\n"), b.rstrip("\n")) for a, b in zip(*pairs, strict=True))
            first = [_path(root, entry["first"])] if "first" in entry else []
            found.append(
                Mutant(
                    entry["id"], file, entry["wrong"], changes,
                    tuple(dict.fromkeys([*first, *asked])), entry.get("equivalent", ""),
                )
            )  # fmt: skip
    ids = [m.id for m in found]
    if twice := {i for i in ids if ids.count(i) > 1}:
        raise ValueError(f"two mistakes have one id: {sorted(twice)}")
    return found


def _path(root: Path, short: str) -> str:
    """ "09" is a notebook and "test_x.py -k word" is of the folder of tests."""
    if short.isdecimal():
        (one,) = root.glob(f"notebooks/{short}-*.ipynb")
        return one.relative_to(root).as_posix()
    return f"tests/{short}"


def mutated(file: Path, changes) -> str:
    """The file's text with the mistake in it, or Stale."""
    text = file.read_text("utf8")
    if file.suffix != ".ipynb":
        for old, new in changes:
            if text.count(old) != 1:
                raise Stale(f"{text.count(old)} times in {file.name}: {old!r}")
            text = text.replace(old, new)
        return text
    notebook = json.loads(text)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for old, new in changes:
        sources = ["".join(cell["source"]) for cell in cells]
        if sum(source.count(old) for source in sources) != 1:
            times = sum(source.count(old) for source in sources)
            raise Stale(f"{times} times in the code of {file.name}: {old!r}")
        for cell, source in zip(cells, sources, strict=True):
            cell["source"] = source.replace(old, new)
    return json.dumps(notebook, ensure_ascii=False)


def digest(root: Path, mutant: Mutant) -> str:
    """Of all that the list names: the mistake, its file, and those who are asked."""
    files = {mutant.file, *(asked.split()[0] for asked in mutant.asked)}
    total = hashlib.sha256(repr((mutant.changes, mutant.asked, mutant.equivalent)).encode())
    for file in sorted(files):
        total.update((root / file).read_bytes())
    return total.hexdigest()[:16]


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
    known = configparser.RawConfigParser(strict=False)
    known.read_string(_sections(Path("tests/nbval-sanitise.cfg").read_text("utf8")))
    for name in known.sections():
        text = re.sub(known[name]["regex"], known[name]["replace"], text)
    return text


def _sections(text: str) -> str:
    """A file of settings without the prose above its first section."""
    return text[text.index("\n[") + 1 :]


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
            if _sanitised(f": {shown!r}") != _sanitised(f": {stored}"):
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
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        sys.stderr = nowhere
        try:
            run = _run_notebook if asked.endswith(".ipynb") else _run_tests
            told.send(run(asked))
        except BaseException:
            told.send((asked, "crash", traceback.format_exc().splitlines()[-1]))


# What the parent does.


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

    def trial(self, mutant: Mutant) -> dict:
        """What became of one mistake."""
        began = time.monotonic()
        with self.copy() as copy:
            try:
                told = self._tried(copy, mutant)
            except Stale as error:
                told = {"outcome": "stale", "by": "", "words": str(error)[:200]}
        if mutant.equivalent:
            kept = {"survived": "equivalent", "killed": "not equivalent"}
            told["outcome"] = kept.get(told["outcome"], told["outcome"])
            told["words"] = told["words"] or mutant.equivalent
        return told | {"seconds": round(time.monotonic() - began, 1)}

    def _tried(self, copy: Path, mutant: Mutant) -> dict:
        file = copy / mutant.file
        before, after = file.read_bytes(), mutated(file, mutant.changes).encode()
        for asked in mutant.asked:
            self.control(copy, asked)
            _write(file, after)
            try:
                failed = self.ask(copy, asked)
            finally:
                _write(file, before)
            if failed:
                who, what, words = failed
                outcome = "broken" if what in NO_VALUE else "killed"
                return {"outcome": outcome, "by": who, "words": f"{what}: {words}"[:200]}
        return {"outcome": "survived", "by": "", "words": ""}


def _write(file: Path, text: bytes) -> None:
    """Write a file, with a time that none of its earlier forms had: Python looks at it."""
    file.write_bytes(text)
    moment = 10**9 + next(_clock)
    os.utime(file, (moment, moment))


def chosen(mutants: list[Mutant], words) -> list[Mutant]:
    """Those that are meant: an id, or a part of a path; all for none."""
    for word in words:
        if not any(word == m.id or word in m.file for m in mutants):
            raise ValueError(f"no mistake has the id {word!r}, and no file has it in its path")
    return [m for m in mutants if not words or any(w == m.id or w in m.file for w in words)]


def audit(root: Path, words=(), anew=False, workers=None, patience=PATIENCE, say=print) -> dict:
    """Try what the words choose, and store it beside what was stored; returns the report."""
    everything = listed(root)
    stored = root / STORED
    old = json.loads(stored.read_text("utf8"))["mutants"] if stored.exists() else []
    known = {e["id"]: e for e in old}
    marks = {m.id: digest(root, m) for m in everything}
    known = {i: e for i, e in known.items() if marks.get(i) == e["digest"]}
    todo = [m for m in chosen(everything, words) if anew or m.id not in known]
    say(f"{len(todo)} of {len(everything)} mistakes to try")
    workers = workers or _cores()
    began, tried = time.monotonic(), 0
    with Workshop(root, workers, patience) as shop, ThreadPoolExecutor(workers) as pool:
        try:
            for mutant, told in zip(todo, pool.map(shop.trial, todo), strict=True):
                tried += 1
                known[mutant.id] = {"id": mutant.id, "file": mutant.file, "wrong": mutant.wrong}
                known[mutant.id] |= told | {
                    "asked": list(mutant.asked), "digest": marks[mutant.id],
                    "day": datetime.date.today().isoformat(),
                }  # fmt: skip
                line = f"[{tried}/{len(todo)}] {mutant.id} {told['outcome']} {told['by']}"
                say(f"{line} ({told['seconds']} s)")
                _store(stored, _report(root, everything, known, words, tried, began))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            shop.stop()
            raise
    return _report(root, everything, known, words, tried, began)


def _cores() -> int:
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _report(root, everything, known, words, tried, began) -> dict:
    entries = [known[m.id] for m in everything if m.id in known]
    files = {}
    for mutant in everything:
        count = files.setdefault(mutant.file, {"mutants": 0})
        count["mutants"] += 1
        outcome = known[mutant.id]["outcome"] if mutant.id in known else "not tried"
        count[outcome] = count.get(outcome, 0) + 1
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True
    )
    return {
        "command": " ".join(["python3 make.py mutants", *words]),
        "day": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "listed": len(everything), "tried": tried,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "files": files, "mutants": entries,
    }  # fmt: skip


def _store(file: Path, report: dict) -> None:
    """All of it or nothing: a file beside it takes its place when it is whole."""
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf8")
    os.replace(beside, file)


def summary(report: dict) -> str:
    """A table by file, and every mistake that is neither killed nor equivalent."""
    kinds = ("killed", "equivalent", "survived", "stale", "broken", "not equivalent", "not tried")
    out = io.StringIO()
    for file, count in report["files"].items():
        shown = ", ".join(f"{count[k]} {k}" for k in kinds if k in count)
        print(f"  {file}: {shown}", file=out)
    for e in report["mutants"]:
        if e["outcome"] not in ("killed", "equivalent"):
            print(f"  {e['outcome'].upper()} {e['id']} ({e['file']}): {e['wrong']}", file=out)
            if e["words"]:
                print(f"    {e['by']} {e['words']}", file=out)
    return out.getvalue()


def main(*arguments: str) -> int:
    """Try them, show what was seen; 1 if a mistake survived or the list is stale."""
    parser = argparse.ArgumentParser(prog="make.py mutants")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--anew", action="store_true")
    told = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def say(text):
        print(text, flush=True)

    try:
        report = audit(ROOT, told.words, told.anew, say=say)
    except KeyboardInterrupt:
        say("stopped; what was tried is stored")
        return 130
    except ValueError as error:
        say(f"mutants: {error}")
        return 1
    say(summary(report))
    good = ("killed", "equivalent")
    mine = {m.id for m in chosen(listed(ROOT), told.words)}
    return int(any(e["outcome"] not in good for e in report["mutants"] if e["id"] in mine))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
