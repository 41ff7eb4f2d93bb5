"""Every measured check of the book with other seeds: how often does a true one fail?

    python3 make.py seeds N [NN …]

runs the notebooks (all, or those that begin so) with N other families of seeds, every
integer seed moved elsewhere, and stores what it saw, chapter by chapter, in
`audit/seeds.json`, from which the book makes its page. Families that were run before, of
code that has not changed since, are not run again: a larger N adds to them. What no seed
reaches, exact or measured beforehand and stored, is run once, and its checks are left out.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import datetime
import dis
import functools
import hashlib
import json
import multiprocessing
import os
import platform
import sys
import types
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STORED = ROOT / "audit" / "seeds.json"
PINS = ("mpmath", "numpy", "scikit-learn", "scipy", "sympy")  # numbers depend on these alone
EDGES = [k / 4 for k in range(-20, 21)]  # of the histogram of z
STRIDE = 1_000_003  # between the families of a seed: no chapter's own seeds come so far
BATCH = 20  # families between two writings of what was seen


def code(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text("utf8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


@functools.cache  # some sources are part of many digests
def plain(source: str) -> str:
    """What Python does with a source: neither comments nor docstrings matter."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match getattr(node, "body", None):
            case [ast.Expr(ast.Constant()), *rest]:
                node.body = [ast.Pass(), *rest]
    return ast.dump(tree)


@functools.cache
def helpers():
    """The digest of what every chapter computes with: exact versions, and the package."""
    pins = (ROOT / "requirements.txt").read_text("utf8").splitlines()
    known = hashlib.sha256("\n".join(pin for pin in pins if pin.split("==")[0] in PINS).encode())
    for file in sorted(ROOT.glob("sgdnotes/**/*.py")):
        known.update(plain(file.read_text("utf8")).encode())
    return known


def digest(notebook: Path) -> str:
    """Of all that the numbers of a notebook depend on."""
    known, cells = helpers().copy(), code(notebook)
    for source in cells:
        known.update(plain(source).encode())
    for data in sorted((ROOT / "notebooks" / "data").iterdir()):
        if any(data.name in cell for cell in cells):
            known.update(data.read_bytes())
    return known.hexdigest()[:16]


def outdated(stored: dict) -> list[str]:
    """The chapters whose numbers depend on other code than that which was run."""
    current = {notebook.stem: digest(notebook) for notebook in NOTEBOOKS}
    return [name for name, report in stored.items() if report.get("code") != current.get(name)]


class Reseed(ast.NodeTransformer):
    """Each seed that a call names is moved, wherever it was computed."""

    moved = 0

    def visit_Call(self, node):
        self.generic_visit(node)
        if ast.unparse(node.func).endswith("default_rng") and node.args:
            node.args = [self.move(node.args[0])]
        for keyword in node.keywords:
            if keyword.arg == "rng":
                keyword.value = self.move(keyword.value)
        return node

    def move(self, value):
        self.moved += 1
        return ast.Call(ast.Name("_reseeded", ast.Load()), [value], [])


