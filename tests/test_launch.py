"""Buttons lead to where the notebook is, or are not there."""

import subprocess
from types import SimpleNamespace

import pytest
import sgdbook_launch as launch

GITHUB = (
    "GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GITHUB_REF_NAME", "GITHUB_HEAD_REF",
    "GITHUB_REF_TYPE", "SGDNOTES_PLAIN_BRANCH",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    for name in GITHUB:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/owner/repo", "https://github.com/owner/repo"),
        ("https://github.com/owner/repo.git", "https://github.com/owner/repo"),
        ("https://github.com/owner/repo/", "https://github.com/owner/repo"),
        ("https://github.com/owner/re.po.git\n", "https://github.com/owner/re.po"),
        ("git@github.com:owner/repo.git", "https://github.com/owner/repo"),
        ("ssh://git@github.com/owner/repo.git", "https://github.com/owner/repo"),
        ("git@gitlab.com:group/sub/repo.git", "https://gitlab.com/group/sub/repo"),
    ],
)
def test_a_public_remote_becomes_its_https_address(remote, address):
    assert launch.public_repository(remote) == address


@pytest.mark.parametrize("secret", ["token", "user:token", "x-access-token:abc"])
def test_a_secret_in_the_remote_never_reaches_the_page(secret):
    address = launch.public_repository(f"https://{secret}@github.com/owner/repo.git")
    assert address == "https://github.com/owner/repo"


@pytest.mark.parametrize(
    "remote",
    [
        "",
        "\n",
        "../repo",
        "/srv/git/repo.git",
        "file:///srv/git/repo.git",
        "https://git.example.org/owner/repo.git",
        "https://github.com.example.org/owner/repo",
        "https://example.org/github.com/owner/repo",
        "https://github.com/",
        "git@example.org:owner/repo.git",
        'https://github.com/a/b"><script>alert(1)</script>',
        "https://github.com/a/b c",
    ],
)
def test_another_remote_gives_no_button(remote):
    assert launch.public_repository(remote) is None


def git(folder, *command):
    subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *command],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def clone(tmp_path):
    """Makes a clone whose book lies in `folder`, on `branch`, which GitHub has or not."""

    def make(branch="main", folder=".", public=True, tracked=True):
        root = tmp_path / "clone"
        book = root / folder
        book.mkdir(parents=True)
        (root / "README.md").touch()
        (book / "_config.yml").touch()
        git(root, "init", "-q", "-b", branch)
        git(root, "add", "." if tracked else "README.md")
        git(root, "commit", "-q", "-m", "one")
        git(root, "remote", "add", "origin", "git@github.com:owner/repo.git")
        if public:
            git(root, "update-ref", f"refs/remotes/origin/{branch}", "HEAD")
        return book

    return make


@pytest.mark.parametrize("branch", ["main", "master", "spring/2026"])
@pytest.mark.parametrize("folder", [".", "course/sgd"])
def test_the_place_is_the_branch_and_the_folder_of_the_clone(clone, branch, folder):
    inside = "" if folder == "." else folder
    expected = launch.Place("https://github.com/owner/repo", branch, inside)
    assert launch.find_place(clone(branch, folder)) == expected


def test_a_branch_that_follows_another_name_is_found_by_that(clone):
    book = clone("work")
    git(book, "config", "branch.work.remote", "origin")
    git(book, "config", "branch.work.merge", "refs/heads/main")
    assert launch.find_place(book).branch == "main"


def test_a_branch_that_was_never_pushed_is_no_place(clone):
    assert launch.find_place(clone("mine", public=False)) is None


def test_a_book_unpacked_inside_another_repository_is_not_in_it(clone):
    assert launch.find_place(clone(folder="course/sgd", tracked=False)) is None


def test_a_detached_head_is_no_place(clone):
    book = clone()
    git(book, "checkout", "-q", "--detach")
    assert launch.find_place(book) is None


def test_a_folder_that_is_no_repository_is_no_place(monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert launch.find_place(tmp_path) is None


def test_the_ci_names_the_repository_and_the_branch_itself(clone, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    book = clone("other", public=False)
    assert launch.find_place(book) == launch.Place("https://github.com/someone/fork", "main", "")


@pytest.mark.parametrize(
    ("name", "value"), [("GITHUB_HEAD_REF", "topic"), ("GITHUB_REF_TYPE", "tag")]
)
def test_a_pull_request_or_a_tag_is_no_branch(clone, monkeypatch, name, value):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.setenv("GITHUB_REF_NAME", "12/merge")
    monkeypatch.setenv(name, value)
    assert launch.find_place(clone()) is None


ROOT_OF_FORK = launch.Place("https://github.com/o/r", "main", "")


def test_binder_opens_the_plain_notebook_of_the_repository():
    assert launch.links(ROOT_OF_FORK, "12-gibbs", "") == {
        "Binder": "https://mybinder.org/v2/gh/o/r/main?urlpath=lab/tree/plain/12-gibbs.ipynb"
    }


def test_a_branch_with_a_slash_is_one_word_to_binder():
    place = launch.Place("https://github.com/o/r", "spring/2026", "")
    assert "/o/r/spring%2F2026?" in launch.links(place, "12-gibbs", "")["Binder"]


def test_binder_does_not_look_into_folders():
    assert launch.links(launch.Place("https://github.com/o/r", "main", "sgd"), "x", "") == {}


def test_colab_opens_the_branch_of_plain_notebooks_where_there_is_one(monkeypatch):
    monkeypatch.setenv("SGDNOTES_PLAIN_BRANCH", "plain")
    found = launch.links(ROOT_OF_FORK, "12-gibbs", "")["Colab"]
    assert found == "https://colab.research.google.com/github/o/r/blob/plain/12-gibbs.ipynb"


def test_the_browser_runs_a_chapter_without_any_repository():
    assert launch.links(None, "12-gibbs", "../lite/notebooks/index.html") == {
        "In this browser": "../lite/notebooks/index.html?path=notebooks/12-gibbs.ipynb"
    }
    assert launch.links(None, "12-gibbs", "") == {}


@pytest.fixture
def page(tmp_path):
    """The header buttons of a page."""

    def show(pagename, place, lite=False):
        if lite:
            (tmp_path / "lite" / "notebooks").mkdir(parents=True)
            (tmp_path / launch.LITE).touch()
        scripts = []
        app = SimpleNamespace(
            outdir=tmp_path, place=place, add_js_file=lambda *a, **k: scripts.append(k["body"])
        )
        context = {"header_buttons": [], "pathto": lambda path, _: f"../{path}"}
        launch._add_buttons(app, pagename, "page.html", context, None)
        return context["header_buttons"], scripts

    return show


def test_a_page_without_a_door_has_no_rocket(page):
    assert page("notebooks/12-gibbs", None) == ([], [])
    assert page("book/notation", ROOT_OF_FORK) == ([], [])


def test_a_chapter_has_its_doors_and_a_sentence_for_those_that_a_disk_has_not(page):
    (group,), (script,) = page("notebooks/12-gibbs", ROOT_OF_FORK, lite=True)
    assert [button["text"] for button in group["buttons"]] == ["Binder", "In this browser"]
    assert launch.LITE in script
    assert "needs a web server" in script


def test_a_book_without_a_public_place_shows_no_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    config = SimpleNamespace(html_theme_options={"launch_buttons": {"binderhub_url": "x"}})
    launch._set_repository(SimpleNamespace(srcdir=tmp_path), config)
    assert config.html_theme_options == {"launch_buttons": {}}
