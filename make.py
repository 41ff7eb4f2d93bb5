#!/usr/bin/env python3
"""Build, test and edit the book. Needs Python 3.11, 3.12, 3.13 or 3.14 and nothing else.

    python3 make.py book [--no-open]   build the HTML book and open it
    python3 make.py test               run every check in it
    python3 make.py notebooks [09 …]   execute notebooks and store their verdicts
    python3 make.py lab [--source]     open the notebooks in JupyterLab
    python3 make.py pdf                print the book as one PDF
    python3 make.py lite               add the chapters that run in the reader's browser
    python3 make.py bench [--book]     measure the engine beside others, or the book's own cost
    python3 make.py network [--quick]  measure the network of chapter 18 anew
    python3 make.py rare [--quick]     measure the splitting of chapter 19 anew
    python3 make.py seeds N [09 …]     rerun every measured check with N other seeds
    python3 make.py mutants [WORD …]   try wrong formulas, and see which check notices
    python3 make.py clean              remove what these commands made

Each command first sets up .venv, once; the exact packages are in requirements.txt.
`python3 make.py COMMAND --help` says more of one command.
"""

import contextlib
import inspect
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import webbrowser

ROOT = pathlib.Path(__file__).resolve().parent
OLDEST, NEWEST = (3, 11), (3, 14)
TESTS = ("requirements-test.txt", "pytest, nbval, playwright")

sys.path.insert(0, str(ROOT))
from tools.browser import find_browser  # noqa: E402
from tools.environment import Environment, digest  # noqa: E402
from tools.process import alone, say, stop  # noqa: E402

VENV = Environment(ROOT / ".venv")
PEERS = Environment(ROOT / "benchmarks" / ".venv")
LITE = Environment(ROOT / ".venv-lite")
BUILD = ROOT / "_build"
HTML = BUILD / "html"


def notebooks():
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def set_up(*more):
    """Make .venv with the packages of requirements.txt and of `more` such files."""
    VENV.need(ROOT / "requirements.txt", "jupyter_book.cli.main", "myst_nb", "sgdnotes")
    for extra, module in more:
        VENV.need(ROOT / extra, module)


def build():
    """Build the HTML with warnings as errors."""
    executed = digest(ROOT / "requirements.txt", *sorted((ROOT / "sgdnotes").rglob("*.py")))
    executed += VENV.version()
    read = digest(*sorted((ROOT / "book" / "extensions").glob("*.py")))
    stamp = BUILD / "sgdnotes.stamp"
    before = stamp.read_text().split() if stamp.exists() else []
    # The cache of executed notebooks does not notice an edit in a package.
    if before[:1] != [executed]:
        shutil.rmtree(BUILD / ".jupyter_cache", ignore_errors=True)
    # Sphinx warns of a page only when it reads it: after a failure it must read all.
    if before != [executed, read, "whole"]:
        shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    stamp.write_text(f"{executed} {read} begun")
    say("building the book (about two minutes the first time, seconds after)")
    done = VENV.run("-m", "tools.sphinx")
    if done:
        stamp.write_text(f"{executed} {read} whole")
    return done


def book(*options):
    """Build the HTML book in _build/html, and open it in your browser.

    --no-open   build it only
    """
    set_up()
    if not build():
        stop("the book was not built; the messages above say why")
    page = HTML / "index.html"
    say(f"the book is at {page}")
    if "--no-open" not in options:
        webbrowser.open(page.as_uri())


def test():
    """Run everything that must hold: lint, tests, every notebook, the build, the built book.

    The built book is read in Chromium or Chrome. Without one those tests are left out,
    and the last line says so; where CI is set, they fail.
    """
    set_up(TESTS)
    pytest = ["-m", "pytest", "-p", "no:cacheprovider", "-rs"]
    steps = {
        "lint": lambda: VENV.run("-m", "ruff", "check", "-q", "."),
        "format": lambda: VENV.run("-m", "ruff", "format", "-q", "--check", "."),
        "unit tests": lambda: VENV.run(
            *pytest, "-p", "no:nbval", "-n", "2", "--ignore", "tests/test_built_book.py"
        ),
        "stored form of the notebooks": lambda: VENV.run(
            "-m", "tools.store", "--check", *notebooks()
        ),
        "every notebook executed": lambda: VENV.run(
            *pytest, "-n", "2", "--dist", "loadscope", "--nbval-lax", "--nbval-current-env",
            "--nbval-sanitize-with", "tests/nbval-sanitise.cfg", "-W", "default", "notebooks",
        ),
        "build": build,
        "the built book in a browser": lambda: VENV.run(
            *pytest, "-p", "no:nbval", "-n", "2", "tests/test_built_book.py"
        ),
    }  # fmt: skip
    failed = []
    for name, step in steps.items():
        say(name)
        if not step():
            failed.append(name)
    if failed:
        stop(f"failed: {', '.join(failed)}")
    if find_browser():
        say("every step passed")
    else:
        say("every step passed, but the built book was not read: no Chromium or Chrome was found")


