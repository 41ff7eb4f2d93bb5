"""Commands run alike in every shell, alone in their checkout, and end when they are told."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tools import process

ROOT = Path(__file__).parents[1]
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and locks as POSIX has them")


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONSAFEPATH",
        "MPLBACKEND", "MATPLOTLIBRC", "JUPYTER_PATH", "IPYTHONDIR", "PYTEST_ADDOPTS",
        "PYTEST_PLUGINS", "PIP_USER", "PIP_PREFIX", "PIP_TARGET", "PIP_NO_DEPS", "UV_TARGET",
        "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET", "TQDM_DISABLE", "SYMPY_GROUND_TYPES",
    ],
)  # fmt: skip
def test_a_setting_of_the_shell_that_would_change_the_result_is_dropped(monkeypatch, name):
    monkeypatch.setenv(name, "something")
    assert name not in process.environ()


@pytest.mark.parametrize("name", ["HOME", "HTTPS_PROXY", "CI", "OMP_NUM_THREADS", "MPLCONFIGDIR"])
def test_other_settings_stay(monkeypatch, name):
    monkeypatch.setenv(name, "something")
    assert process.environ()[name] == "something"


def test_blas_has_one_thread_unless_the_shell_says_more(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert process.environ()["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    assert process.environ()["OPENBLAS_NUM_THREADS"] == "4"


def test_what_a_command_imports_is_compiled_once_whatever_the_shell_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    (tmp_path / "slow_to_compile.py").touch()
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import slow_to_compile"
    assert process.run(sys.executable, "-c", code)
    assert list((tmp_path / "__pycache__").iterdir())


def test_a_command_that_fails_or_is_not_there_is_false(capfd):
    assert process.run(sys.executable, "-c", "")
    assert not process.run(sys.executable, "-c", "raise SystemExit(3)")
    assert not process.run("no-such-command-anywhere")
    assert "no-such-command-anywhere" in capfd.readouterr().err


def test_lines_that_are_only_noise_are_hidden_and_the_others_shown(capfd):
    code = "import sys\nfor line in ('Resolved 3', ' + numpy', 'Installed 3'):"
    code += "\n    print(line, file=sys.stderr)"
    assert process.run(sys.executable, "-c", code, hide=(" + ",))
    assert capfd.readouterr().err == "Resolved 3\nInstalled 3\n"


def script(body):
    return [sys.executable, "-c", textwrap.dedent(body)]


def started(body, tmp_path, **options):
    """A process in the project's folder that has come so far as to print a line."""
    child = subprocess.Popen(
        script(body), cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ}, **options
    )
    return child, child.stdout.readline().strip()


# A shell that starts the tests in the background has told them to ignore SIGINT.
PARENT = """
    import signal, sys
    from tools import process
    signal.signal(signal.SIGINT, signal.default_int_handler)
    inner = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', "
    inner += "'import time; time.sleep(60)']); print(p.pid, flush=True); time.sleep(60)"
    try:
        process.run(sys.executable, "-c", inner)
    except KeyboardInterrupt:
        print("told", flush=True)
"""


def is_alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@POSIX
def test_ctrl_c_ends_a_command_with_everything_that_it_started(tmp_path):
    child, grandchild = started(PARENT, tmp_path)
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=20)
    assert out == "told\n"
    deadline = time.monotonic() + 5
    while is_alive(int(grandchild)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(int(grandchild))


ASKS = """
    import os, signal, sys
    def asked(*_):
        os.write(1, b"Shut down (y/[n])?\\n")
        sys.exit(0)
    signal.signal(signal.SIGINT, asked)
    print("ready", flush=True)
    signal.pause()
"""
INTERACTIVE = f"""
    import sys
    from tools import process
    code = {textwrap.dedent(ASKS)!r}
    print(process.run(sys.executable, "-c", code, interactive=True), flush=True)
"""


@POSIX
def test_an_interactive_command_hears_ctrl_c_itself(tmp_path):
    child, word = started(INTERACTIVE, tmp_path, start_new_session=True)
    assert word == "ready"
    os.killpg(child.pid, signal.SIGINT)
    out, _ = child.communicate(timeout=20)
    assert out == "Shut down (y/[n])?\nTrue\n"


def test_a_second_command_waits_until_the_first_has_ended(tmp_path, capfd):
    lock = tmp_path / "lock"
    body = f"""
        from pathlib import Path
        from tools import process
        with process.alone(Path({str(lock)!r})):
            print("in", flush=True)
    """
    with process.alone(lock):
        child, line = started(body, tmp_path)
        assert line.startswith("== another command of make.py is at work")
    out, _ = child.communicate(timeout=20)
    assert out == "in\n"


def test_the_lock_is_free_again_after_a_command_failed(tmp_path):
    with pytest.raises(ZeroDivisionError), process.alone(tmp_path / "lock"):
        _ = 1 / 0
    with process.alone(tmp_path / "lock"):
        pass


def test_where_nothing_can_be_written_there_is_no_lock(tmp_path):
    with process.alone(tmp_path / "no-such-folder" / "lock"):
        pass
