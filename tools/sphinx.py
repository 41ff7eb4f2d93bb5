"""Builds the HTML with warnings as errors: `python -m tools.sphinx` in the project's folder."""

import functools
import gc
import sys
from pathlib import Path

if __name__ == "__main__":  # not in the kernels that are forked for it
    if not Path("_build/.jupyter_cache").exists():
        sys.path.append("book/extensions")
        from sgdbook_kernel import warm_up

        warm_up()  # while Sphinx is loaded
    import pybtex.plugin
    from jupyter_book.cli.main import main

    # At every citation pybtex asks anew what is installed, which takes 3 ms.
    pybtex.plugin.entry_points = functools.cache(pybtex.plugin.entry_points)
    # A book is millions of objects that live to its end. To look for garbage among them takes
    # a fifth of the time, and two seconds more when Python ends.
    gc.set_threshold(20_000, 50, 100)
    try:
        main(["build", "-W", "-n", "--keep-going", "-q", "."])
    finally:
        gc.freeze()
