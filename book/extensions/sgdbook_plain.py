"""Plain notebooks: what the download button saves, and JupyterLab, Colab and a browser open.

A chapter is written in MyST, which only the book's own pages can show. Here its roles,
citations and directives become Markdown and links, its solutions fold, and a first cell
installs the helpers where they are missing, from the wheel that lies beside it. The
files that chapters read lie beside them, too. The code is the chapter's, to the letter.

    python book/extensions/sgdbook_plain.py FOLDER          write those that are not there yet
    python book/extensions/sgdbook_plain.py --lite FOLDER   what `jupyter lite build` is given
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copytree, rmtree

from pybtex.database import parse_file

ROOT = Path(__file__).resolve().parents[2]
OPEN = re.compile(r"^(`{3,}|:{3,})\{([\w-]+)\} *(.*)$")
ROLE = re.compile(r"\{([a-z:]+)\}`([^`]+)`")
LABELLED = re.compile(r"\$\$ *\(([\w-]+)\) *$", re.MULTILINE)
ANCHOR = re.compile(r"^\(([\w-]+)\)=[ \t]*\n+", re.MULTILINE)
PYODIDE = {"display_name": "Python (Pyodide)", "language": "python", "name": "python"}
SHOWN = re.compile(r'(<a href="[./]*plain/([^"]+)") target="_blank"')
HELPERS = """# The book's helpers, where this machine does not have them yet.
import importlib.util
import pathlib

if importlib.util.find_spec("sgdnotes") is None:
    wheel = "{wheel}"
    wheel = wheel if pathlib.Path(wheel).exists() else "{elsewhere}"
    %pip install -q $wheel"""
READS = re.compile(r"""["'](data/[\w.-]+)["']""")
FETCH = """

# The measurements that this chapter reads, where they do not lie beside it.
import pathlib
import urllib.request

for name in {names}:
    if not pathlib.Path(name).exists():
        pathlib.Path(name).parent.mkdir(exist_ok=True)
        urllib.request.urlretrieve("{site}plain/" + name, name)"""


def site():
    """The address at which the book is published, with a slash at its end; or ""."""
    address = os.environ.get("SGDNOTES_SITE", "")
    return address and address.rstrip("/") + "/"


def wheel_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    return f"{project['name']}-{project['version']}-py3-none-any.whl"


def build_wheel(out):
    """Write the package's wheel into a folder."""
    code = "import sys, flit_core.buildapi as b; b.build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", code, str(Path(out).resolve())]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def _people(entry):
    names = [" ".join(person.last_names) for person in entry.persons.get("author", ())]
    names = [re.sub(r"[{}]", "", name) for name in names] or [entry.fields.get("title", "?")]
    return names[0] + {1: "", 2: f" and {names[-1]}"}.get(len(names), " et al.")


def _address(entry):
    if "doi" in entry.fields:
        return f"https://doi.org/{entry.fields['doi']}"
    if entry.fields.get("archiveprefix", "").lower() == "arxiv":
        return f"https://arxiv.org/abs/{entry.fields['eprint']}"
    return entry.fields.get("url", "")


