"""Every measured check of the book with other seeds: how often does a true one fail?

    python3 make.py seeds N [NN …]

runs the notebooks (all, or those that begin so) N times each, every integer seed s
replaced by the pair [s, k], and stores what it saw in `audit/seeds.json`, from which
the book makes its page. What is exact does not depend on a seed and is left out.
"""

from __future__ import annotations

import ast
import collections
import datetime
import json
import os
import platform
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORED = ROOT / "audit" / "seeds.json"
EDGES = [k / 4 for k in range(-20, 21)]  # of the histogram of z


class Reseed(ast.NodeTransformer):
    """Each seed that a call names becomes the pair of it and the family."""

    def visit_Call(self, node):
        self.generic_visit(node)
        if ast.unparse(node.func).endswith("default_rng") and node.args:
            node.args = [self.paired(node.args[0])]
        for keyword in node.keywords:
            if keyword.arg == "rng":
                keyword.value = self.paired(keyword.value)
        return node

    @staticmethod
    def paired(value):
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
        whole = isinstance(value, int | np.integer)
        return np.random.default_rng([int(value), family]) if whole else value

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
    os.chdir(notebook.parent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, cell in enumerate(code(notebook)):
                tree = ast.fix_missing_locations(Reseed().visit(ast.parse(cell)))
                try:
                    exec(compile(tree, f"{notebook.stem}, code cell {number}", "exec"), known)
                except Exception as error:
                    broken.append((number, f"{type(error).__name__}: {error}"[:200]))
                plt.close("all")
    finally:
        claims.Claim.measured, claims.Claim.exact = check, exact
    return {"notebook": notebook.stem, "seen": seen, "failed": failed, "broken": broken}


def summary(runs: list[dict]) -> dict:
    """By check: how often it ran and failed, and the mean and spread of its z."""
    import numpy as np

    checks = collections.defaultdict(lambda: {"runs": 0, "fails": 0, "z": [], "biased": False})
    broken = collections.Counter()
    for run in runs:
        for id, says, biased, z in run["seen"]:
            entry = checks[run["notebook"], id, says]
            entry["runs"] += 1
            entry["z"] += z
            entry["biased"] |= biased
        for id, says, _ in run["failed"]:
            checks[run["notebook"], id, says]["fails"] += 1
        for number, error in run["broken"]:
            broken[run["notebook"], number, error] += 1
    plain = np.concatenate([c["z"] for c in checks.values() if not c["biased"]] or [[]])
    return {
        "checks": [
            {
                "notebook": notebook, "id": id, "says": says, "runs": c["runs"],
                "fails": c["fails"], "biased": c["biased"], "values": len(c["z"]),
                "mean": float(np.mean(c["z"])), "sd": float(np.std(c["z"])),
            }
            for (notebook, id, says), c in checks.items()
        ],
        "broken": [[*place, times] for place, times in broken.items()],
        "histogram": {"edges": EDGES, "counts": np.histogram(plain, EDGES)[0].tolist()},
        "values": len(plain),
        "beyond": {str(k): float(np.mean(np.abs(plain) > k)) if len(plain) else 0 for k in (3, 4)},
    }  # fmt: skip


def main(count: str, *names: str):
    count = int(count)
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    chosen = [n for n in notebooks if not names or n.name.startswith(names)]
    began, runs = time.monotonic(), []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for notebook in chosen:
            mine = list(pool.map(rerun, [notebook] * count, range(1, count + 1)))
            runs += mine
            failed = sum(len(run["failed"]) for run in mine)
            checked = sum(len(run["seen"]) for run in mine)
            broken = sum(len(run["broken"]) for run in mine)
            print(f"{notebook.stem}: {failed} of {checked} fail, {broken} cells broken", flush=True)
    told = summary(runs)
    for check in told["checks"]:
        odd = check["values"] > 19 and not check["biased"] and (
            abs(check["mean"]) > 4 / check["values"] ** 0.5 or not 0.7 < check["sd"] < 1.3
        )  # fmt: skip
        if check["fails"] or odd:
            print(
                f"  {check['notebook']} {check['id']} fails {check['fails']} of {check['runs']}, "
                f"z {check['mean']:+.2f} ± {check['sd']:.2f}: {check['says']}"
            )
    for notebook, number, error, times in told["broken"]:
        print(f"  {notebook}, code cell {number}, {times} times: {error}")
    told |= {
        "families": count, "day": datetime.date.today().isoformat(),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {sys.version.split()[0]}",
    }  # fmt: skip
    if not names:
        STORED.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf8")
        print(f"stored in {STORED.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(*sys.argv[1:])
