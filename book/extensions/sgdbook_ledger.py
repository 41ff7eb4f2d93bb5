"""The ledger: every statement of the book, and the cells that check it.

Fills `book/claims.md` and `book/errata.md` from `book/claims.yml` and the
verdicts stored in the notebooks; gives each check cell an anchor and its verdict
a link to the row; offers the role {claim}`S0.21`, a link to that row, and the
directive {audit}, the list of a chapter's checks.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

VERDICTS = ("ok", "ok if", "typo", "wrong", "loose", "notation")
_CHECK = re.compile(r"""claim\(\s*["']([SEB]\d+(?:\.\d+)?)["']""")
_VERDICT = re.compile(
    r"(?P<says>.+?) \((?P<id>[SEB][\d.]+)(?P<corrected>, corrected)?, (?P<kind>exact|measured)\): "
    r"(?P<details>.+)",
    re.DOTALL,
)
_LABEL = re.compile(r"<small>([SEB][\d.]+)(, corrected)? · (.*?)</summary>", re.DOTALL)
_NOTE = re.compile(r"^\(note-([seb]\d+(?:-\d+)?)\)=\s*$", re.MULTILINE)
_FILL = "<!-- filled from claims.yml at build time -->"


@dataclass
class Check:
    """One check cell of a notebook and the verdict stored under it."""

    id: str
    notebook: str
    anchor: str
    verdict: str  # the stored text/plain, or "" if nothing is stored

    def part(self, name: str) -> str:
        """What the verdict `says`, its `kind`, `corrected` or `details`."""
        found = _VERDICT.fullmatch(self.verdict)
        if not found or found["id"] != self.id:
            raise ValueError(f"{self.notebook}: a check of {self.id} has no stored verdict")
        return found[name] or ""


@dataclass
class Row:
    """One statement, erratum or addition, with what the notebooks say of it."""

    id: str
    fields: dict
    checks: list[Check] = field(default_factory=list)
    note: str | None = None  # the notebook that holds the note
    written: bool = False  # its chapter is in the book


def slug(id: str) -> str:
    return id.lower().replace(".", "-")


def stored_text(output) -> str:
    if output["output_type"] not in ("execute_result", "display_data"):
        return ""
    return "".join(output["data"].get("text/plain", ""))


def read_checks(notebook: Path) -> list[Check]:
    """The check cells of one notebook, in order."""
    cells = json.loads(notebook.read_text("utf8"))["cells"]
    found, seen = [], {}
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        stored = " ".join(stored_text(o) for o in cell["outputs"]).strip()
        for id in _CHECK.findall("".join(cell["source"])):
            seen[id] = seen.get(id, 0) + 1
            anchor = f"check-{slug(id)}-{notebook.name[:2]}-{seen[id]}"
            found.append(Check(id, notebook.stem, anchor, stored))
    return found


def read_notes(notebook: Path) -> set[str]:
    """The anchors of the notes in one notebook's text, as slugs."""
    cells = json.loads(notebook.read_text("utf8"))["cells"]
    text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return set(_NOTE.findall(text))


def chapters(root: Path) -> list[Path]:
    """The notebooks that `_toc.yml` names, in reading order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    return [root / f"{f}.ipynb" for f in files if f.startswith("notebooks/")]


def read_ledger(root: Path) -> tuple[dict, list[Row], list[Row], list[Row]]:
    """The sources; the rows of the statements, of the errata, and of what goes beyond."""
    data = yaml.safe_load((root / "book" / "claims.yml").read_text("utf8"))
    written = {notebook.name[:2]: notebook for notebook in chapters(root)}
    checks = [c for notebook in written.values() for c in read_checks(notebook)]
    notes = {note: n.stem for n in written.values() for note in read_notes(n)}

    def rows(entries):
        return [
            Row(
                id=entry["id"],
                fields=entry,
                checks=[c for c in checks if c.id == entry["id"]],
                note=notes.get(slug(entry["id"])),
                written=entry["chapter"] in written,
            )
            for entry in entries
        ]

    return data["sources"], rows(data["claims"]), rows(data["errata"]), rows(data["beyond"])


# A build reads the ledger once, not for every page.
_ledger = functools.cache(read_ledger)


def _target(id: str) -> str:
    return ("erratum-" if id.startswith("E") else "claim-") + slug(id)


def _checks_line(row: Row) -> str:
    if not row.written:
        return f"*To come, in chapter {row.fields['chapter']}.*"
    links = [
        f"{{ref}}`{check.part('says')} <{check.anchor}>` "
        f"({check.part('kind')}, chapter {int(check.notebook[:2])})"
        for check in row.checks
    ]
    if row.note:
        links.append(
            f"{{ref}}`noted in chapter {int(row.note[:2])}, where it occurs <note-{slug(row.id)}>`"
        )
    return "\n".join(["Checked:", "", *(f"- {link}" for link in links)])


def _row_text(row: Row) -> list[str]:
    entry = row.fields
    errata = " · ".join(f"{{ref}}`{e} <erratum-{slug(e)}>`" for e in entry.get("errata", ()))
    head = [f"**{row.id}**", f"*{entry['verdict']}*", errata]
    if "cite" in entry:
        head.append(f"{{cite:t}}`{entry['cite']}`")
    lines = [
        f"({_target(row.id)})=",
        f"::::{{div}} claim claim-{entry['verdict'].replace(' ', '-')}",
        " · ".join(filter(None, head)),
        "",
        entry["says"].strip(),
        "",
    ]
    if "truth" in entry:
        lines += [f"**In truth.** {entry['truth'].strip()}", ""]
    return [*lines, _checks_line(row), "::::", ""]


def _claims_text(root: Path) -> str:
    sources, claims, _, beyond = _ledger(root)
    lines = []
    for key, source in sources.items():
        mine = [row for row in claims if row.id.startswith(key + ".")]
        lines += [f"## {key}: {source['title']}", "", f"{{cite:t}}`{source['cite']}`.", ""]
        lines += [line for row in mine for line in _row_text(row)]
    by_chapter = sorted(beyond, key=lambda row: row.fields["chapter"])
    lines += [
        "## B: beyond the lectures",
        "",
        "What the book adds, and where it comes from, by chapter. The numbers are names only.",
        "",
        *(line for row in by_chapter for line in _row_text(row)),
    ]
    return "\n".join(lines)


def _errata_text(root: Path) -> str:
    _, _, errata, _ = _ledger(root)
    lines = []
    for row in errata:
        entry = row.fields
        claims = ", ".join(f"{{claim}}`{c}`" for c in entry["claims"])
        lines += [
            f"(erratum-{slug(row.id)})=",
            f"## {row.id}. {entry['title'].strip()}",
            "",
            f"Concerns {claims}.",
            "",
            f"**Printed.** {entry['printed'].strip()}",
            "",
            f"**True.** {entry['truth'].strip()}",
            "",
            f"**In numbers.** {entry['example'].strip()}",
            "",
            _checks_line(row),
            "",
        ]
    return "\n".join(lines)


def _counts_text(root: Path) -> str:
    """How many statements are checked how, the checks of their errata included."""
    _, claims, errata, beyond = _ledger(root)
    found = {row.id: row.checks for row in errata}
    kinds = [
        {c.part("kind") for e in row.fields.get("errata", ()) for c in found[e]}
        | {c.part("kind") for c in row.checks}
        for row in claims
    ]
    return (
        f"Of {len(claims)} statements of the sources {kinds.count({'exact', 'measured'})} are "
        f"checked by SymPy and by simulation, {kinds.count({'exact'})} by SymPy alone, "
        f"{kinds.count({'measured'})} by simulation alone; {kinds.count(set())} are misprints or "
        f"matters of notation or record, and are noted where they occur. (A statement that an "
        f"erratum corrects is checked where the erratum is.) There are {len(errata)} errata: a "
        f"check rejects what is printed in all but one, E15, which is a matter of record. "
        f"{len(beyond)} results go beyond the sources."
    )


FILLED = {"book/claims": _claims_text, "book/errata": _errata_text, "book/about": _counts_text}


def _fill(app, docname, source):
    if docname in FILLED:
        source[0] = source[0].replace(_FILL, FILLED[docname](Path(app.srcdir)))


def _outdated(app, env, added, changed, removed):
    return sorted(FILLED)


def _anchor_checks(app, doctree):
    docname = app.env.docname
    notebook = Path(app.srcdir) / f"{docname}.ipynb"
    if not docname.startswith("notebooks/") or not notebook.exists():
        return
    checks = iter(read_checks(notebook))
    rows = {row.id: row for part in _ledger(Path(app.srcdir))[1:] for row in part}
    standard = app.env.get_domain("std")
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        found = _CHECK.findall(next(iter(cell.findall(nodes.literal_block))).astext())
        for _ in found:
            anchor = next(checks).anchor
            cell["ids"].append(anchor)
            standard.anonlabels[anchor] = docname, anchor
            standard.labels[anchor] = docname, anchor, anchor
        if cell.get("hide_mode"):
            whole = "check" if found else "more"
            cell["prompt_show"] = whole if cell["hide_mode"] == "all" else "code"
            cell["prompt_hide"] = "hide"
        for html in cell.findall(nodes.raw):
            _link_label(app, docname, html, rows)


def _link_label(app, docname, html, rows):
    """Say in a shown verdict what the ledger thinks of the row, and link to it.

    The link stands in the details: a summary is a button already.
    """

    def linked(found):
        id, corrected, rest = found.groups(default="")
        page = "book/errata" if id.startswith("E") else "book/claims"
        uri = app.builder.get_relative_uri(docname, page)
        printed = rows[id].fields.get("verdict") if id in rows else None
        if printed in ("wrong", "loose", "typo") and not corrected:
            corrected = f", {printed} as printed"
        return (
            f"<small>{id}{corrected} · {rest}</summary>"
            f'<p><a class="claim-link" href="{uri}#{_target(id)}">{id} in the ledger</a></p>'
        )

    new = _LABEL.sub(linked, html.astext())
    if new != html.astext():
        html.children = [nodes.Text(new)]
        html.rawsource = new


class Audit(SphinxDirective):
    """What a chapter's checks confirm, by what, and against which rival."""

    def run(self):
        notebook = Path(self.env.srcdir) / f"{self.env.docname}.ipynb"
        lines = ["| confirmed | how | figures and rival |", "|:--|:--|:--|"]
        for check in read_checks(notebook):
            details = check.part("details").replace("|", "\\|")
            says = check.part("says").replace("|", "\\|")
            lines.append(
                f"| {{ref}}`{says} <{check.anchor}>` "
                f"| {{claim}}`{check.id}`{check.part('corrected')}, {check.part('kind')} "
                f"| {details} |"
            )
        return self.parse_text_to_nodes("\n".join(lines))


def _claim_role(name, rawtext, text, lineno, inliner, options=None, content=()):
    from sphinx.addnodes import pending_xref

    target = _target(text)
    reference = pending_xref(
        rawtext, refdomain="std", reftype="ref", reftarget=target, refexplicit=True,
        refwarn=True, refdoc=inliner.document.settings.env.docname,
    )  # fmt: skip
    reference += nodes.inline(text, text, classes=["claim-link"])
    return [reference], []


def setup(app):
    app.connect("source-read", _fill)
    app.connect("env-get-outdated", _outdated)
    app.connect("doctree-read", _anchor_checks)
    app.add_role("claim", _claim_role)
    app.add_directive("audit", Audit)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
