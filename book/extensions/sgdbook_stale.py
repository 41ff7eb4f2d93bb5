"""Pages of renamed or removed chapters leave the built book with their sources."""

import re
from pathlib import Path

GENERATED = {"genindex", "search", "py-modindex", "index"}  # pages without a source
OTHERS = {"_images", "_sources", "_static", "_sphinx_design_static", "lite", "plain"}
OURS = {".html", ".ipynb", ".md", ".txt"}


def _remove(app, exception):
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    known = app.env.found_docs | GENERATED
    for folder in (out, out / "_sources"):
        for page in folder.rglob("*"):
            place = page.relative_to(folder)
            name = re.sub(r"(\.ipynb|\.md)?(\.txt)?$|\.html$", "", place.as_posix())
            mine = folder != out or place.parts[0] not in OTHERS
            if mine and page.suffix in OURS and page.is_file() and name not in known:
                page.unlink()


def setup(app):
    app.connect("build-finished", _remove)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
