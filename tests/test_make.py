"""make.py asks for Python alone, and says plainly what is missing."""

import ast
import builtins
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def fresh():
    spec = importlib.util.spec_from_file_location("make", ROOT / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make():
    """A fresh copy of make.py that may not run a command or set anything up."""
    module = fresh()

    def refuse(*command, **options):
        raise AssertionError(f"make.py would have run {command}")

    module.run = module.set_up = refuse
    return module


@pytest.fixture
def unset(tmp_path, monkeypatch):
    """make.py in a folder without an environment; the commands it calls do nothing."""
    module = fresh()
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "python")
    monkeypatch.setattr(module.subprocess, "call", lambda *c, **o: 0)
    return module


def stopped(function, *arguments):
    """The message with which a call ends the program; its exit code is then 1."""
    with pytest.raises(SystemExit) as caught:
        function(*arguments)
    assert isinstance(caught.value.code, str)
    assert caught.value.code.startswith("make.py: ")
    return caught.value.code


def test_make_imports_the_standard_library_alone():
    found = set()
    for node in ast.walk(ast.parse((ROOT / "make.py").read_text("utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module.split(".")[0])
    assert found
    assert found <= sys.stdlib_module_names


def test_make_can_be_read_by_the_old_pythons_that_it_turns_away():
    # The message must come before any syntax that an old Python cannot read.
    ast.parse((ROOT / "make.py").read_text("utf8"), feature_version=(3, 8))


@pytest.mark.parametrize("version", [(3, 8, 20), (3, 10, 14)])
def test_a_python_that_is_too_old_is_turned_away_with_both_versions(make, monkeypatch, version):
    monkeypatch.setattr(make.sys, "version_info", version)
    message = stopped(make.main, ["book"])
    assert "needs Python 3.11 or newer" in message
    assert f"this is 3.{version[1]}" in message


@pytest.mark.parametrize("command", ["", "bok", "--no-open", "BOOK"])
def test_an_unknown_command_is_refused_with_the_known_ones(make, command):
    message = stopped(make.main, [command])
    assert repr(command) in message
    for known in make.COMMANDS:
        assert known in message


@pytest.mark.parametrize(
    ("command", "option"),
    [("book", "--open"), ("book", "09"), ("test", "--no-open"), ("clean", "all"), ("lab", "-v")],
)
def test_an_unknown_option_is_refused_before_anything_is_done(make, command, option):
    message = stopped(make.main, [command, option])
    assert repr(option) in message
    assert command in message


def test_a_refusal_is_an_exit_code_that_is_not_zero():
    for arguments in (["bok"], ["book", "--open"]):
        done = subprocess.run(
            [sys.executable, ROOT / "make.py", *arguments], capture_output=True, text=True
        )
        assert done.returncode != 0
        assert done.stderr.startswith("make.py: unknown")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["help"]])
def test_help_names_every_command_and_sets_nothing_up(make, capsys, arguments):
    make.main(arguments)
    shown = capsys.readouterr().out
    for command in make.COMMANDS:
        assert f"make.py {command}" in shown


def test_every_command_but_clean_sets_up_first(make, monkeypatch):
    for command in make.COMMANDS:
        done = []
        monkeypatch.setattr(make, "set_up", lambda done=done: done.append("set up"))
        monkeypatch.setitem(make.COMMANDS, command, lambda done=done: done.append("command"))
        make.main([command])
        assert done == (["command"] if command == "clean" else ["set up", "command"])


def test_a_python_without_ensurepip_is_told_the_package_that_brings_it(unset, monkeypatch):
    honest = builtins.__import__

    def without(name, *rest):
        if name == "ensurepip":
            raise ImportError(name)
        return honest(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    message = stopped(unset.set_up)
    assert "ensurepip" in message
    assert "python3-venv" in message


def test_an_environment_that_cannot_be_made_is_said(unset, monkeypatch):
    monkeypatch.setattr(unset.subprocess, "call", lambda *c, **o: 1)
    assert "could not make .venv" in stopped(unset.set_up)


def test_a_failed_installation_says_that_the_first_set_up_needs_the_network(unset, monkeypatch):
    monkeypatch.setattr(unset, "run", lambda *c, **o: False)
    message = stopped(unset.set_up)
    assert "could not be installed" in message
    assert "network" in message
    assert not (unset.VENV / "requirements.stamp").exists()


def test_the_environment_is_set_up_once_and_again_when_the_requirements_change(unset, monkeypatch):
    installed, made = [], []

    def make_venv(command):
        made.append(command)
        unset.VENV.mkdir(exist_ok=True)
        unset.PYTHON.touch()

    monkeypatch.setattr(unset.subprocess, "call", make_venv)
    monkeypatch.setattr(unset, "run", lambda *c, **o: not installed.append(c))
    unset.set_up()
    unset.set_up()
    assert (len(made), len(installed)) == (1, 1)
    (unset.ROOT / "requirements.txt").write_text("numpy==2.0.0\n")
    unset.set_up()
    assert (len(made), len(installed)) == (1, 2)
    stamp = unset.VENV / "requirements.stamp"
    stamp.write_text(stamp.read_text("utf8") + " and moved", "utf8")
    unset.set_up()
    assert (len(made), len(installed)) == (2, 3)
    assert made[0][-2:] == ["--clear", str(unset.VENV)]


def test_a_book_that_was_not_built_is_not_opened(make, monkeypatch):
    monkeypatch.setattr(make, "build", lambda: False)
    monkeypatch.setattr(make.webbrowser, "open", lambda page: pytest.fail("opened"))
    assert "not built" in stopped(make.book)


def test_the_built_book_is_opened_unless_told_otherwise(make, monkeypatch):
    opened = []
    monkeypatch.setattr(make, "build", lambda: True)
    monkeypatch.setattr(make.webbrowser, "open", opened.append)
    make.book("--no-open")
    assert opened == []
    make.book()
    (page,) = opened
    assert page.startswith("file:")
    assert page.endswith("_build/html/index.html")


def test_the_test_command_runs_every_step_and_names_all_that_failed(make, monkeypatch):
    ran = []
    monkeypatch.setattr(make, "run", lambda *c, **o: bool(ran.append([str(a) for a in c])))
    monkeypatch.setattr(make, "build", lambda: ran.append(["build"]) or True)
    message = stopped(make.test)
    text = " | ".join(" ".join(command) for command in ran)
    for part in (
        "ruff check", "ruff format -q --check", "pytest", "nbstripout", "--verify", "--nbval-lax",
        "--nbval-sanitize-with", "test_built_book.py", "build",
    ):  # fmt: skip
        assert part in text, part
    assert "failed: lint, format" in message
    assert "build" not in message.replace("built", "")


def test_the_test_command_ends_well_when_every_step_does(make, monkeypatch):
    monkeypatch.setattr(make, "run", lambda *c, **o: True)
    monkeypatch.setattr(make, "build", lambda: True)
    make.test()


def test_a_notebook_that_is_not_there_is_said(make):
    assert "no notebook begins with 99" in stopped(make.store_notebooks, "99")


def test_the_book_is_built_again_from_nothing_when_the_package_changes(make, monkeypatch, tmp_path):
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(make, "run", lambda *c, **o: True)
    package, cache = tmp_path / "sgdnotes", tmp_path / "_build" / ".jupyter_cache"
    package.mkdir()
    (tmp_path / "book" / "extensions").mkdir(parents=True)
    sources = (
        package / "a.py",
        tmp_path / "book" / "extensions" / "b.py",
        tmp_path / "requirements.txt",
    )
    for source in sources:
        source.write_text("one")
    assert make.build()
    for source in sources:
        cache.mkdir()
        assert make.build()
        assert cache.exists()
        source.write_text("another")
        assert make.build()
        assert not cache.exists()


def test_a_notebook_that_is_not_there_is_named(make, monkeypatch):
    monkeypatch.setattr(make, "run", lambda *c, **o: pytest.fail("something was executed"))
    assert "begins with 99" in stopped(make.store_notebooks, "02", "99")


def test_a_lab_that_fails_is_said(make, monkeypatch):
    monkeypatch.setattr(make, "run", lambda *c, **o: "-c" in c)
    assert "JupyterLab stopped" in stopped(make.lab)


# The benchmark.


@pytest.fixture
def peers(make, monkeypatch, tmp_path):
    """A project with two peers, of which one cannot be installed; and what was run."""
    ran = []
    (tmp_path / "benchmarks" / ".venv").mkdir(parents=True)
    (tmp_path / "benchmarks" / "requirements.txt").write_text("# peers\ngood==1\nbad==2\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "PEERS", tmp_path / "benchmarks" / ".venv")
    monkeypatch.setattr(
        make, "run", lambda *c: not ran.append([str(a) for a in c]) and c[-1] != "bad==2"
    )
    return ran


def test_a_peer_that_cannot_be_installed_is_said_and_the_benchmark_runs(make, peers, capsys):
    make.bench("--quick")
    assert "bad==2 could not be installed" in capsys.readouterr().out
    assert peers[-1][0].startswith(str(make.PEERS))
    assert peers[-1][1:] == ["benchmarks/run.py", "--quick"]


def test_the_peers_are_set_up_once_and_not_at_all_for_the_cost_of_the_book(make, peers):
    make.bench("--book")
    assert peers == [[str(make.PYTHON), "benchmarks/run.py", "--book"]]
    make.bench()
    peers.clear()
    make.bench()
    assert len(peers) == 1


# The requirement files.

LINES = (ROOT / "requirements.txt").read_text("utf8").splitlines()
NAMED = [line for line in LINES if line.strip() and not line.lstrip().startswith("#")]


def test_every_requirement_has_an_exact_version_and_the_package_itself_comes_first():
    assert NAMED[0] == "-e ."
    pinned = re.compile(r"[a-z0-9][a-z0-9._-]*==[0-9][^ ,;*]*( ; .+)?")
    assert [line for line in NAMED[1:] if not pinned.fullmatch(line)] == []


def test_the_requirements_name_no_address():
    assert not [line for line in LINES if re.search(r"://|--(extra-)?index-url|-i |@ ", line)]


def test_every_dependency_of_the_project_is_among_the_requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    wanted = project["dependencies"] + [
        name for extra in project["optional-dependencies"].values() for name in extra
    ]
    names = {line.split("==")[0] for line in NAMED}
    assert {re.split(r"[<>=!~ ;\[]", name)[0] for name in wanted} <= names


def test_jupyter_book_stays_below_version_two():
    (pin,) = (line for line in NAMED if line.startswith("jupyter-book=="))
    assert pin.split("==")[1].startswith("1.")


def test_binder_is_told_a_python_that_the_project_accepts():
    major, minor = re.fullmatch(
        r"python-(\d+)\.(\d+)", (ROOT / "runtime.txt").read_text().strip()
    ).groups()
    assert (3, 11) <= (int(major), int(minor)) <= (3, 13)
