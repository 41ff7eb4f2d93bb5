"""make.py asks for Python alone, and says plainly what is missing."""

import ast
import contextlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools import environment, process

ROOT = Path(__file__).parents[1]
PROJECT_FILE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
PROJECT = PROJECT_FILE["project"]


def make_s_own():
    """The modules of tools that are imported before anything is installed."""
    found, new = set(), {"make.py"}
    while new:
        text = "".join((ROOT / file).read_text("utf8") for file in new)
        names = set(re.findall(r"from tools\.(\w+) import", text)) - found
        found |= names
        new = {f"tools/{name}.py" for name in names}
    return found


def fresh():
    spec = importlib.util.spec_from_file_location("make", ROOT / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make(monkeypatch):
    """A fresh copy of make.py that may not run a command or set anything up.

    It holds no lock: `make.py test`, which runs these tests, has the one of this checkout.
    """
    module = fresh()
    module.alone = contextlib.nullcontext

    def refuse(*command, **options):
        raise AssertionError(f"make.py would have run {command}")

    monkeypatch.setattr(process, "run", refuse)
    monkeypatch.setattr(environment, "run", refuse)
    module.VENV.run = module.PEERS.run = module.set_up = refuse
    module.VENV.version = lambda: "3.12"
    return module


def stopped(function, *arguments):
    """The message with which a call ends the program; its exit code is then 1."""
    with pytest.raises(SystemExit) as caught:
        function(*arguments)
    assert isinstance(caught.value.code, str)
    assert caught.value.code.startswith("make.py: ")
    return caught.value.code


FIRST = [ROOT / "make.py", *(ROOT / "tools" / f"{n}.py" for n in sorted(make_s_own()))]


@pytest.mark.parametrize("file", FIRST, ids=lambda f: f.name)
def test_make_and_what_it_imports_need_the_standard_library_alone(file):
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module.split(".")[0])
    assert found
    assert found <= sys.stdlib_module_names | {"tools"}


@pytest.mark.parametrize("file", FIRST, ids=lambda f: f.name)
def test_make_can_be_read_by_the_old_pythons_that_it_turns_away(file):
    # The message must come before any syntax that an old Python cannot read.
    ast.parse(file.read_text("utf8"), feature_version=(3, 8))


@pytest.mark.parametrize("version", [(3, 8, 20), (3, 10, 14), (3, 15, 0)])
def test_a_python_that_the_pins_cannot_serve_is_turned_away(make, monkeypatch, version):
    monkeypatch.setattr(make.sys, "version_info", version)
    message = stopped(make.main, ["book"])
    assert "needs Python 3.11 to 3.14" in message
    assert f"This is 3.{version[1]};" in message


def test_the_pythons_that_are_served_are_named_alike_everywhere(make):
    (oldest, newest) = make.OLDEST, make.NEWEST
    minors = range(oldest[1], newest[1] + 1)
    assert PROJECT["requires-python"] == f">=3.{oldest[1]}"
    words = f"{', '.join(f'3.{m}' for m in minors[:-1])} or 3.{newest[1]}"
    assert words in make.__doc__
    assert words in (ROOT / "README.md").read_text("utf8")
    named = {c.split(" :: ")[-1] for c in PROJECT["classifiers"] if ":: 3." in c}
    assert named == {f"3.{m}" for m in minors}


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


@pytest.mark.parametrize("command", sorted(fresh().COMMANDS))
def test_every_command_says_more_of_itself_and_does_nothing(make, monkeypatch, capsys, command):
    make.main([command, "--help"])
    assert f"make.py {command}" in capsys.readouterr().out


def test_every_command_is_listed_in_the_readme(make):
    for command in make.COMMANDS:
        assert f"`{command}`" in (ROOT / "README.md").read_text("utf8"), command


