"""Commands that run in the project's folder, whatever the user's shell is set to.

Standard library only, and readable by Python 3.8: make.py imports this before anything
is installed.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
WINDOWS = os.name == "nt"
# Settings of the user's shell that would change what is computed, drawn or tested.
FOREIGN = ("PYTHON", "PYTEST_", "PIP_", "UV_", "DASK_", "RUFF_", "SYMPY_", "TQDM_")
NAMED = {"MPLBACKEND", "MATPLOTLIBRC", "JUPYTER_PATH", "IPYTHONDIR", "SPHINXOPTS"}
# PYTHONDONTWRITEBYTECODE is not among these: uv installs sources, and where no bytecode is
# kept each of the book's kernels compiles SymPy and the rest anew, for 6 of its 9 seconds.
KEPT = {"PYTHONPYCACHEPREFIX"}


def say(text):
    print(f"== {text}", flush=True)


def stop(text):
    sys.exit(f"make.py: {text}")


def environ(**more):
    """The user's environment variables, without those that change the result."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not (name in NAMED or name.startswith(FOREIGN))
    }
    kept.update(PYTHONUTF8="1", PYTHONNOUSERSITE="1", PYDEVD_DISABLE_FILE_VALIDATION="1")
    # The matrices are small and the kernels several: more threads of BLAS would wait for each
    # other in loops that keep the cores from working, for a fifth of the time.
    kept.setdefault("OPENBLAS_NUM_THREADS", "1")
    kept.update(JUPYTER_PREFER_ENV_PATH="1", **more)
    return kept


def run(*command, env=None, hide=(), interactive=False, **options):
    """Run a command in the project's folder; True if it exits 0.

    On Ctrl-C the command and all that it started are ended. One that is `interactive`
    has the terminal to itself and hears Ctrl-C alone. Lines of its standard error that
    begin with one of `hide` are not shown.
    """
    if interactive:
        before = signal.signal(signal.SIGINT, lambda *_: None)
    else:
        # A group of its own: Ctrl-C reaches make.py, which ends the group.
        options.update(
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if WINDOWS
            else {"start_new_session": True}
        )
        options.setdefault("stdin", subprocess.DEVNULL)
    if hide:
        options.update(stderr=subprocess.PIPE, text=True, encoding="utf8", errors="replace")
    try:
        try:
            child = subprocess.Popen(
                [str(c) for c in command], cwd=str(ROOT), env=env or environ(), **options
            )
        except OSError as error:
            print(error, file=sys.stderr)
            return False
        try:
            with child.stderr or contextlib.nullcontext(()) as lines:
                for line in lines:
                    if not line.startswith(tuple(hide)):
                        print(line, end="", file=sys.stderr, flush=True)
            return child.wait() == 0
        except BaseException:
            end(child)
            raise
    finally:
        if interactive:
            signal.signal(signal.SIGINT, before)


def end(child):
    """End a command with everything in its group."""
    if WINDOWS:
        subprocess.call(
            ["taskkill", "/T", "/F", "/PID", str(child.pid)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        child.wait()
        return
    # At once: told politely, workers and kernels would each print a traceback first.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextlib.contextmanager
def alone(file=None):
    """Hold the checkout for one command; wait while another one works in it."""
    try:
        handle = os.open(str(file or ROOT / ".make.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:  # nothing can be written here, so nothing can be disturbed
        yield
        return
    try:
        told = False
        while not _take(handle):
            if not told:
                say("another command of make.py is at work in this folder; waiting for its end")
                told = True
            time.sleep(0.2)
        yield
    finally:
        os.close(handle)


def _take(handle):
    try:
        if WINDOWS:
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
