"""An environment is made once, is whole or made anew, and never replaces somebody's folder."""

import os
import sys
import venv

import pytest

from tools import environment
from tools.environment import Environment, read_roads


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An environment that is yet to be made; `done` is what was run for it."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    for name in ("requirements.txt", "requirements-test.txt", "pyproject.toml"):
        (tmp_path / name).write_text("")
    home = Environment(tmp_path / ".venv")
    home.done, home.found = [], "3.12"

    def run(*command, **options):
        home.done.append(" ".join(map(str, command[1:])))
        home.bin.mkdir(parents=True, exist_ok=True)
        home.python.touch()
        return True

    def run_its_python(*command, **options):
        home.done.append(" ".join(map(str, command)))
        return True

    monkeypatch.setattr(environment, "run", run)
    home.run = run_its_python
    home.version = lambda: home.found if home.python.exists() else ""
    home.pip = lambda: (["python", "-m", "pip"], {})
    return home


def stopped(function, *arguments):
    with pytest.raises(SystemExit) as caught:
        function(*arguments)
    assert caught.value.code.startswith("make.py: ")
    return caught.value.code


def need(home):
    """What was run to install requirements.txt."""
    home.done.clear()
    home.need(environment.ROOT / "requirements.txt", "numpy")
    return home.done


def made(done):
    return any(command.startswith("-m venv") for command in done)


def test_an_environment_is_made_once_and_again_when_the_requirements_change(home):
    first = need(home)
    assert made(first)
    assert first[-1] == "import numpy".join(["-c ", ""])
    assert need(home) == []
    (environment.ROOT / "requirements.txt").write_text("numpy==2.0.0\n")
    assert not made(need(home))
    assert len(home.done) > 1


def test_the_second_file_is_installed_again_when_the_first_changes(home):
    second = environment.ROOT / "requirements-test.txt"
    home.need(second, "pytest")
    home.done.clear()
    home.need(second, "pytest")
    assert home.done == []
    (environment.ROOT / "requirements.txt").write_text("numpy==2.0.0\n")
    home.need(second, "pytest")
    assert home.done


