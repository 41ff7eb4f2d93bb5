"""sgdnotes.experiment.simulate beside what a reader might use instead of it.

    python3 make.py bench            speed, growth and memory: some minutes
    python3 make.py bench --quick    the same on a tenth of the work, not stored
    python3 make.py bench --book     what the book itself costs

The first and the last keep what they measure in benchmarks/results.json, from
which the book makes its page.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import CHAINS, CONTENDERS

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results.json"
sys.path.insert(0, str(ROOT / "book" / "extensions"))

import sgdbook_bench  # noqa: E402

PACKAGES = ("numpy", "sympy", "numba", "jax", "torch", "torchsde", "diffrax", "sdeint")
GROWTH = (10**4, 10**5, 10**6, 10**7, 10**8, 10**9)  # chain-steps
FEW, MANY, ENOUGH = 3, 7, 3.0  # repetitions, and the seconds that need no more of them


def machine():
    """What the numbers were measured on."""
    name = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((n.split(":")[1].strip() for n in lines if n.startswith("model name")), name)
    elif sys.platform == "darwin":
        told = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True)
        name = told.stdout.decode().strip()
    memory = 0
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "memory": memory,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "day": datetime.date.today().isoformat(),
    }


def versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


class Child:
    """A contender in a process of its own, held to as many cores as it has threads."""

    def __init__(self, work, who, threads, steps):
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        if cores:  # the child inherits them
            os.sched_setaffinity(0, sorted(cores)[:threads])
        limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self.who, self.told = who, []
        self.process = subprocess.Popen(
            [sys.executable, HERE / "contenders.py", work, who, str(threads), str(steps)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | dict.fromkeys(limits, str(threads)),
        )  # fmt: skip
        if cores:
            os.sched_setaffinity(0, cores)

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.who} stopped with code {self.process.wait()}; its message is above")
        return json.loads(line)

    def run_once(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.told.append(self.hear())

    def done(self, scale):
        spent = sum(t["ns"] for t in self.told) * scale
        return len(self.told) >= (MANY if spent < ENOUGH else FEW)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def compare(work, threads, steps):
    """Rows of one work at one number of threads, in turns, forwards and backwards."""
    children = [Child(work, who, threads, steps) for who in CONTENDERS[work]]
    missing = {c.who: said["missing"] for c in children if "missing" in (said := c.hear())}
    running = waiting = [c for c in children if c.who not in missing]
    while waiting:
        for child in waiting:
            child.run_once()
        waiting = [c for c in reversed(waiting) if not c.done(1e-9 * CHAINS * steps)]
    for child in children:
        child.close()
    refuse_other_work(running)
    rows = {c.who: min(c.told, key=lambda t: t["ns"]) for c in running}
    return {
        who: {"ns": rows[who]["ns"], "peak": rows[who]["peak"]} if who in rows else None
        for who in CONTENDERS[work]
    }


def refuse_other_work(children):
    """Stop unless every mean square at the end agrees with that of sgdnotes."""
    told = {c.who: c.told[0] for c in children if c.told[0]["square"]}
    for who, other in told.items():
        mine = told["sgdnotes"]
        gap = abs(other["square"] - mine["square"])
        if gap > 6 * (other["error"] + mine["error"]):
            sys.exit(f"{who} ends at a mean square of {other['square']}, not {mine['square']}")


def growth():
    """Seconds and peak memory as the steps grow, and as the chains do."""
    plans = {
        "steps": [(min(CHAINS, n), max(1, round(n / CHAINS))) for n in GROWTH],
        "chains": [(n // 100, 100) for n in GROWTH],
    }
    told = {}
    for name, plan in plans.items():
        told[name] = []
        for chains, steps in plan:
            command = [sys.executable, HERE / "contenders.py", "grow", str(chains), str(steps)]
            line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            told[name].append({"chains": chains, "steps": steps, **json.loads(line)})
    return told


def speed(quick):
    # A chain-step of mini-batches is as long as ten others.
    steps = {w: (250 if w == "mini-batches" else 1000) // (10 if quick else 1) for w in CONTENDERS}
    works = {}
    for work in CONTENDERS:
        works[work] = {}
        for threads in [1, 2][: os.cpu_count()]:
            print(f"== {work}, threads: {threads}", flush=True)
            works[work][str(threads)] = compare(work, threads, steps[work])
    print("== growth", flush=True)
    return {
        "machine": machine(),
        "versions": versions(),
        "chains": CHAINS,
        "steps": steps,
        "works": works,
        "growth": growth() if not quick else None,
    }


def cost(command, folder):
    """Seconds of a command, and the most memory that one of its processes held."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, code, used = os.wait4(process.pid, 0)
    if code:
        sys.exit(f"{command[0]} failed; its message is above")
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": time.perf_counter() - start, "peak": peak}


def book():
    """The cost of each notebook and of the build, in a copy of the book."""
    tools = ROOT / ".venv" / "bin"
    os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    left_out = shutil.ignore_patterns(".*", "_build", "__pycache__", "*.egg-info")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "book"
        shutil.copytree(ROOT, copy, ignore=left_out)
        build = [tools / "python", "-m", "tools.sphinx"]
        told = {"machine": machine(), "build": {}, "notebooks": {}}
        for name in ("cold", "repeated"):
            print(f"== build, {name}", flush=True)
            told["build"][name] = cost(build, copy)
        for notebook in sorted((copy / "notebooks").glob("*.ipynb")):
            print(f"== {notebook.stem}", flush=True)
            execute = [tools / "jupyter", "execute", notebook.name]
            told["notebooks"][notebook.stem] = cost(execute, notebook.parent)
    return told


def main(options):
    quick = "--quick" in options
    part = {"book": book()} if "--book" in options else {"speed": speed(quick)}
    print(sgdbook_bench.text(part))
    if quick:
        return
    kept = json.loads(RESULTS.read_text("utf8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(kept | part, indent=1) + "\n", "utf8")
    print(f"== stored in {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
