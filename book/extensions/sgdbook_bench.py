"""The page of benchmarks: tables and figures from `benchmarks/results.json`.

Fills the comments `<!-- benchmark: … -->` of `book/benchmarks.md` at build time.
The benchmark prints the same tables.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

PAGE = "book/benchmarks"
FLOOR, OURS = "floor", "sgdnotes"
# Who is no alternative to sgdnotes.
OWN = (FLOOR, OURS, "default floor", "TwoPoint noise", "Uniform noise")
WORKS = {
    "increments": "Increments alone, one a chain-step",
    "double well": "Langevin in the double well",
    "quadratic": "SGD on a quadratic of two parameters, correlated Gaussian noise",
    "mini-batches": "SGD with batches of 32 drawn from 1,000 examples",
    "heavy ball": "SGD with momentum 0.9 in the double well, Gaussian noise",
}
NORMALS = {"double well": 1, "quadratic": 2, "heavy ball": 1}  # a chain-step
_FILL = re.compile(r"<!-- benchmark: ([a-z -]+) -->")


def number(value: float) -> str:
    """Three digits, and no more than are known of large numbers."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"


def ratio(value: float) -> str:
    return number(value) if value >= 10 else f"{value:.2f}"


def megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f}"


def table(head, rows) -> list[str]:
    """Lines of a Markdown table, the first column text and the others numbers."""
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def work_table(columns: dict) -> list[str]:
    """One work, a row a contender; `columns` holds its rows by number of threads."""
    one, *more = columns.values()
    bases = [name for name in (FLOOR, OURS) if name in one]
    head = ["", "ns", *(f"÷ {name}" for name in bases)]
    for threads in list(columns)[1:]:
        head += [f"ns, {threads} threads", "speed-up", f"÷ {bases[-1]}"]
    rows = []
    for who, row in one.items():
        if not all(column[who] for column in columns.values()):
            rows.append([who, "not installed", *[""] * (len(head) - 1)])
            continue
        cells = [who, number(row["ns"]), *(ratio(row["ns"] / one[b]["ns"]) for b in bases)]
        for column in more:
            ns = column[who]["ns"]
            cells += [number(ns), ratio(row["ns"] / ns), ratio(ns / column[bases[-1]]["ns"])]
        rows.append([*cells, megabytes(row["peak"])])
    return table([*head, "MB"], rows)


def quicker(speed: dict) -> str:
    """Who is quicker than sgdnotes, and where: a sentence made from the numbers."""
    found = {}
    for work, columns in speed["works"].items():
        for threads, rows in columns.items():
            for who, row in rows.items():
                if OURS in rows and who not in OWN and row and row["ns"] < rows[OURS]["ns"]:
                    times = ratio(rows[OURS]["ns"] / row["ns"])
                    found.setdefault(threads, []).append(f"{who} on {work}, {times} times")
    if not found:
        return "Nobody in these tables is quicker than `sgdnotes`."
    parts = [f"on {count(threads)}: {'; '.join(some)}" for threads, some in found.items()]
    return "Quicker than `sgdnotes` " + ". Quicker ".join(parts) + "."


def count(threads: str) -> str:
    return "one thread" if threads == "1" else f"{threads} threads"


def split_table(works: dict) -> list[str]:
    """What one thread of sgdnotes and of Numba spends on drawing, and on all else."""
    numba_draw = works["increments"]["1"]["Numba draw"]
    rows = []
    for work, normals in NORMALS.items():
        one = works[work]["1"]
        spent = [(OURS, one[OURS]["ns"], one[FLOOR]["ns"])]
        if numba_draw:
            spent.append(("Numba loop", one["Numba loop"]["ns"], normals * numba_draw["ns"]))
        rows += [
            [f"{who}, {work}", number(all_), number(drawn), f"{all_ - drawn:.1f}"]
            for who, all_, drawn in spent
        ]
    return table(["", "ns", "drawing", "all else"], rows)


def machine(part: dict) -> str:
    """The sentence that says on what, when, and with which versions."""
    on = part["machine"]
    text = (
        f"Measured on {on['day']} on {on['processor']} ({on['cores']} cores, "
        f"{on['memory'] / 2**30:.0f} GB, {on['system']}) with Python {on['python']}"
    )
    known = [f"{name} {v or 'not installed'}" for name, v in part.get("versions", {}).items()]
    return text + "".join(f", {k}" for k in known) + "."


def growth_table(growth: dict) -> list[str]:
    rows = []
    for name, points in growth.items():
        for p in points:
            done = p["chains"] * p["steps"]
            rows.append([
                f"more {name}", f"{p['chains']:,}", f"{p['steps']:,}", f"{done:.1e}",
                number(p["seconds"]), number(1e9 * p["seconds"] / done), megabytes(p["peak"]),
            ])  # fmt: skip
    return table(["", "chains", "steps", "chain-steps", "seconds", "ns", "MB"], rows)


def book_table(book: dict) -> list[str]:
    costs = [(f"build, {name}", cost) for name, cost in book["build"].items()]
    costs += list(book["notebooks"].items())
    rows = [[name, f"{c['seconds']:.1f}", megabytes(c["peak"])] for name, c in costs]
    return table(["", "seconds", "MB"], rows)


