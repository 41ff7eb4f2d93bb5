"""Figures that move: a page with a cell tagged `explore-NAME` gets the scripts that it needs."""

from pathlib import Path

from docutils import nodes
from sgdbook_kernel import apart

TAG = "tag_explore-"
ENGINE = ("numbers", "laws", "picture")


def scripts(names):
    """The files for the explorables `names`, in the order in which they must be loaded."""
    data = ["diabetes"] if "cloud" in names else []
    return [f"explore/{name}.js" for name in (*ENGINE, *data, *names, "frame")]


def diabetes():
    """The 442 patients as a script, since a page opened from disk may not fetch a file."""
    from sklearn.datasets import load_diabetes  # a second, and not that of the build

    table = load_diabetes(scaled=False)
    mass, score = table.data[:, table.feature_names.index("bmi")].tolist(), table.target.tolist()
    return f"explore.diabetes = {{ mass: {mass}, score: {score} }};\n".replace(".0,", ",")


def write_data(target):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(diabetes(), encoding="utf8")


def _write_data(app, env, docnames):
    apart(app, write_data, Path(app.outdir) / "_static" / "explore" / "diabetes.js")


def _add(app, pagename, templatename, context, doctree):
    if doctree is None:
        return
    classes = {c for cell in doctree.findall(nodes.container) for c in cell.get("classes", ())}
    names = sorted(c.removeprefix(TAG) for c in classes if c.startswith(TAG))
    if not names:
        return
    app.add_css_file("explore/explore.css")
    for script in scripts(names):
        app.add_js_file(script, loading_method="defer")


def setup(app):
    app.connect("env-before-read-docs", _write_data, priority=900)
    app.connect("html-page-context", _add)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