def test_ctrl_c_is_one_line(make, monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setitem(make.COMMANDS, "clean", interrupted)
    with pytest.raises(SystemExit) as caught:
        make.main(["clean"])
    assert caught.value.code == 130
    assert capsys.readouterr().err == "\nmake.py: stopped\n"


def test_what_cannot_be_written_is_named_without_a_traceback(make, monkeypatch):
    def refused():
        raise PermissionError(13, "Permission denied", "_build/sgdnotes.stamp")

    monkeypatch.setitem(make.COMMANDS, "clean", refused)
    assert stopped(make.main, ["clean"]) == ("make.py: Permission denied: _build/sgdnotes.stamp")


def test_a_book_that_was_not_built_is_not_opened(make, monkeypatch):
    monkeypatch.setattr(make, "set_up", lambda *more: None)
    monkeypatch.setattr(make, "build", lambda: False)
    monkeypatch.setattr(make.webbrowser, "open", lambda page: pytest.fail("opened"))
    assert "not built" in stopped(make.book)


def test_the_built_book_is_opened_unless_told_otherwise(make, monkeypatch):
    opened = []
    monkeypatch.setattr(make, "set_up", lambda *more: None)
    monkeypatch.setattr(make, "build", lambda: True)
    monkeypatch.setattr(make.webbrowser, "open", opened.append)
    make.book("--no-open")
    assert opened == []
    make.book()
    (page,) = opened
    assert page.startswith("file:")
    assert page.endswith("_build/html/index.html")


@pytest.fixture
def steps(make, monkeypatch):
    """The commands that `test` runs; they fail when the list is given `False`."""
    ran = []
    monkeypatch.setattr(make, "set_up", lambda *more: ran.append(["set up", *more[0]]))
    monkeypatch.setattr(make.VENV, "run", lambda *c, **o: ran.append([str(a) for a in c]) or True)
    monkeypatch.setattr(make, "build", lambda: ran.append(["build"]) or True)
    return ran


def test_the_test_command_runs_every_step_and_names_all_that_failed(make, steps, monkeypatch):
    monkeypatch.setattr(make.VENV, "run", lambda *c, **o: steps.append([str(a) for a in c]))
    message = stopped(make.test)
    text = " | ".join(" ".join(command) for command in steps)
    for part in (
        "ruff check", "ruff format -q --check", "pytest", "tools.store --check", "--nbval-lax",
        "--nbval-sanitize-with", "test_built_book.py", "build", "-rs",
        "set up requirements-test.txt",
    ):  # fmt: skip
        assert part in text, part
    assert "failed: lint, format" in message
    assert "build" not in message.replace("built", "")


def test_the_test_command_says_what_it_did_not_test(make, steps, monkeypatch, capsys):
    monkeypatch.setattr(make, "find_browser", lambda: "chromium")
    make.test()
    assert capsys.readouterr().out.endswith("== every step passed\n")
    monkeypatch.setattr(make, "find_browser", lambda: None)
    make.test()
    assert "the built book was not read: no Chromium" in capsys.readouterr().out


def test_a_reader_does_not_install_the_tests(make, monkeypatch):
    needed = []
    monkeypatch.setattr(make.VENV, "need", lambda file, *modules: needed.append(file.name))
    honest = fresh()
    honest.VENV.need = make.VENV.need
    honest.set_up()
    assert needed == ["requirements.txt"]


@pytest.fixture
def library(make, monkeypatch, tmp_path):
    """A project with three notebooks."""
    (tmp_path / "notebooks").mkdir()
    for name in ("01-one", "09-brownian", "10-limit"):
        (tmp_path / "notebooks" / f"{name}.ipynb").touch()
    monkeypatch.setattr(make, "ROOT", tmp_path)
    return make


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], ["01", "09", "10"]),
        (["9"], ["09"]),
        (["09"], ["09"]),
        (["1"], ["01"]),
        (["10", "1"], ["01", "10"]),
        (["09-brown"], ["09"]),
        (["notebooks/10-limit.ipynb"], ["10"]),
    ],
)
def test_notebooks_are_named_in_every_way_that_a_person_would(library, names, chosen):
    assert [notebook.name[:2] for notebook in library.choose(names)] == chosen


@pytest.mark.parametrize("name", ["99", "0", "brownian", "notebooks"])
def test_a_notebook_that_is_not_there_is_named_before_anything_is_done(library, name):
    assert "no notebook begins with" in stopped(library.store_notebooks, "09", name)