def fillings(results: dict) -> dict[str, list[str]]:
    """What stands in the place of each comment, as lines of Markdown."""
    told = {}
    speed, book = results.get("speed"), results.get("book")
    if speed:
        told["machine"] = [machine(speed)]
        told |= {work: work_table(columns) for work, columns in speed["works"].items()}
        told["quicker"] = [quicker(speed)]
        told["split"] = split_table(speed["works"])
        if speed["growth"]:
            told["growth"] = growth_table(speed["growth"])
    if book:
        told["book"] = [machine(book), "", *book_table(book)]
    return told


def text(results: dict) -> str:
    """All tables, for a terminal."""
    parts = []
    for name, lines in fillings(results).items():
        parts += ["", WORKS.get(name, name), "", *lines]
    return "\n".join(parts)


# The figures.


def draw_speed(speed: dict, path: Path):
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    from sgdnotes import figures

    works = {w: rows for w, rows in speed["works"].items() if OURS in rows["1"]}
    most = max((rows["1"] for rows in works.values()), key=len)
    # Who is a hundred times slower would squeeze the rest together.
    names = [OURS, *(n for n in most if n not in (*OWN, "sdeint"))]
    fig, axes = plt.subplots(1, len(works), figsize=(7.2, 3.2), sharey=True)
    for ax, (work, columns) in zip(axes, works.items(), strict=True):
        ax.axvline(columns["1"][FLOOR]["ns"], color=figures.INK, linewidth=1)
        for rows, color, marker in zip(
            columns.values(), (figures.BLUE, figures.VERMILION), "oD", strict=False
        ):
            shown = [(rows[n]["ns"], i) for i, n in enumerate(names) if rows.get(n)]
            ax.plot(*zip(*shown, strict=True), marker, color=color)
        ax.set(title=work, xscale="log", xlabel="ns per chain-step")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("")
        ax.margins(x=0.15)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    save(fig, path)


def draw_growth(speed: dict, path: Path):
    import matplotlib.pyplot as plt

    from sgdnotes import figures

    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.0))
    for (name, points), color, marker in zip(
        speed["growth"].items(), (figures.BLUE, figures.VERMILION), "oD", strict=True
    ):
        done = [p["chains"] * p["steps"] for p in points]
        peaks = [p["peak"] / 1e6 for p in points]
        left.plot(done, [p["seconds"] for p in points], marker, color=color)
        slope = points[-1]["seconds"] / done[-1]
        left.plot(done, [slope * d for d in done], color=color, linewidth=0.8)
        right.plot(done, peaks, marker + "-", color=color)
        where = {"ha": "right", "xytext": (-6, -14), "textcoords": "offset points"}
        right.annotate(f"more {name}", (done[-1], peaks[-1]), color=color, **where)
    left.set(xscale="log", yscale="log", xlabel="chain-steps", ylabel="seconds")
    right.set(xscale="log", ylim=(0, None), xlabel="chain-steps", ylabel="peak memory in MB")
    save(fig, path)


def save(fig, path):
    import matplotlib.pyplot as plt

    fig.savefig(path, metadata={"Date": None})
    plt.close(fig)


FIGURES = {
    "speed figure": (
        "bench-speed.svg", draw_speed,
        "Nanoseconds a chain-step on a logarithmic axis, a row for sgdnotes and each alternative, "
        "a panel for each of the four works, a disc for one thread and a diamond for two; a line "
        "marks the floor, the random numbers alone. The tables below hold the numbers.",
    ),
    "growth figure": (
        "bench-growth.svg", draw_growth,
        "Left, seconds against chain-steps on logarithmic axes, with lines of slope one, for more "
        "steps and for more chains. Right, peak memory against chain-steps: for more steps and for "
        "more chains. The table above holds the numbers.",
    ),
}  # fmt: skip


def read(root: Path) -> dict:
    file = root / "benchmarks" / "results.json"
    return json.loads(file.read_text("utf8")) if file.exists() else {}


def draw_all(speed: dict, folder: Path):
    import matplotlib as mpl

    from sgdnotes import figures

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "sgdnotes"}):
        figures.use_style()
        for name, draw, _ in FIGURES.values():
            draw(speed, folder / name)


def _draw(app, env, docnames):
    from sgdbook_kernel import apart  # not for the benchmark, which has no kernels

    speed = read(Path(app.srcdir)).get("speed")
    if speed and speed["growth"]:
        apart(app, draw_all, speed, Path(app.outdir) / "_static")


def _fill(app, docname, source):
    if docname != PAGE:
        return
    results = read(Path(app.srcdir))
    told = fillings(results)
    if results.get("speed", {}).get("growth"):
        for key, (file, _, alt) in FIGURES.items():
            told[key] = ["```{raw} html", f'<img src="../_static/{file}" alt="{alt}">', "```"]
    source[0] = _FILL.sub(
        lambda found: "\n".join(told.get(found[1], ["*Not measured yet.*"])), source[0]
    )


def _outdated(app, env, added, changed, removed):
    return [PAGE] if PAGE in env.found_docs else []


def setup(app):
    app.connect("env-before-read-docs", _draw, priority=900)  # while notebooks run
    app.connect("source-read", _fill)
    app.connect("env-get-outdated", _outdated)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