SCOPES = (
    ast.FunctionDef, ast.ClassDef, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def bound(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a new value, whatever they were before."""
    match statement:
        case ast.FunctionDef(name) | ast.ClassDef(name):
            return {name}
        case ast.Import(names) | ast.ImportFrom(_, names):
            return {alias.asname or alias.name for alias in names}
        case ast.Assign(targets):
            parts = [part for target in targets for part in ast.walk(target)]
            return {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
    return set()


def changed(part: ast.AST, modules: set[str]) -> set[str]:
    """The names that a part of a statement binds, or whose objects it may change.

    A call for what it does changes what a method belongs to, or what a function is given.
    """
    if isinstance(part, SCOPES):
        return set()  # what they bind is their own
    match part:
        case ast.Expr(ast.Call(ast.Attribute(attr=method) as func)) if (
            root(func) not in modules and method != "shuffle"
        ):
            found = {root(func)}
        case ast.Expr(ast.Call(func, args, keywords)) if root(func) != "print":
            found = set(map(root, [func, *args, *(k.value for k in keywords)]))
        case ast.Name(_, ctx) | ast.Attribute(_, _, ctx) | ast.Subscript(_, _, ctx):
            found = set() if isinstance(ctx, ast.Load) else {root(part)}
        case _:
            found = set()
    return found.union(*(changed(p, modules) for p in ast.iter_child_nodes(part))) - {""}


def root(node: ast.expr) -> str:
    """The name that an expression such as a.b[c] begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def inner(code) -> list:
    """The functions, classes and comprehensions in a piece of code."""
    return [const for const in code.co_consts if isinstance(const, types.CodeType)]


def read(code) -> set[str]:
    """The notebook's names that a piece of code, or a function in it, reads."""
    told = dis.get_instructions(code)
    names = {i.argval for i in told if i.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
    return names.union(*map(read, inner(code)))


def has_functions(code) -> bool:
    """Does it make something that reads names later?"""
    return any(c.co_name not in ("<listcomp>", "<setcomp>", "<dictcomp>") for c in inner(code))


def statements(notebook: Path):
    """(code cell, compiled statement, names it writes, may it depend on a seed?), in order.

    Those that do not are run first and once, and a family then finds at each of them the
    values that it gave to its names. So an object that several statements write counts as
    seeded from where its name is bound: what is in it depends on when they run.
    """
    parts = [(n, part) for n, cell in enumerate(code(notebook)) for part in ast.parse(cell).body]
    imports = [part for _, part in parts if isinstance(part, ast.Import | ast.ImportFrom)]
    modules = set().union(*map(bound, imports))
    life, writers, lives = collections.Counter(), collections.Counter(), []
    for _, part in parts:
        new = bound(part)
        old = changed(part, modules) - new
        life.update(new)
        lives.append({(name, life[name]) for name in new | old} - {(m, life[m]) for m in modules})
        writers.update(lives[-1])
    seeded, later = set(), {}  # names; of a name that holds a function, what that will read

    def all_read(names):
        found, todo = set(), set(names)
        while todo:
            found |= todo
            todo = set().union(*(later.get(name, ()) for name in todo)) - found
        return found

    for (number, part), written in zip(parts, lives, strict=True):
        reseed = Reseed()
        new, part = bound(part), ast.fix_missing_locations(reseed.visit(part))
        names = {name for name, _ in written}
        block = compile(ast.Module([part], []), f"{notebook.stem}, code cell {number}", "exec")
        reads = all_read(read(block)) - modules
        depends = bool(
            reseed.moved
            or (reads | (names - new)) & seeded
            or any(writers[one] > 1 for one in written)
        )
        seeded = seeded | names if depends else seeded - new
        lasting = reads if has_functions(block) or any(map(later.get, reads)) else set()
        for name in names:
            later[name] = lasting | (set() if name in new else later.get(name, set()))
        yield number, block, names, depends


def run(steps, known: dict) -> list:
    """Run statements, or set what they gave; of a cell that breaks the rest is left out."""
    import matplotlib.pyplot as plt

    broken = {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")
        for number, step in steps:
            if isinstance(step, dict):
                known.update(step)
            elif number not in broken:
                try:
                    exec(step, known)
                except Exception as error:
                    broken[number] = f"{type(error).__name__}: {error}"[:200]
    plt.close("all")
    return list(broken.items())


class Chapter:
    """A notebook whose unseeded statements have run; each family runs the others in a fork."""

    def __init__(self, notebook: Path):
        self.known = {"_reseeded": lambda value: value, "__name__": "notebook"}
        self.broken, self.steps = [], []
        os.chdir(notebook.parent)
        this = sys.modules["__main__"]  # IPython, which a cell may wake, puts its own there
        for number, statement, names, depends in statements(notebook):
            if depends:
                self.steps.append((number, statement))
            elif number not in dict(self.broken):
                self.broken += run([(number, statement)], self.known)
                given = {name: self.known[name] for name in names if name in self.known}
                self.steps.append((number, given))
        sys.modules["__main__"] = this

    def rerun(self, family: int) -> dict:
        """The z of each measured check with one family, and what failed."""
        import numpy as np

        from sgdnotes import claims

        seen, failed = [], []

        def reseeded(value):
            if isinstance(value, list | tuple):
                return [*value, family]
            return value + STRIDE * family if isinstance(value, int | np.integer) else value

        def measured(self, estimate, expected, *args, **options):
            z = np.ravel(estimate.z(expected, options.get("bias", 0.0)))
            seen.append((self.id, self.says, bool(np.any(options.get("bias", 0.0))), z.tolist()))
            try:
                return check(self, estimate, expected, *args, **options)
            except claims.ClaimFailed as error:
                failed.append((self.id, self.says, str(error)))

        check, claims.Claim.measured = claims.Claim.measured, measured
        self.known["_reseeded"] = reseeded
        broken = self.broken + run(self.steps, self.known)
        return {"seen": seen, "failed": failed, "broken": broken}


_chapters: list[Chapter] = []  # the one at work: a fork finds it here, it cannot be sent


def rerun(family: int) -> dict:
    return _chapters[-1].rerun(family)


def summary(runs: list[dict]) -> dict:
    """Of one chapter: how often each check ran and failed, and the law of its z."""
    import numpy as np

    checks = collections.defaultdict(lambda: {"fails": 0, "z": [], "biased": False})
    broken = collections.Counter()
    for run in runs:
        for id, says, biased, z in run["seen"]:
            entry = checks[id, says]
            entry["z"].append(z)
            entry["biased"] |= biased
        for id, says, _ in run["failed"]:
            checks[id, says]["fails"] += 1
        broken.update(tuple(place) for place in run["broken"])
    told, unbiased = [], [[]]
    for (id, says), c in checks.items():
        z, means = np.concatenate(c["z"]), [np.mean(values) for values in c["z"]]
        unbiased += [] if c["biased"] else [z]
        told.append({
            "id": id, "says": says, "runs": len(means), "fails": c["fails"],
            "biased": c["biased"], "values": len(z), "mean": round(float(np.mean(z)), 3),
            "sd": round(float(np.std(z)), 3), "between": round(float(np.std(means)), 3),
        })  # fmt: skip
    return {
        "families": len(runs),
        "day": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {sys.version.split()[0]}",
        "checks": told,
        "broken": [[*place, times] for place, times in broken.items()],
        "z": np.histogram(np.concatenate(unbiased), [-np.inf, *EDGES, np.inf])[0].tolist(),
    }


def together(old: dict, new: dict) -> dict:
    """The summary of two sets of families of the same code."""
    checks = {(c["id"], c["says"]): c for c in old["checks"]}
    for c in new["checks"]:
        if before := checks.get((c["id"], c["says"])):
            both, part = (before, c), before["values"] / (before["values"] + c["values"])
            mean = part * before["mean"] + (1 - part) * c["mean"]
            spread = {
                key: sum(w * (x[key] ** 2 + (x["mean"] - mean) ** 2)
                         for w, x in zip((part, 1 - part), both, strict=True)) ** 0.5
                for key in ("sd", "between")
            }  # fmt: skip
            c = c | {key: before[key] + c[key] for key in ("runs", "fails", "values")}
            c |= {"biased": before["biased"] or c["biased"], "mean": round(mean, 4)}
            c |= {key: round(value, 4) for key, value in spread.items()}
        checks[c["id"], c["says"]] = c
    broken = collections.Counter()
    for *place, times in old["broken"] + new["broken"]:
        broken[tuple(place)] += times
    return new | {
        "families": old["families"] + new["families"],
        "checks": list(checks.values()),
        "broken": [[*place, times] for place, times in broken.items()],
        "z": [a + b for a, b in zip(old["z"], new["z"], strict=True)],
    }


def odd(check: dict) -> bool:
    """Is the law of a check's z told from the standard normal? (A stated bias moves it.)

    Values of one run may share their randomness, so the means of runs give the error. A
    tenth of an error bar is no matter: z of the parts of a whole is not linear in them.
    """
    if check["biased"] or check["runs"] < 20:
        return False
    shifted = abs(check["mean"]) > max(0.1, 4 * check["between"] / check["runs"] ** 0.5)
    return shifted or abs(check["sd"] - 1) > max(0.15, 3 / (2 * check["runs"]) ** 0.5)


def keep(stored: dict):
    """Write all that was seen."""
    for report in stored.values():
        for check in report["checks"]:
            check["odd"] = odd(check)
    text = json.dumps(dict(sorted(stored.items())), indent=1, ensure_ascii=False)
    STORED.write_text(text + "\n", "utf8")


def tell(name: str, report: dict):
    """One line a chapter, and one for each check or cell that needs a look."""
    ran, failed = (sum(c[key] for c in report["checks"]) for key in ("runs", "fails"))
    print(f"{name}: {report['families']} families, {failed} of {ran} fail", flush=True)
    for check in report["checks"]:
        if check["fails"] or odd(check):
            print(
                "  {id} fails {fails} of {runs}, z {mean:+.2f} ± {sd:.2f} of "
                "{values}: {says}".format(**check)
            )
    for number, error, times in report["broken"]:
        print(f"  code cell {number}, {times} times: {error}")


def main(count: str, *names: str):
    import matplotlib

    from sgdnotes import claims

    if "fork" not in multiprocessing.get_all_start_methods():
        sys.exit("seeds: this system cannot fork a process; run it on Linux or macOS")
    for wanted in names:
        if not any(notebook.stem.startswith(wanted) for notebook in NOTEBOOKS):
            sys.exit(f"seeds: no notebook's name begins with {wanted!r}, as 09 or 09-brownian does")
    matplotlib.use("agg")
    claims.Claim.exact = lambda *args, **options: None
    context = multiprocessing.get_context("fork")
    stored = json.loads(STORED.read_text("utf8")) if STORED.exists() else {}
    for name in outdated(stored):
        del stored[name]
    for notebook in NOTEBOOKS:
        name, now = notebook.stem, digest(notebook)
        if names and not name.startswith(names):
            continue
        _chapters.clear()
        while (done := stored.get(name, {}).get("families", 0)) < int(count):
            if not _chapters:
                _chapters.append(Chapter(notebook))
            families = range(done + 1, min(done + BATCH, int(count)) + 1)
            with context.Pool(maxtasksperchild=1) as pool:
                seen = {"code": now} | summary(pool.map(rerun, families, chunksize=1))
            stored[name] = together(stored[name], seen) if name in stored else seen
            keep(stored)
        tell(name, stored[name])
    keep(stored)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(*sys.argv[1:])
