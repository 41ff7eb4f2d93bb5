#!/usr/bin/env python3
"""Build, test and edit the book. Needs Python 3.11 or newer and nothing else.

    python3 make.py book [--no-open]   build the HTML book and open it
    python3 make.py test               prove every statement in it
    python3 make.py notebooks          execute the notebooks and store their verdicts
    python3 make.py lab                open the notebooks in JupyterLab
    python3 make.py bench [--book]     measure the engine beside others, or the book's own cost
    python3 make.py clean              remove what these commands made

Each command first sets up .venv, once; the exact packages are in requirements.txt.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import webbrowser

ROOT = pathlib.Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PEERS = ROOT / "benchmarks" / ".venv"
BUILD = ROOT / "_build"
HTML = BUILD / "html"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
OLDEST = (3, 11)


def say(text):
    print(f"== {text}", flush=True)


def stop(text):
    sys.exit(f"make.py: {text}")


def run(*command, **options):
    """Run a command of the environment in the project's folder; True if it exits 0."""
    # Later entries of PATH do not matter: the environment's own tools come first.
    env = os.environ | {"PATH": os.pathsep.join([str(BIN), os.environ.get("PATH", "")])}
    env |= {"PYTHONUTF8": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    env |= options.pop("env", {})
    return subprocess.call([str(c) for c in command], cwd=ROOT, env=env, **options) == 0


def digest(*files):
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()


def notebooks():
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def set_up():
    """Make .venv with the packages of requirements.txt, unless it is there already."""
    stamp = VENV / "requirements.stamp"
    wanted = digest(ROOT / "requirements.txt", ROOT / "pyproject.toml") + f" {ROOT}"
    stamped = stamp.read_text("utf8") if stamp.exists() and PYTHON.exists() else ""
    if stamped == wanted:
        return
    # Its scripts hold their own path: in a folder that was moved, begin again.
    if not stamped.endswith(f" {ROOT}"):
        say("setting up .venv (once)")
        try:
            import ensurepip  # noqa: F401
        except ImportError:
            stop(
                "this Python has no ensurepip, so it cannot make an environment. On Debian or "
                "Ubuntu install the package python3-venv; elsewhere use the Python of python.org."
            )
        if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]):
            stop("could not make .venv; the message above says why")
    say("installing the packages of requirements.txt (a few minutes, once)")
    if not run(
        PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-q",
        "-r", "requirements.txt",
    ):  # fmt: skip
        stop(
            "the packages could not be installed. The first set-up needs a network connection "
            "to the Python package index; the message above says what failed. Run the same "
            "command again when it is there."
        )
    stamp.write_text(wanted, "utf8")


def build():
    """Build the HTML with warnings as errors."""
    sources = [*(ROOT / "sgdnotes").rglob("*.py"), *(ROOT / "book" / "extensions").glob("*.py")]
    package = digest(ROOT / "requirements.txt", *sorted(sources))
    stamp, cache = BUILD / "sgdnotes.stamp", BUILD / ".jupyter_cache"
    # The cache of executed notebooks does not notice an edit in a package.
    if not stamp.exists() or stamp.read_text() != package:
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    stamp.write_text(package)
    say("building the book (a minute or two the first time, seconds after)")
    return run(BIN / "jupyter-book", "build", "-W", "-n", "--keep-going", "-q", ".")


def book(*options):
    if not build():
        stop("the book was not built; the messages above say why")
    page = HTML / "index.html"
    say(f"the book is at {page}")
    if "--no-open" not in options:
        webbrowser.open(page.as_uri())