def choose(names):
    """The notebooks that are meant by 9, 09, 09-x or notebooks/09-x.ipynb; all for none."""
    chosen = set()
    for name in names:
        begin = pathlib.PurePath(name).name
        begin = f"{int(begin):02}-" if begin.isdecimal() else begin
        found = [n for n in notebooks() if n.name.startswith(begin)]
        if not found:
            stop(f"no notebook begins with {begin}")
        chosen.update(found)
    return sorted(chosen) if names else notebooks()


def store_notebooks(*names):
    """Execute notebooks from top to bottom and store them in their normal form.

    All of them, or those that are named: 9, 09, 09-brownian or notebooks/09-x.ipynb. One
    that fails, or that is saved by somebody else meanwhile, stays as it is.
    """
    chosen = choose(names)
    set_up()
    if not VENV.run("-m", "tools.store", *chosen):
        stop("not every notebook was stored; the messages above say which and why")


def lab(*options):
    """Open your own copies of the notebooks in JupyterLab, with the environment of the book.

    The copies are in the folder workbook: plain notebooks, without the book's markup. A
    copy that is there is never written over; delete one to get it anew.

    --source   open the sources in the folder notebooks instead, to write in the book
    """
    folder = "notebooks" if "--source" in options else "workbook"
    with alone():  # for the set-up; a session may last all day
        set_up(("requirements-lab.txt", "jupyterlab"))
        if folder == "workbook" and not VENV.run("book/extensions/sgdbook_plain.py", folder):
            stop("the plain notebooks could not be written; the message above says why")
    env = {"SGDNOTES_PROGRESS": "1"}
    if not VENV.run("-m", "jupyterlab", folder, env=env, interactive=True):
        stop("JupyterLab stopped; the message above says why")


def pdf():
    """Print the whole book as one PDF, _build/book.pdf, with Chromium or Chrome."""
    if not find_browser():
        stop("no Chromium or Chrome was found to print the book with")
    set_up(TESTS)
    if not build():
        stop("the book was not built; the messages above say why")
    say("printing the book (some minutes)")
    if not VENV.run("-m", "tools.pdf", HTML, BUILD / "book.pdf"):
        stop("the book was not printed; the message above says why")
    say(f"the book is at {BUILD / 'book.pdf'}")


def lite():
    """Add to the built book the chapters that run in the reader's browser (JupyterLite).

    They are in _build/html/lite, and each chapter gets a button. A page opened from a
    disk cannot run them: put _build/html on a web server, or try it with
    `python3 -m http.server -d _build/html`.
    """
    set_up()
    LITE.need(ROOT / "requirements-lite.txt", "jupyterlite_core, jupyterlite_pyodide_kernel")
    say("building JupyterLite")
    aside, out = BUILD / "lite", HTML / "lite"
    for folder in (aside, out):
        shutil.rmtree(folder, ignore_errors=True)
    aside.mkdir(parents=True)
    if not VENV.run("book/extensions/sgdbook_plain.py", "--lite", aside) or not LITE.run(
        "-W", "ignore", "-m", "jupyterlite_core", "build", "--lite-dir", aside,
        "--contents", aside / "files", "--output-dir", out,
        "--apps", "notebooks", "--no-sourcemaps",
        stdout=subprocess.DEVNULL, hide=("[LiteBuildApp]",),
    ):  # fmt: skip
        stop("JupyterLite was not built; the messages above say why")
    shutil.rmtree(aside)
    book("--no-open")


def may_store(*place):
    """Stop before minutes or hours of work whose result could not be stored."""
    file = ROOT.joinpath(*place)
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        stop(f"nothing was tried: {file} is not yours to write, and the result is stored there")


def bench(*options):
    """Measure simulate beside others, in an environment of their own; or the book's cost.

    --quick   try it out, and store nothing
    --book    measure the notebooks and the build instead
    """
    if "--quick" not in options:
        may_store("benchmarks", "results.json")
    set_up()
    home = VENV
    if "--book" not in options:
        home = PEERS
        set_up_peers()
    if not home.run("benchmarks/run.py", *options):
        stop("the benchmark stopped; the message above says why")


def network(*options):
    """Measure the network of chapter 18 and store what was seen; some minutes.

    --quick   the same code on a smaller network, and store nothing
    """
    if "--quick" not in options:
        may_store("notebooks", "data", "network.json")
    set_up()
    if not VENV.run("benchmarks/network.py", *options):
        stop("the measurement stopped; the message above says why")


