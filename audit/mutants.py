"""Wrong physics, one mistake at a time: which check notices?

    python3 make.py mutants [WORD …] [--anew]

tries each mistake of `audit/mutants.yml` in a copy of the project: it changes the text,
asks the tests and notebooks that are named there, one after the other, and notes the
first that fails; each of them must pass on the copy as it is. What was seen is stored in
`audit/mutants.json`, from which the book makes its page.

WORD is the id of a mistake or a part of a file's path. A mistake whose file and tests run
the same code as when it was last tried is not tried again, unless --anew says so.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
import io
import json
import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from audit.seeds import code, plain  # noqa: E402
from audit.workshop import PATIENCE, Workshop, write  # noqa: E402

LISTED, STORED = Path("audit/mutants.yml"), Path("audit/mutants.json")
# What a mistake must not be noticed by: the text no longer runs, so nothing was checked.
NO_VALUE = ("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError",
            "crash")  # fmt: skip


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


def marks(root: Path, mutants: list[Mutant]) -> dict[str, str]:
    """Of each mistake: it, the code of its file, and that of who is asked."""

    @cache
    def of(file):
        path = root / file
        sources = code(path) if path.suffix == ".ipynb" else [path.read_text("utf8")]
        return hashlib.sha256("\0".join(map(plain, sources)).encode()).hexdigest()

    told = {}
    for mutant in mutants:
        files = {mutant.file, *(asked.split()[0] for asked in mutant.asked)}
        what = mutant.changes, mutant.asked, mutant.equivalent, *map(of, sorted(files))
        told[mutant.id] = hashlib.sha256(repr(what).encode()).hexdigest()[:16]
    return told


def outdated(report: dict, root: Path = ROOT) -> list[str]:
    """The mistakes that were tried on other code than is there now."""
    now = marks(root, listed(root))
    return [e["id"] for e in report["mutants"] if e["digest"] != now.get(e["id"])]


def trial(shop: Workshop, mutant: Mutant) -> dict:
    """What became of one mistake."""
    began = time.monotonic()
    with shop.copy() as copy:
        try:
            told = _tried(shop, copy, mutant)
        except Stale as error:
            told = {"outcome": "stale", "by": "", "words": str(error)[:200]}
    if mutant.equivalent:
        kept = {"survived": "equivalent", "killed": "not equivalent"}
        told["outcome"] = kept.get(told["outcome"], told["outcome"])
        told["words"] = told["words"] or mutant.equivalent
    return told | {"seconds": round(time.monotonic() - began, 1)}


def _tried(shop: Workshop, copy: Path, mutant: Mutant) -> dict:
    file = copy / mutant.file
    before, after = file.read_bytes(), mutated(file, mutant.changes).encode()
    for asked in mutant.asked:
        shop.control(copy, asked)
        write(file, after)
        try:
            failed = shop.ask(copy, asked)
        finally:
            write(file, before)
        if failed:
            who, what, words = failed
            outcome = "broken" if what in NO_VALUE else "killed"
            return {"outcome": outcome, "by": who, "words": f"{what}: {words}"[:200]}
    return {"outcome": "survived", "by": "", "words": ""}


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
    now = marks(root, everything)
    known = {i: e for i, e in known.items() if now.get(i) == e["digest"]}
    todo = [m for m in chosen(everything, words) if anew or m.id not in known]
    say(f"{len(todo)} of {len(everything)} mistakes to try")
    workers = workers or _cores()
    began, tried = time.monotonic(), 0
    with Workshop(root, workers, patience) as shop, ThreadPoolExecutor(workers) as pool:
        try:
            for mutant, told in zip(todo, pool.map(partial(trial, shop), todo), strict=True):
                tried += 1
                known[mutant.id] = {"id": mutant.id, "file": mutant.file, "wrong": mutant.wrong}
                known[mutant.id] |= told | {
                    "asked": list(mutant.asked), "digest": now[mutant.id],
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