class Book:
    """What a role may point at: the sources, the titles of labels, the numbers of equations."""

    def __init__(self, root=ROOT):
        self.sources = parse_file(str(root / "book" / "references.bib")).entries
        self.chapters = {
            path: json.loads(path.read_text("utf8"))
            for path in sorted((root / "notebooks").glob("*.ipynb"))
        }
        self.titles, self.equations = {}, {}
        for notebook in self.chapters.values():
            text = "\n\n".join(
                "".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"
            )
            self.titles.update(re.findall(r"^\(([\w-]+)\)=\s*\n#+ (.+)$", text, re.MULTILINE))
            numbers = enumerate(LABELLED.findall(text), start=1)
            self.equations.update((label, number) for number, label in numbers)

    def role(self, found):
        kind, text = found[1], found[2]
        if kind in ("cite:t", "cite:p"):
            told = [self.source(key.strip(), kind) for key in text.split(",")]
            return ", ".join(told) if kind == "cite:t" else f"({'; '.join(told)})"
        if kind == "eq":
            return f"({self.equations[text]})"
        if kind == "claim":
            page = "errata" if text.startswith("E") else "claims"
            return self.link(text, f"book/{page}.html")
        named = re.fullmatch(r"(.*?)\s*<([^>]+)>", text)
        if kind == "ref":
            words, label = named.groups() if named else (self.titles.get(text, text), text)
            place = re.match(r"claim-|erratum-", label)
            pages = {"claim-": "book/claims.html", "erratum-": "book/errata.html"}
            return self.link(words, f"{pages[place[0]]}#{label}") if place else words
        return named[1] if named else text

    def source(self, key, kind):
        entry = self.sources[key]
        year = entry.fields.get("year", "")
        words = f"{_people(entry)} ({year})" if kind == "cite:t" else f"{_people(entry)}, {year}"
        return f"[{words}]({_address(entry)})" if _address(entry) else words

    def link(self, words, page):
        return f"[{words}]({site()}{page})" if site() else words


class Writer:
    """Turns the cells of one chapter, in order, into plain ones."""

    def __init__(self, book):
        self.book = book
        self.exercises = {}
        self.solution = ""  # the exercise whose solution is open

    def inline(self, text):
        text = ANCHOR.sub("", text)
        text = LABELLED.sub(lambda m: f"\\tag{{{self.book.equations[m[1]]}}}\n$$", text)
        # Links between chapters stay: the plain notebooks lie beside each other.
        text = re.sub(
            r"\[([^\]]+)\]\(\.\./(book/[\w-]+)\.md(#[\w-]+)?\)",
            lambda m: self.book.link(m[1], f"{m[2]}.html{m[3] or ''}"),
            text,
        )
        return ROLE.sub(self.book.role, text)

    def markdown(self, text):
        """One cell's text; while a solution is open its text is folded."""
        parts, lines = [[bool(self.solution), []]], text.split("\n")
        while lines:
            line = lines.pop(0)
            found = OPEN.match(line)
            if not found:
                parts[-1][1].append(line)
                continue
            fence, kind, title = found.groups()
            body, options = [], {}
            while lines and not lines[0].startswith(fence):
                body.append(lines.pop(0))
            lines = lines[1:]
            while body and re.match(r":[\w-]+:", body[0]):
                _, key, value = body.pop(0).split(":", 2)
                options[key] = value.strip()
            if kind == "exercise-start":
                number = len(self.exercises) + 1
                self.exercises[options.get("label", "")] = f"Exercise {number}"
                parts[-1][1].append(f"### Exercise {number}. {title}")
            elif kind in ("solution-start", "solution-end"):
                self.solution = self.exercises[title.strip()] if title else ""
                parts.append([bool(self.solution), []])
            elif kind == "dropdown":
                parts[-1][1].append(fold(title, self.markdown_of(body)))
            elif kind == "admonition":
                quoted = [f"**{title}.**", "", *self.markdown_of(body).split("\n")]
                parts[-1][1].extend(f"> {quote}".rstrip() for quote in quoted)
            elif any(body):
                raise ValueError(f"no plain form is known of the directive {kind}")
        told = []
        for folded, words in parts:
            words = self.inline("\n".join(words)).strip()
            if words:
                told.append(fold(self.heading(folded), words) if folded else words)
        return "\n\n".join(told)

    def markdown_of(self, body):
        return Writer(self.book).markdown("\n".join(body))

    def heading(self, folded):
        return f"Solution of {self.solution or list(self.exercises.values())[-1]}"

    def cell(self, cell):
        """The plain form of a cell, or None if nothing is left of it."""
        plain = {**cell, "source": "".join(cell["source"])}
        if cell["cell_type"] == "markdown":
            plain["source"] = self.markdown(plain["source"])
            return plain if plain["source"] else None
        tags = cell["metadata"].get("tags", ())
        folded = self.solution or {"hide-input", "hide-cell"} & set(tags)
        if folded:
            plain["metadata"] = {**cell["metadata"], "jupyter": {"source_hidden": True}}
        for output in plain.get("outputs", ()):
            for kind, value in output.get("data", {}).items():
                output["data"][kind] = "".join(value) if isinstance(value, list) else value
        return plain