def test_half_an_upgrade_is_not_taken_for_a_whole_one(home, monkeypatch):
    need(home)
    requirements = environment.ROOT / "requirements.txt"
    requirements.write_text("numpy==2.0.0\n")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(home, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        need(home)
    requirements.write_text("")
    with pytest.raises(KeyboardInterrupt):
        need(home)


def test_half_an_environment_is_made_anew(home, monkeypatch):
    honest = environment.run
    monkeypatch.setattr(environment, "run", lambda *c, **o: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        need(home)
    monkeypatch.setattr(environment, "run", honest)
    assert made(need(home))


def test_another_python_under_the_environment_is_noticed(home):
    need(home)
    home.found = "3.13"
    assert made(need(home))


def test_an_environment_whose_python_is_gone_is_made_anew(home):
    need(home)
    home.python.unlink()
    assert made(need(home))


def test_an_environment_that_was_moved_is_made_anew(home):
    need(home)
    home.mark.write_text(home.mark.read_text("utf8").replace(".venv", ".moved"), "utf8")
    assert made(need(home))


def test_an_environment_of_the_first_edition_is_made_anew(home):
    home.folder.mkdir()
    (home.folder / "requirements.stamp").write_text("")
    assert made(need(home))


def test_a_folder_that_make_did_not_make_is_left_alone(home):
    home.folder.mkdir()
    mine = home.folder / "mine.txt"
    mine.write_text("work")
    assert "make.py did not make it" in stopped(need, home)
    assert not home.remove()
    assert mine.read_text() == "work"


def test_a_folder_behind_a_link_is_left_alone(home, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "requirements.stamp").write_text("")
    home.folder.symlink_to(other)
    assert "make.py did not make it" in stopped(need, home)
    assert not home.remove()
    assert (other / "requirements.stamp").exists()


def test_a_file_in_its_place_is_left_alone(home):
    home.folder.write_text("mine")
    assert "make.py did not make it" in stopped(need, home)
    assert home.folder.read_text() == "mine"


def test_an_empty_folder_is_nobodys(home):
    home.folder.mkdir()
    assert made(need(home))
    assert home.remove()


def test_an_environment_that_cannot_be_made_is_said(home, monkeypatch):
    monkeypatch.setattr(environment, "run", lambda *c, **o: False)
    assert "could not make .venv" in stopped(need, home)


def test_a_failed_installation_blames_nothing_that_it_does_not_know(home, monkeypatch):
    monkeypatch.setattr(home, "install", lambda *a: False)
    message = stopped(need, home)
    assert "could not be installed; the message above says why" in message


def test_what_is_installed_elsewhere_is_not_taken_for_installed(home, monkeypatch):
    monkeypatch.setattr(home, "run", lambda *c, **o: c[0] != "-c")
    assert "cannot be imported" in stopped(need, home)
    assert "cannot be imported" in stopped(need, home)


@pytest.mark.parametrize(
    ("fails", "last"),
    [
        ("nothing", "-m uv pip install"),
        ("uv==", "-m pip install"),
        ("-m uv", "-m pip install"),
    ],
)
def test_pip_installs_where_uv_cannot_be_had_or_does_not_manage_it(home, monkeypatch, fails, last):
    ran = []

    def run(*command, **options):
        ran.append(" ".join(map(str, command[1:])))
        return fails not in ran[-1]

    monkeypatch.setattr(environment, "run", run)
    assert home.install("-r", "requirements.txt")
    assert ran[-1].startswith(last)
    assert ran[-1].endswith("-r requirements.txt")


def test_both_installers_are_told_the_way_to_the_packages_and_nothing_else(home, monkeypatch):
    told = []
    ways = {"index-url": "one", "extra-index-url": "two three", "find-links": "a b"}
    monkeypatch.setattr(environment, "run", lambda *c, env, **o: told.append(env) or len(told) < 2)
    home.pip = lambda: (["python", "-m", "pip"], ways)
    home.install("numpy")
    pip, uv, again = told
    assert pip == again
    assert pip["PIP_CONFIG_FILE"] == os.devnull
    assert (pip["PIP_INDEX_URL"], uv["UV_DEFAULT_INDEX"]) == ("one", "one")
    assert (pip["PIP_EXTRA_INDEX_URL"], uv["UV_INDEX"]) == ("two three", "two three")
    assert (pip["PIP_FIND_LINKS"], uv["UV_FIND_LINKS"]) == ("a b", "a,b")


def test_the_hosts_pip_installs_and_where_it_has_none_an_environment_gets_its_own(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    home, bare = Environment(tmp_path / ".venv"), Environment(tmp_path / "bare")
    for each in (home, bare):
        venv.create(each.folder)
    assert home.pip()[0] == [sys.executable, "-m", "pip", "--python", home.python]

    monkeypatch.setattr(sys, "executable", str(bare.python))
    own = [home.python, "-m", "pip"]
    with monkeypatch.context() as without:
        without.setattr(home, "run", lambda *c, **o: False)
        message = stopped(home.pip)
    assert "neither pip nor ensurepip" in message
    assert "python3-venv" in message
    assert home.pip()[0] == own
    monkeypatch.undo()
    assert home.pip()[0] == own


def test_of_pips_settings_those_of_the_way_are_read_and_the_strongest_wins():
    listed = (
        ":env:.index-url='from the shell'\n"
        "global.index-url='from a file'\n"
        "global.user='true'\nglobal.prefix='elsewhere'\ninstall.no-deps='true'\n"
        "global.extra-index-url='\\none\\ntwo'\n"
        'install.proxy="it\'s"\n'
        "freeze.timeout='10'\n"
    )
    assert read_roads(listed) == {
        "index-url": "from the shell",
        "extra-index-url": "one two",
        "proxy": "it's",
    }


def test_kernels_are_quiet_and_figures_are_the_books(home):
    need(home)
    env = home.environ(EXTRA="1")
    assert env["PATH"].startswith(str(home.bin))
    assert (home.folder / "matplotlibrc").read_text() == ""
    assert env["MATPLOTLIBRC"] == str(home.folder / "matplotlibrc")
    (config,) = (home.folder / "ipython").rglob("ipython_kernel_config.py")
    assert str(config).startswith(env["IPYTHONDIR"])
    assert env["EXTRA"] == "1"
