"""Every measured check of the book with other seeds: how often does a true one fail?

    python3 make.py seeds N [NN …]

runs the notebooks (all, or those that begin so) N times each with every integer seed
moved elsewhere, and stores what it saw, chapter by chapter, in `audit/seeds.json`, from
which the book makes its page. What is exact does not depend on a seed and is left out.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import datetime
import json
import os
import platform
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STORED = ROOT / "audit" / "seeds.json"
EDGES = [k / 4 for k in range(-20, 21)]  # of the histogram of z


STRIDE = 1_000_003  # between the families of a seed: no chapter's own seeds come so far


class Reseed(ast.NodeTransformer):
    """Each seed that a call names is moved, wherever it was computed."""

    def visit_Call(self, node):
        self.generic_visit(node)
        if ast.unparse(node.func).endswith("default_rng") and node.args:
            node.args = [self.moved(node.args[0])]
        for keyword in node.keywords:
            if keyword.arg == "rng":
                keyword.value = self.moved(keyword.value)
        return node

    @staticmethod
    def moved(value):
        return ast.Call(ast.Name("_reseeded", ast.Load()), [value], [])


def code(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text("utf8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


def rerun(notebook: Path, family: int) -> dict:
    """One run of a notebook's cells: the z of each measured check, and what failed."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import numpy as np

    from sgdnotes import claims

    seen, failed, broken = [], [], []

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

    check, exact = claims.Claim.measured, claims.Claim.exact
    claims.Claim.measured, claims.Claim.exact = measured, lambda *args, **options: None
    known = {"_reseeded": reseeded, "__name__": "notebook"}
    this = sys.modules["__main__"]  # IPython, which a cell may wake, puts its own there
    os.chdir(notebook.parent)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            for number, cell in enumerate(code(notebook)):
                tree = ast.fix_missing_locations(Reseed().visit(ast.parse(cell)))
                try:
                    exec(compile(tree, f"{notebook.stem}, code cell {number}", "exec"), known)
                except Exception as error:
                    broken.append((number, f"{type(error).__name__}: {error}"[:200]))
                plt.close("all")
    finally:
        sys.modules["__main__"] = this
        claims.Claim.measured, claims.Claim.exact = check, exact
    return {"notebook": notebook.stem, "seen": seen, "failed": failed, "broken": broken}


def summary(runs: list[dict]) -> dict:
    """Of one chapter: how often each check ran and failed, and the law of its z."""
    import numpy as np

    checks = collections.defaultdict(lambda: {"runs": 0, "fails": 0, "z": [], "biased": False})
    broken = collections.Counter()
    for run in runs:
        for id, says, biased, z in run["seen"]:
            entry = checks[id, says]
            entry["runs"] += 1
            entry["z"] += z
            entry["biased"] |= biased
        for id, says, _ in run["failed"]:
            checks[id, says]["fails"] += 1
        broken.update(tuple(place) for place in run["broken"])
    plain = np.concatenate([c["z"] for c in checks.values() if not c["biased"]] or [[]])
    return {
        "families": len(runs),
        "day": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {sys.version.split()[0]}",
        "checks": [
            {
                "id": id, "says": says, "runs": c["runs"], "fails": c["fails"],
                "biased": c["biased"], "values": len(c["z"]),
                "mean": round(float(np.mean(c["z"])), 3), "sd": round(float(np.std(c["z"])), 3),
            }
            for (id, says), c in checks.items()
        ],
        "broken": [[*place, times] for place, times in broken.items()],
        "z": np.histogram(plain, [-np.inf, *EDGES, np.inf])[0].tolist(),
    }  # fmt: skip


def odd(check: dict) -> bool:
    """Is the law of a check's z told from the standard normal? (A stated bias moves it.)"""
    n = check["values"]
    if check["biased"] or n < 20:
        return False
    return abs(check["mean"]) > 4 / n**0.5 or not 0.7 < check["sd"] < 1.3


def main(count: str, *names: str):
    count = int(count)
    stored = json.loads(STORED.read_text("utf8")) if STORED.exists() else {}
    for gone in set(stored) - {n.stem for n in NOTEBOOKS}:
        del stored[gone]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for notebook in NOTEBOOKS:
            if names and not notebook.name.startswith(names):
                continue
            runs = list(pool.map(rerun, [notebook] * count, range(1, count + 1)))
            told = stored[notebook.stem] = summary(runs)
            ran, failed = (sum(c[key] for c in told["checks"]) for key in ("runs", "fails"))
            print(f"{notebook.stem}: {failed} of {ran} fail", flush=True)
            for check in told["checks"]:
                if check["fails"] or odd(check):
                    print(
                        "  {id} fails {fails} of {runs}, z {mean:+.2f} ± {sd:.2f} of "
                        "{values}: {says}".format(**check)
                    )
            for number, error, times in told["broken"]:
                print(f"  code cell {number}, {times} times: {error}")
            STORED.write_text(
                json.dumps(dict(sorted(stored.items())), indent=1, ensure_ascii=False) + "\n",
                "utf8",
            )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(*sys.argv[1:])
