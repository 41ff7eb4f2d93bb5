"""The front page: a sentence a chapter, and a map of which chapter needs which.

The directives {chapter-list} and {chapter-map} read `book/chapters.yml` and the
titles of the notebooks that `_toc.yml` names.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

COLUMNS = 6
WIDTH, HEIGHT, GAP_X, GAP_Y = 132, 40, 18, 34


def read_parts(root: Path) -> list[tuple[str, list[dict]]]:
    """The parts of the contents with their chapters: file, number, title, says, needs."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    told = yaml.safe_load((root / "book" / "chapters.yml").read_text("utf8"))
    known = {entry["file"]: entry for entry in told}
    parts = []
    for part in toc["parts"]:
        names = [c["file"].removeprefix("notebooks/") for c in part["chapters"]]
        chapters = [
            known[name] | {"number": int(name[:2]), "title": title(root / "notebooks" / name)}
            for name in names
            if name in known
        ]
        if chapters:
            parts.append((part["caption"], chapters))
    return parts


def title(chapter: Path) -> str:
    first = json.loads(Path(f"{chapter}.ipynb").read_text("utf8"))["cells"][0]["source"]
    return "".join(first).partition("\n")[0].removeprefix("#").strip()


def places(parts) -> dict[int, tuple[int, int]]:
    """Where each chapter's box stands: a band a part, at most so many in a row."""
    found, row = {}, 0
    for _, chapters in parts:
        for k, chapter in enumerate(chapters):
            found[chapter["number"]] = row + k // COLUMNS, k % COLUMNS
        row += 1 + (len(chapters) - 1) // COLUMNS
    return found


def draw(parts, link) -> str:
    """The map as an inline SVG; `link` gives a chapter's address."""
    at = places(parts)

    def corner(number):
        row, column = at[number]
        return column * (WIDTH + GAP_X) + 2, row * (HEIGHT + GAP_Y) + 2

    rows = 1 + max(row for row, _ in at.values())
    size = COLUMNS * (WIDTH + GAP_X) - GAP_X + 4, rows * (HEIGHT + GAP_Y) - GAP_Y + 4
    lines, boxes = [], []
    for part, (_, chapters) in enumerate(parts):
        for chapter in chapters:
            x, y = corner(chapter["number"])
            middle = x + WIDTH / 2
            for need in filter(at.__contains__, chapter["needs"]):
                fx, fy = corner(need)
                fx, tx, fy, ty = fx + WIDTH / 2, x + WIDTH / 2, fy + HEIGHT / 2, y + HEIGHT / 2
                bend = 0 if fy != ty else -GAP_Y
                lines.append(
                    f'<path d="M{fx:g},{fy:g} Q{(fx + tx) / 2:g},{(fy + ty) / 2 + bend:g} '
                    f'{tx:g},{ty:g}"/>'
                )
            boxes.append(
                f'<a href="{link(chapter)}"><rect class="part-{part}" x="{x}" y="{y}" '
                f'width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
                f'<text x="{middle:g}" y="{y + 17}">{chapter["number"]}</text>'
                f'<text x="{middle:g}" y="{y + 32}">{escape(short(chapter["title"]))}</text></a>'
            )
    return (
        f'<figure class="chapter-map"><svg viewBox="0 0 {size[0]:g} {size[1]:g}" role="group" '
        f'aria-label="Map of the chapters; a line joins a chapter to each one that it needs">'
        f"<g>{''.join(lines)}</g>{''.join(boxes)}</svg></figure>"
    )


def short(words: str) -> str:
    return words if len(words) <= 20 else words[:19].rsplit(" ", 1)[0] + " …"


class ChapterMap(SphinxDirective):
    def run(self):
        root = Path(self.env.srcdir)

        def link(chapter):
            page = f"notebooks/{chapter['file']}"
            return self.env.app.builder.get_relative_uri(self.env.docname, page)

        return [nodes.raw("", draw(read_parts(root), link), format="html")]


class ChapterList(SphinxDirective):
    def run(self):
        lines = []
        for caption, chapters in read_parts(Path(self.env.srcdir)):
            lines += [f"**{caption}**", ""]
            for c in chapters:
                needs = ", ".join(str(n) for n in c["needs"])
                after = f" *(after {needs})*" if needs else ""
                lines.append(
                    f"{c['number']}. [](../notebooks/{c['file']}.ipynb). {c['says']}{after}"
                )
            lines.append("")
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    app.add_directive("chapter-map", ChapterMap)
    app.add_directive("chapter-list", ChapterList)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