def rare(*options):
    """Measure the error, the cost and the coverage of chapter 19's splitting; some minutes.

    --quick   the same code with fewer walkers, and store nothing
    """
    if "--quick" not in options:
        may_store("notebooks", "data", "rare.json")
    set_up()
    if not VENV.run("benchmarks/rare.py", *options):
        stop("the measurement stopped; the message above says why")


def seeds(*options):
    """Rerun every measured check with N other families of seeds: seeds N [09 …].

    Without chapters the whole book is rerun, which takes hours, and the result stored.
    What was run before, of code that has not changed since, counts: a larger N adds to it.
    """
    if not options or not options[0].isdecimal():
        stop("seeds needs the number of families, as in: python3 make.py seeds 20")
    may_store("audit", "seeds.json")
    set_up()
    count, *names = options
    chosen = [notebook.stem for notebook in choose(names)] if names else []
    if not VENV.run("audit/seeds.py", count, *chosen):
        stop("the audit stopped; the message above says why")


def mutants(*options):
    """Try the wrong formulas of audit/mutants.yml, and see which check notices each.

    All of them, which takes an hour, or those that a WORD chooses: an id, or a part of a
    file's path. One that was tried before, with the same file and the same tests, is not
    tried again. What was seen is stored.

    --anew   try those again, too
    """
    may_store("audit", "mutants.json")
    set_up(TESTS)
    if not VENV.run("audit/mutants.py", *options, interactive=True):
        stop("a wrong formula was not noticed, or not tried; the messages above say which")


def set_up_peers():
    """Make benchmarks/.venv; who cannot be installed is missing, and the tables say so."""
    listed = ROOT / "benchmarks" / "requirements.txt"
    stamp = PEERS.folder / "requirements.stamp"
    PEERS.make()
    wanted = digest(listed, ROOT / "pyproject.toml")
    if stamp.exists() and stamp.read_text("utf8") == wanted:
        return
    say("installing the packages of benchmarks/requirements.txt (once; PyTorch and JAX are large)")
    if not PEERS.install("-e", "."):
        stop("could not make benchmarks/.venv; the message above says why")
    for line in listed.read_text().splitlines():
        if not line.startswith("#") and not PEERS.install(line):
            say(f"{line} could not be installed: it will be missing from the tables")
    stamp.write_text(wanted, "utf8")


def clean():
    """Remove what these commands made: environments, the built book, caches."""
    kept = [home.name for home in (VENV, PEERS, LITE) if not home.remove()]
    made = (".hypothesis", ".ruff_cache", ".make.lock", ".jupyterlite.doit.db")
    caches = [f for name in ("__pycache__", ".ipynb_checkpoints") for f in ROOT.rglob(name)]
    for path in (BUILD, *(ROOT / name for name in made), *caches):
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path, ignore_errors=True)
            if path.exists():
                kept.append(path.relative_to(ROOT).as_posix())
    if kept:
        stop(f"not removed, since make.py did not make it or may not remove it: {', '.join(kept)}")


COMMANDS = {
    "book": book,
    "test": test,
    "notebooks": store_notebooks,
    "lab": lab,
    "pdf": pdf,
    "lite": lite,
    "bench": bench,
    "network": network,
    "rare": rare,
    "seeds": seeds,
    "mutants": mutants,
    "clean": clean,
}
OPTIONS = {
    "book": ["--no-open"], "lab": ["--source"], "bench": ["--quick", "--book"],
    "network": ["--quick"], "rare": ["--quick"], "mutants": ["--anew"],
}  # fmt: skip
FREE = ("notebooks", "seeds", "mutants")  # whose arguments are names or numbers


def main(arguments):
    version = "{}.{}".format(*sys.version_info[:2])
    if not OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        stop(
            "needs Python {}.{} to {}.{}: the exact packages of the book are made for these. "
            "This is {}; try python3.13 make.py".format(*OLDEST, *NEWEST, version)
        )
    helps = ("-h", "--help", "help")
    if not arguments or arguments[0] in helps:
        print(__doc__)
        return
    command, *options = arguments
    if command not in COMMANDS:
        stop(f"unknown command {command!r}; the commands are {', '.join(COMMANDS)}")
    if any(option in helps[:2] for option in options):
        print(f"python3 make.py {command}\n\n{inspect.getdoc(COMMANDS[command])}")
        return
    for option in options:
        known = OPTIONS.get(command, [])
        if option not in known and (command not in FREE or option.startswith("-")):
            stop(f"unknown option {option!r} for {command}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.nullcontext() if command == "lab" else alone():
            COMMANDS[command](*options)
    except KeyboardInterrupt:
        print("\nmake.py: stopped", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        stop(f"{error.strerror or error}: {error.filename}")


if __name__ == "__main__":
    main(sys.argv[1:])