def test():
    pytest = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider"]
    steps = {
        "lint": lambda: run(BIN / "ruff", "check", "-q", "."),
        "format": lambda: run(BIN / "ruff", "format", "-q", "--check", "."),
        "unit tests": lambda: run(
            *pytest, "-p", "no:nbval", "-n", "2", "--ignore", "tests/test_built_book.py"
        ),
        "stored form of the notebooks": lambda: strip("--verify"),
        "every notebook executed": lambda: run(
            *pytest, "-n", "2", "--dist", "loadscope", "--nbval-lax", "--nbval-current-env",
            "--nbval-sanitize-with", "tests/nbval-sanitise.cfg", "-W", "default", "notebooks",
        ),
        "build": build,
        "the built book in a browser": lambda: run(
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
    say("every step passed")


def strip(*options):
    if not notebooks():
        return True
    return run(
        BIN / "nbstripout", "--keep-count", "--keep-id", "--extra-keys",
        "metadata.language_info cell.metadata.execution", *options, *notebooks(),
    )  # fmt: skip


def store_notebooks(*names):
    for name in names:
        if not any(n.name.startswith(name) for n in notebooks()):
            stop(f"no notebook begins with {name}")
    chosen = [n for n in notebooks() if not names or n.name.startswith(names)]
    for notebook in chosen:
        say(f"executing {notebook.name}")
        if not run(BIN / "jupyter", "execute", "--inplace", notebook):
            stop(f"{notebook.name} did not run; the message above says which cell")
    if not strip():
        stop("nbstripout failed; the message above says why")


def lab():
    if not run(PYTHON, "-c", "import jupyterlab", stderr=subprocess.DEVNULL):
        say("installing JupyterLab (once)")
        if not run(PYTHON, "-m", "pip", "install", "-q", "jupyterlab"):
            stop("JupyterLab could not be installed; it needs a network connection once")
    if not run(PYTHON, "-m", "jupyterlab", "notebooks", env={"SGDNOTES_PROGRESS": "1"}):
        stop("JupyterLab stopped; the message above says why")


def bench(*options):
    """Measure simulate beside others, in an environment of their own; or the book's cost."""
    python = PYTHON
    if "--book" not in options:
        python = PEERS / BIN.name / PYTHON.name
        set_up_peers(python)
    if not run(python, "benchmarks/run.py", *options):
        stop("the benchmark stopped; the message above says why")


def set_up_peers(python):
    """Make benchmarks/.venv; who cannot be installed is missing, and the tables say so."""
    stamp, listed = PEERS / "requirements.stamp", ROOT / "benchmarks" / "requirements.txt"
    wanted = digest(listed, ROOT / "pyproject.toml") + f" {ROOT}"
    if stamp.exists() and stamp.read_text("utf8") == wanted:
        return
    say("setting up benchmarks/.venv (once; PyTorch and JAX are large)")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
    if not run(PYTHON, "-m", "venv", PEERS) or not run(*pip, "-e", "."):
        stop("could not make benchmarks/.venv; the message above says why")
    for line in listed.read_text().splitlines():
        if not line.startswith("#") and not run(*pip, line):
            say(f"{line} could not be installed: it will be missing from the tables")
    stamp.write_text(wanted, "utf8")


def clean():
    made = (".hypothesis", ".ruff_cache", "sgdnotes.egg-info")
    for folder in (VENV, PEERS, BUILD, *(ROOT / name for name in made)):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in ROOT.rglob("__pycache__"):
        shutil.rmtree(folder, ignore_errors=True)


COMMANDS = {
    "book": book,
    "test": test,
    "notebooks": store_notebooks,
    "lab": lab,
    "bench": bench,
    "clean": clean,
}


def main(arguments):
    if sys.version_info < OLDEST:
        stop(
            f"needs Python {OLDEST[0]}.{OLDEST[1]} or newer, this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}; try python3.12 make.py"
        )
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__)
        return
    command, *options = arguments
    if command not in COMMANDS:
        stop(f"unknown command {command!r}; the commands are {', '.join(COMMANDS)}")
    allowed = {
        "book": ["--no-open"],
        "notebooks": options,
        "bench": ["--quick", "--book"],
    }.get(command, [])
    for option in options:
        if option not in allowed:
            stop(f"unknown option {option!r} for {command}")
    if command != "clean":
        set_up()
    COMMANDS[command](*options)


if __name__ == "__main__":
    main(sys.argv[1:])