def fold(title, text):
    return f"<details><summary><b>{title}</b></summary>\n\n{text}\n\n</details>"


def reads(notebook):
    """The files beside it that a chapter reads."""
    code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    return sorted(set(READS.findall("\n".join(code))))


def plain(book, notebook, first):
    """A plain notebook, as text, whose first cell is the code `first`."""
    writer = Writer(book)
    cells = [cell for cell in map(writer.cell, notebook["cells"]) if cell]
    if reads(notebook) and site():
        first += FETCH.format(names=reads(notebook), site=site())
    helpers = {
        "cell_type": "code", "execution_count": None, "id": "helpers",
        "metadata": {}, "outputs": [], "source": first,
    }  # fmt: skip
    told = {**notebook, "cells": [cells[0], helpers, *cells[1:]]}
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def first_cell(repository=""):
    """The cell that installs the helpers where they are missing."""
    wheel = wheel_name()
    elsewhere = f"git+{repository}" if repository else wheel
    return HELPERS.format(wheel=wheel, elsewhere=f"{site()}plain/{wheel}" if site() else elsewhere)


def write(out, first, chosen=None, keep=False):
    """Write the plain notebooks, and the files that they read, into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    copytree(ROOT / "notebooks" / "data", out / "data", dirs_exist_ok=True)
    book = Book()
    for path, notebook in book.chapters.items():
        place = out / path.name
        if (chosen is None or path.stem in chosen) and not (keep and place.exists()):
            place.write_text(plain(book, notebook, first), "utf8", newline="\n")


def write_lite(out):
    """What JupyterLite is built from: the notebooks for its kernel, and the wheel."""
    notebooks, wheels = out / "files" / "notebooks", out / "pypi"
    write(notebooks, "%pip install -q sgdnotes")
    for path in notebooks.glob("*.ipynb"):
        told = json.loads(path.read_text("utf8"))
        # Another kernel's name, and it asks which one to start.
        told["metadata"]["kernelspec"] = PYODIDE
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf8")
    wheels.mkdir()
    build_wheel(wheels)


def _write_beside_the_pages(app, exception):
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir) / "plain"
    rmtree(out, ignore_errors=True)
    chosen = {name.removeprefix("notebooks/") for name in app.env.found_docs}
    repository = app.config.html_theme_options.get("repository_url", "")
    write(out, first_cell(repository), chosen)
    build_wheel(out)
    for page in (Path(app.outdir) / "notebooks").glob("*.html"):
        text = page.read_text("utf8")
        saved = SHOWN.sub(r'\1 download="\2"', text)
        if saved != text:
            page.write_text(saved, "utf8", newline="\n")


def _download_the_plain_one(app, pagename, templatename, context, doctree):
    """The button offers the plain notebook; `_write_beside_the_pages` lets it be saved."""
    for group in context.get("header_buttons", ()):
        for button in group.get("buttons", ()):
            if button.get("label") == "download-source-button" and pagename.startswith(
                "notebooks/"
            ):
                name = pagename.removeprefix("notebooks/") + ".ipynb"
                button["url"] = f"{context['pathto']('plain', 1)}/{name}"
                button["tooltip"] = "Download the notebook"


def setup(app):
    app.connect("build-finished", _write_beside_the_pages)
    app.connect("html-page-context", _download_the_plain_one, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    if sys.argv[1] == "--lite":
        write_lite(Path(sys.argv[2]))
    else:
        write(Path(sys.argv[1]), first_cell(), keep=True)
