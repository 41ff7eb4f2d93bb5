"""Figures that move: a page with a cell tagged `explore-NAME` gets the scripts that it needs."""

from docutils import nodes

TAG = "tag_explore-"
ENGINE = ("numbers", "laws", "picture")


def scripts(names):
    """The files for the explorables `names`, in the order in which they must be loaded."""
    return [f"explore/{name}.js" for name in (*ENGINE, *names, "frame")]


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
    app.connect("html-page-context", _add)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
