"""A fork's book launches the fork; a book without a public remote launches nothing."""

from types import SimpleNamespace

import pytest
import sgdbook_launch as launch


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
    ],
)
def test_another_remote_gives_no_button(remote):
    assert launch.public_repository(remote) is None


def buttons(monkeypatch, remote):
    monkeypatch.setattr(launch, "_remote", lambda folder: remote)
    for name in ("GITHUB_REF_NAME", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    config = SimpleNamespace(html_theme_options={"launch_buttons": {"binderhub_url": "x"}})
    launch._set_buttons(SimpleNamespace(srcdir="."), config)
    return config.html_theme_options


def test_a_book_of_a_github_fork_launches_the_fork_in_binder(monkeypatch):
    options = buttons(monkeypatch, "git@github.com:someone/fork.git")
    assert options["repository_url"] == "https://github.com/someone/fork"
    assert options["repository_branch"] == "main"
    assert options["launch_buttons"]["binderhub_url"] == "https://mybinder.org"


def test_a_book_without_a_public_remote_has_no_button(monkeypatch):
    assert buttons(monkeypatch, "/srv/git/repo.git") == {"launch_buttons": {}}


def test_the_ci_names_the_repository_itself(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    assert launch._remote(".") == "https://github.com/someone/fork"


def test_a_folder_that_is_no_repository_has_no_remote(monkeypatch, tmp_path):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert launch.public_repository(launch._remote(tmp_path)) is None