def test_the_rerun_with_other_seeds_gets_the_notebooks_that_were_named(library, monkeypatch):
    ran = []
    (library.ROOT / "audit").mkdir()
    monkeypatch.setattr(library, "set_up", lambda *more: None)
    monkeypatch.setattr(library.VENV, "run", lambda *command: ran.append(command) or True)
    library.seeds("4", "1", "notebooks/10-limit.ipynb")
    assert ran == [("audit/seeds.py", "4", "01-one", "10-limit")]


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (["seeds", "4"], "seeds.json"),
        (["mutants"], "mutants.json"),
        (["bench", "--book"], "results.json"),
        (["network"], "network.json"),
        (["rare"], "rare.json"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_could_not_be_stored_stops_before_its_work(library, monkeypatch, command, file):
    monkeypatch.setattr(library.os, "access", lambda place, mode: False)
    monkeypatch.setattr(library, "set_up", lambda *more: pytest.fail("it began to work"))
    name, *options = command
    with pytest.raises(SystemExit, match=f"{file} is not yours to write"):
        getattr(library, name)(*options)


@pytest.fixture
def project(make, monkeypatch, tmp_path):
    """A project of one source of each kind; and a file in the cache and in .doctrees."""
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(make.VENV, "run", lambda *c, **o: True)
    (tmp_path / "sgdnotes").mkdir()
    (tmp_path / "book" / "extensions").mkdir(parents=True)
    for source in ("sgdnotes/a.py", "book/extensions/b.py", "requirements.txt"):
        (tmp_path / source).write_text("one")
    return tmp_path


def left(project):
    """What the next build finds of the last one."""
    return {f.name for f in (project / "_build").iterdir() if f.is_dir()}


def filled(project):
    for name in (".jupyter_cache", ".doctrees"):
        (project / "_build" / name).mkdir(exist_ok=True)


@pytest.mark.parametrize("source", ["sgdnotes/a.py", "requirements.txt"])
def test_the_book_is_built_again_from_nothing_when_the_package_changes(make, project, source):
    assert make.build()
    filled(project)
    assert make.build()
    assert left(project) == {".jupyter_cache", ".doctrees"}
    (project / source).write_text("another")
    assert make.build()
    assert left(project) == set()


def test_another_extension_reads_every_page_again_and_runs_no_notebook(make, project):
    assert make.build()
    filled(project)
    (project / "book" / "extensions" / "b.py").write_text("another")
    assert make.build()
    assert left(project) == {".jupyter_cache"}


def test_another_python_builds_the_book_from_nothing(make, project, monkeypatch):
    assert make.build()
    filled(project)
    monkeypatch.setattr(make.VENV, "version", lambda: "3.13")
    assert make.build()
    assert left(project) == set()


def test_a_build_that_failed_reads_every_page_again(make, project, monkeypatch):
    assert make.build()
    filled(project)
    monkeypatch.setattr(make.VENV, "run", lambda *c, **o: False)
    assert not make.build()
    filled(project)
    assert not make.build()
    assert left(project) == {".jupyter_cache"}


def test_a_build_that_was_interrupted_reads_every_page_again(make, project, monkeypatch):
    def interrupted(*command, **options):
        filled(project)
        raise KeyboardInterrupt

    monkeypatch.setattr(make.VENV, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make.build()
    monkeypatch.setattr(make.VENV, "run", lambda *c, **o: True)
    assert make.build()
    assert left(project) == {".jupyter_cache"}


@pytest.fixture
def session(make, monkeypatch):
    """What `lab` runs, and whether it holds the lock then."""
    ran, held = [], []

    @contextlib.contextmanager
    def alone():
        held.append(True)
        yield
        held.pop()

    def run(*command, **options):
        ran.append((*command, bool(held)))
        return "jupyterlab" not in command

    monkeypatch.setattr(make, "alone", alone)
    monkeypatch.setattr(make, "set_up", lambda *more: None)
    monkeypatch.setattr(make.VENV, "run", run)
    return ran


def test_the_lab_opens_the_readers_own_copies_and_holds_no_lock(make, session):
    assert "JupyterLab stopped" in stopped(make.main, ["lab"])
    assert session == [
        ("book/extensions/sgdbook_plain.py", "workbook", True),
        ("-m", "jupyterlab", "workbook", False),
    ]


def test_an_author_opens_the_sources(make, session):
    assert "JupyterLab stopped" in stopped(make.main, ["lab", "--source"])
    assert session == [("-m", "jupyterlab", "notebooks", False)]


# Other forms of the book.


def test_without_a_browser_nothing_is_set_up_to_print(make, monkeypatch):
    monkeypatch.setattr(make, "find_browser", lambda: None)
    assert "no Chromium or Chrome" in stopped(make.pdf)


def test_the_browsers_chapters_are_built_before_the_pages_that_have_their_button(
    make, project, monkeypatch
):
    order = []
    monkeypatch.setattr(make, "HTML", project / "_build" / "html")
    monkeypatch.setattr(make, "set_up", lambda *more: None)
    monkeypatch.setattr(make.LITE, "need", lambda *c: None)
    monkeypatch.setattr(make.VENV, "run", lambda *c, **o: order.append(c[0]) or True)
    monkeypatch.setattr(make.LITE, "run", lambda *c, **o: order.append(c[3]) or True)
    monkeypatch.setattr(make, "book", lambda *options: order.append(options))
    (project / "_build" / "html" / "lite").mkdir(parents=True)
    (project / "_build" / "html" / "lite" / "old").touch()
    make.lite()
    assert order == ["book/extensions/sgdbook_plain.py", "jupyterlite_core", ("--no-open",)]
    assert not (project / "_build" / "html" / "lite").exists()


# The benchmark.


@pytest.fixture
def peers(make, monkeypatch, tmp_path):
    """A project with two peers, of which one cannot be installed; and what was run."""
    ran = []
    (tmp_path / "benchmarks" / ".venv").mkdir(parents=True)
    (tmp_path / "benchmarks" / "requirements.txt").write_text("# peers\ngood==1\nbad==2\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "set_up", lambda: None)
    make.PEERS = environment.Environment(tmp_path / "benchmarks" / ".venv")
    make.PEERS.make = lambda: None
    make.PEERS.install = lambda *c: not ran.append(("install", *c)) and c[-1] != "bad==2"
    make.PEERS.run = lambda *c: not ran.append(("peers", *c))
    make.VENV.run = lambda *c: not ran.append(("book", *c))
    return ran


def test_a_peer_that_cannot_be_installed_is_said_and_the_benchmark_runs(make, peers, capsys):
    make.bench("--quick")
    assert "bad==2 could not be installed" in capsys.readouterr().out
    assert peers[-1] == ("peers", "benchmarks/run.py", "--quick")


def test_the_peers_are_set_up_once_and_not_at_all_for_the_cost_of_the_book(make, peers):
    make.bench("--book")
    assert peers == [("book", "benchmarks/run.py", "--book")]
    make.bench()
    peers.clear()
    make.bench()
    assert len(peers) == 1


# The requirement files.

FILES = [f"requirements{end}.txt" for end in ("", "-test", "-lab", "-lite")]
LINES = {name: (ROOT / name).read_text("utf8").splitlines() for name in FILES}
NAMED = {
    name: [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    for name, lines in LINES.items()
}


def pins(name):
    """The versions of each package that a file names, without their conditions."""
    found = {}
    for line in NAMED[name]:
        package, equals, version = line.split(" ;")[0].partition("==")
        if equals:
            found.setdefault(package, set()).add(version)
    return found


def bare(requirement):
    return re.split(r"[<>=!~ ;\[]", requirement)[0]


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_has_an_exact_version(name):
    pinned = re.compile(r"[a-z0-9][a-z0-9._-]*==[0-9][^ ,;*]*( ; .+)?")
    assert [line for line in NAMED[name] if not pinned.fullmatch(line)] == (
        ["-e ."] if name == "requirements.txt" else []
    )


def test_the_package_itself_comes_first():
    assert NAMED["requirements.txt"][0] == "-e ."


@pytest.mark.parametrize("name", FILES)
def test_the_requirements_name_no_address(name):
    address = re.compile(r"://|--(extra-)?index-url|-i |@ ")
    assert not [line for line in LINES[name] if address.search(line)]


def test_every_dependency_is_in_the_file_of_those_who_need_it():
    groups = PROJECT_FILE["dependency-groups"]
    reader = PROJECT["dependencies"] + groups["book"]
    for name, wanted in zip(
        FILES, (reader, groups["test"], groups["lab"], groups["lite"]), strict=True
    ):
        assert {bare(requirement) for requirement in wanted} <= set(pins(name))


def test_a_reader_need_not_install_what_only_the_tests_need():
    needless = {bare(r) for r in PROJECT_FILE["dependency-groups"]["test"]} | {"jupyterlab"}
    assert not needless & set(pins("requirements.txt"))


@pytest.mark.parametrize("name", FILES[1:3])
def test_no_file_asks_for_another_version_than_the_reader_has(name):
    reader = pins("requirements.txt")
    assert {p: v for p, v in pins(name).items() if not v <= reader.get(p, v)} == {}


def test_the_installer_has_an_exact_version():
    assert re.fullmatch(r"uv==\d+\.\d+\.\d+", environment.UV)


def test_jupyter_book_stays_below_version_two():
    (pin,) = (line for line in NAMED["requirements.txt"] if line.startswith("jupyter-book=="))
    assert pin.split("==")[1].startswith("1.")


def test_binder_is_told_a_python_that_the_project_accepts():
    major, minor = re.fullmatch(
        r"python-(\d+)\.(\d+)", (ROOT / "binder" / "runtime.txt").read_text().strip()
    ).groups()
    assert (3, 11) <= (int(major), int(minor)) <= (3, 14)
