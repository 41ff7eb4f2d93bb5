"""Buttons that open a chapter elsewhere, where it really is: in Binder, Colab, a browser.

They follow the repository, the branch and the folder that hold the book. A book that is
in no public repository, or on a branch that is not there, has none.

Binder builds the repository's root. Colab opens one notebook of a branch, so it needs
the branch of plain notebooks that the workflow pushes (`SGDNOTES_PLAIN_BRANCH`). The
button for the reader's own browser is there when `python3 make.py lite` has built what
it opens.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PUBLIC = re.compile(
    r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)"
    r"(?:(github\.com)[:/]([\w.-]+/[\w.-]+?)|(gitlab\.com)[:/]((?:[\w.-]+/)+[\w.-]+?))(?:\.git)?/?"
)
BINDER, COLAB = "https://mybinder.org", "https://colab.research.google.com"
LITE = "lite/notebooks/index.html"
# JupyterLite cannot run from a disk: there the button becomes a sentence.
FROM_DISK = """
addEventListener("DOMContentLoaded", () => {
  if (location.protocol !== "file:") return;
  for (const link of document.querySelectorAll('a[href*="lite/notebooks/index.html"]')) {
    const words = document.createElement("span");
    words.className = "dropdown-item-text";
    words.textContent = "Running in the browser needs a web server: see README.md.";
    link.replaceWith(words);
  }
});
"""


@dataclass(frozen=True)
class Place:
    """Where the book's sources are in public."""

    repository: str
    branch: str
    folder: str


def public_repository(remote: str) -> str | None:
    """The https address of a GitHub or GitLab remote, or None."""
    found = PUBLIC.fullmatch(remote.strip())
    return f"https://{found[1] or found[3]}/{found[2] or found[4]}" if found else None


def _git(folder, *command) -> str:
    """What git says of a folder; "" where it says nothing, or is not there."""
    try:
        told = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True)
    except OSError:
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""


def find_place(folder) -> Place | None:
    """The public repository, branch and folder that hold the book of `folder`, or None."""
    # git climbs: a book unpacked inside another repository is not in it.
    if not _git(folder, "ls-files", "--error-unmatch", "_config.yml"):
        return None
    inside = _git(folder, "rev-parse", "--show-prefix").strip("/")
    if "GITHUB_REPOSITORY" in os.environ:
        if os.environ.get("GITHUB_HEAD_REF") or os.environ.get("GITHUB_REF_TYPE") == "tag":
            return None  # a pull request's merge is on no branch
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        remote = f"{server}/{os.environ['GITHUB_REPOSITORY']}"
        branch = os.environ.get("GITHUB_REF_NAME", "")
    else:
        remote, branch = _tracked(folder)
    repository = public_repository(remote)
    return Place(repository, branch, inside) if repository and branch else None


def _tracked(folder) -> tuple[str, str]:
    """The remote and the branch there that the checked-out branch follows."""
    here = _git(folder, "symbolic-ref", "--short", "HEAD")
    name = _git(folder, "config", f"branch.{here}.remote") or "origin"
    merge = _git(folder, "config", f"branch.{here}.merge").removeprefix("refs/heads/")
    if not merge and _git(folder, "rev-parse", "--verify", f"refs/remotes/{name}/{here}"):
        merge = here
    return _git(folder, "config", "--get", f"remote.{name}.url"), merge


def _set_repository(app, config):
    options = config.html_theme_options
    options["launch_buttons"] = {}  # ours are made below
    app.place = find_place(app.srcdir)
    if app.place is None:
        return
    options["repository_url"] = app.place.repository
    options["repository_branch"] = app.place.branch
    options["path_to_docs"] = app.place.folder
    options["use_repository_button"] = True
    options["use_issues_button"] = True


def links(place, name, lite):
    """The addresses that open the plain notebook `name`, by the words of their buttons."""
    found = {}
    if place and "github.com" in place.repository:
        owner = place.repository.removeprefix("https://github.com/")
        branch = os.environ.get("SGDNOTES_PLAIN_BRANCH")
        if not place.folder:
            found["Binder"] = (
                f"{BINDER}/v2/gh/{owner}/{quote(place.branch, safe='')}"
                f"?urlpath=lab/tree/plain/{name}.ipynb"
            )
        if branch:
            found["Colab"] = f"{COLAB}/github/{owner}/blob/{branch}/{name}.ipynb"
    if lite:
        found["In this browser"] = f"{lite}?path=notebooks/{name}.ipynb"
    return found


def _add_buttons(app, pagename, templatename, context, doctree):
    if not pagename.startswith("notebooks/") or "header_buttons" not in context:
        return
    lite = context["pathto"](LITE, 1) if (Path(app.outdir) / LITE).exists() else ""
    found = links(app.place, pagename.removeprefix("notebooks/"), lite)
    if not found:
        return
    context["header_buttons"].append(
        {
            "type": "group",
            "tooltip": "Run this chapter",
            "icon": "fas fa-rocket",
            "label": "launch-buttons",
            "buttons": [
                {"type": "link", "text": words, "tooltip": f"Open in {words}", "url": url}
                for words, url in found.items()
            ],
        }
    )
    if lite:
        app.add_js_file(None, body=FROM_DISK)


def setup(app):
    app.connect("config-inited", _set_repository, priority=100)
    app.connect("html-page-context", _add_buttons, priority=800)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
