"""The book reads whole without a network: MathJax comes with it."""

import importlib.util
import shutil
from pathlib import Path


def mathjax():
    """The file of MathJax, with all that the book's equations need."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None:
        raise RuntimeError("sphinx-mathjax-offline is not installed: see requirements.txt")
    return Path(spec.origin).parent / "static" / "mathjax" / "tex-svg.js"


def _copy_mathjax(app):
    target = Path(app.outdir) / "_static" / "mathjax" / "tex-svg.js"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(mathjax(), target)


def setup(app):
    app.connect("builder-inited", _copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
