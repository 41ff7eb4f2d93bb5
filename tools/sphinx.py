"""Runs Jupyter Book: `python -m tools.sphinx build .`"""

import gc

if __name__ == "__main__":  # not in the kernels that are forked for it
    from jupyter_book.cli.main import main

    # A book is millions of objects that live to its end: to look for garbage among them takes
    # a fifth of the time.
    gc.set_threshold(20_000, 50, 100)
    try:
        main()
    finally:
        gc.freeze()
