"""How good the checks are: the directive {trust}, from `audit/mutants.json` and `seeds.json`.

It shows what wrong formulas the checks noticed, by file, and how often checks of true
statements fail with other seeds, with the histogram of z beside the standard normal.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

EDGES = [k / 4 for k in range(-20, 21)]  # of the stored histogram; its ends are open
BEYOND = {k: EDGES.index(-k) + 1 for k in (3, 4)}  # bins on each side
ONCE_IN = 15_787  # a normal z lies beyond 4
KINDS = ("killed", "equivalent", "survived")
WIDE, HIGH, LEFT, FOOT = 560, 220, 20, 190  # the picture, and where its axis stands


def read(root: Path, name: str) -> dict | None:
    """A stored report of `audit/`, or None if none is stored."""
    file = root / "audit" / f"{name}.json"
    return json.loads(file.read_text("utf8")) if file.exists() else None


def outdated(root: Path, name: str, stored: dict) -> list[str]:
    """What of a report of `audit/` was seen with other code than is there now."""
    sys.path.insert(0, str(root))
    try:
        audit = importlib.import_module(f"audit.{name}")
    finally:
        sys.path.remove(str(root))
    return audit.outdated(stored)


def noticed_by(entry: dict) -> str:
    """Who noticed a wrong formula: claim, other check of a chapter, stored verdict, test, clock."""
    by = entry["by"]
    for begin, who in (
        ("claim ", "a claim"),
        ("stored verdict", "only a changed figure in a tick's text"),
        ("code cell", "an assert or an error in a chapter"),
        ("the clock", "the clock"),
    ):
        if by.startswith(begin):
            return who
    return "a unit test"


def mutants_text(report: dict, old=()) -> list[str]:
    """What the checks noticed, in Markdown.

    Of those whose ids are `old` the code is no longer that which was run.
    """
    entries = report["mutants"]
    count = {kind: sum(e["outcome"] == kind for e in entries) for kind in KINDS}
    untried = report["listed"] - sum(count.values())
    lines = [
        f"**Passed.** Of {report['listed']} wrong formulas the checks notice {count['killed']}; "
        f"{count['equivalent']} turned out to say the same as the right one "
        f"(`audit/mutants.yml` says why), and {count['survived']} are not noticed"
        + (f"; {untried} have not been tried yet, or not since they changed. " if untried else ". ")
        + f"(`python3 make.py mutants`, {report['day']}, {report['machine']}, "
        f"Python {report['python']}.)",
        "",
    ]
    if old:
        files = ", ".join(sorted({e["file"].split("/")[-1] for e in entries if e["id"] in old}))
        lines += [f"**Older than the code**: {len(old)} of these trials, of {files}.", ""]
    who = [noticed_by(e) for e in entries if e["outcome"] == "killed"]
    if who:
        told = sorted(set(who), key=who.count, reverse=True)
        lines += ["Noticed first by " + ", ".join(f"{w}: {who.count(w)}" for w in told) + ".", ""]
    lines += ["::::{dropdown} By file", ""]
    lines += ["| file | listed | noticed | the same | missed | untried |"]
    lines += ["|:--|--:|--:|--:|--:|--:|"]
    for file, row in report["files"].items():
        cells = [row.get(kind, 0) for kind in KINDS]
        rest = row["mutants"] - sum(cells)
        short = file.removeprefix("sgdnotes/").removeprefix("notebooks/")
        lines.append(f"| `{short}` | {row['mutants']} | {' | '.join(map(str, cells))} | {rest} |")
    lines += ["", "::::"]
    missed = [e for e in entries if e["outcome"] == "survived"]
    if missed:
        lines += ["", "Not noticed:", "", *(f"- `{e['file']}`: {e['wrong']}" for e in missed)]
    return lines


def seeds_text(stored: dict, old=()) -> tuple[list[str], list[str]]:
    """How often true statements fail, in Markdown: in words, and in tables.

    Of the chapters named in `old` the code is no longer that which was run.
    """
    rows, runs, fails, odd = [], 0, 0, []
    for chapter, report in stored.items():
        odd += [
            f"- {c['says']} ({c['id']}, chapter {int(chapter[:2])}): "
            + f"{c['mean']:+.2f} ± {c['sd']:.2f}".replace("-", "−")
            for c in report["checks"]
            if c["odd"]
        ]
        ran, failed = (sum(c[key] for c in report["checks"]) for key in ("runs", "fails"))
        runs, fails = runs + ran, fails + failed
        rows.append(
            f"| {chapter[:2]} | {report['families']} | {ran} | {failed} | {report['day']} |"
        )
    z = [sum(bins) for bins in zip(*(report["z"] for report in stored.values()), strict=True)]
    beyond = {k: sum(z[:at] + z[-at:]) / max(sum(z), 1) for k, at in BEYOND.items()}
    machines = sorted({report["machine"] for report in stored.values()})
    words = [
        f"**Refused.** With other seeds {fails} of {runs:,} runs of a measured check failed: "
        f"{1e3 * fails / max(runs, 1):.2f} in a thousand. With exact error bars "
        f"{runs / ONCE_IN:.1f} runs would have failed. Error bars are estimated too, and counts of "
        f"rare events lean to one side. Let z be an estimate less what was expected, in its "
        f"standard errors. Of {sum(z):,} z (all but those of checks that allow a bias) "
        f"{beyond[3]:.2%} lie beyond 3 (a normal law has 0.27 %) and {beyond[4]:.3%} beyond 4 "
        f"(0.006 %). Bars: all of them; line: the normal law. "
        f"(`python3 make.py seeds N`, {'; '.join(machines)}.)",
    ]
    if old:
        chapters = ", ".join(str(int(name[:2])) for name in old)
        words.append(f"**Older than the code**, which has changed since: chapters {chapters}.")
    tables = [
        "::::{dropdown} By chapter",
        "",
        "| chapter | other families of seeds | runs of a check | failed | on |",
        "|:--|--:|--:|--:|:--|",
        *rows,
        "",
        "::::",
        *(["", "::::{dropdown} Checks whose z is not quite normal", "",
           "Mean and standard deviation of z. The chapter's last section says what is known of it.",
           "",
           *odd, "", "::::"] if odd else []),
    ]  # fmt: skip
    return words, tables


def histogram(edges, counts) -> str:
    """z as bars and the standard normal as a line: an SVG in the page's own ink.

    The first and the last count are of what lies beyond the edges: counted, not drawn.
    """
    total, counts = sum(counts) or 1, counts[1:-1]
    span = edges[-1] - edges[0]
    heights = [c / total / (b - a) for a, b, c in zip(edges, edges[1:], counts, strict=False)]
    top = max(*heights, 0.42)

    def across(z):
        return LEFT + (z - edges[0]) / span * (WIDE - 2 * LEFT)

    def up(density):
        return FOOT - density / top * (FOOT - 10)

    bars = "".join(
        f'<rect x="{across(a):.1f}" y="{up(h):.1f}" width="{across(b) - across(a):.1f}" '
        f'height="{FOOT - up(h):.1f}"/>'
        for a, b, h in zip(edges, edges[1:], heights, strict=False)
    )
    places = [edges[0] + span * k / 200 for k in range(201)]
    line = " ".join(
        f"{across(z):.1f},{up(math.exp(-z * z / 2) / math.sqrt(2 * math.pi)):.1f}" for z in places
    )
    ticks = "".join(
        f'<text x="{across(z):.1f}" y="{FOOT + 18}" text-anchor="middle">{z:d}</text>'
        for z in range(math.ceil(edges[0]), math.floor(edges[-1]) + 1)
    )
    return (
        f'<svg class="trust" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="Histogram of the '
        'distances z of all measured checks, close to the bell of the standard normal law">'
        f'<g fill="#0072B2" fill-opacity="0.5">{bars}</g>'
        f'<polyline points="{line}" fill="none" stroke="#D55E00" stroke-width="2"/>'
        f'<g fill="currentColor" font-size="12"><path d="M{LEFT} {FOOT}H{WIDE - LEFT}" '
        f'stroke="currentColor"/>{ticks}</g></svg>'
    )


class Trust(SphinxDirective):
    """The figures of the two audits, as far as they are stored; its text is the picture's."""

    has_content = True

    def run(self):
        root, found = Path(self.env.srcdir), []
        for name in ("mutants", "seeds"):
            self.env.note_dependency(f"audit/{name}.json")
        # What the audits depend on, as their digests have it.
        for pattern in (
            "notebooks/*.ipynb", "notebooks/data/*", "sgdnotes/**/*.py", "requirements.txt",
            "tests/*.py", "audit/mutants.yml",
        ):  # fmt: skip
            for file in root.glob(pattern):
                self.env.note_dependency(str(file.relative_to(root)))
        if seeds := read(root, "seeds"):
            words, tables = seeds_text(seeds, outdated(root, "seeds", seeds))
            z = [sum(bins) for bins in zip(*(r["z"] for r in seeds.values()), strict=True)]
            found += self.parse_text_to_nodes("\n".join(words))
            found.append(nodes.raw("", histogram(EDGES, z), format="html"))
            found += self.parse_content_to_nodes()
            found += self.parse_text_to_nodes("\n".join(tables))
        if mutants := read(root, "mutants"):
            old = outdated(root, "mutants", mutants)
            found += self.parse_text_to_nodes("\n".join(mutants_text(mutants, old)))
        return found


def setup(app):
    app.add_directive("trust", Trust)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
