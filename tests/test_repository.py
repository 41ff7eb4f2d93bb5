"""The files around the book agree with each other and speak of nothing but the book."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import sgdnotes

ROOT = Path(__file__).parents[1]
PROJECT_FILE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
PROJECT = PROJECT_FILE["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "book").glob("*.md")])
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:home|root|tmp|work|mnt|opt|usr|var|Users)/\w")


def text(name):
    return (ROOT / name).read_text("utf8")


def test_one_version_is_told_everywhere():
    assert PROJECT["version"] == sgdnotes.__version__ == CITATION["version"]
    assert f"## [{PROJECT['version']}]" in text("CHANGELOG.md")


def test_the_citation_has_what_its_format_asks_for():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"
    assert CITATION["title"] == "SGD as a stochastic process: an executable course companion"
    assert CITATION["authors"] == [{"name": "The sgdnotes authors"}]
    assert CITATION["license"] == ["BSD-3-Clause", "CC-BY-4.0"]
    assert CITATION["message"]


def test_both_licences_are_there_and_named():
    assert PROJECT["license"] == "BSD-3-Clause"
    for name in PROJECT["license-files"]:
        assert "the sgdnotes authors" in text(name)
        assert f"]({name})" in text("README.md")
    assert text("LICENSE").startswith("BSD 3-Clause License")
    assert "https://creativecommons.org/licenses/by/4.0/" in text("LICENSE-text")


def test_the_readme_opens_with_one_picture_and_the_two_commands():
    first_screen = text("README.md").split("\n## ")[0]
    (picture,) = re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", first_screen)
    assert len(picture[0]) >= 40
    assert (ROOT / picture[1]).is_file()
    for command in ("python3 make.py book", "python3 make.py test"):
        assert command in first_screen


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_page_names_a_path_of_one_machine(page):
    assert not MACHINE_PATH.search(page.read_text("utf8"))


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda p: p.name)
def test_links_between_the_pages_of_the_repository_arrive(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf8")):
        assert (ROOT / target).exists(), target


def test_every_dependency_has_its_reason_in_the_guide():
    guide = text("CONTRIBUTING.md").lower().replace("jupyter book", "jupyter-book")
    wanted = PROJECT["dependencies"] + [
        name for extra in PROJECT_FILE["dependency-groups"].values() for name in extra
    ]
    for requirement in wanted:
        assert re.split(r"[<>=!~ ;\[]", requirement)[0] in guide, requirement


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda p: p.name)
def test_a_workflow_runs_both_commands_with_no_more_rights_than_it_needs(workflow):
    told = yaml.safe_load(workflow.read_text("utf8"))
    assert told["permissions"] == {"contents": "read"}
    for command in ("python make.py book --no-open", "python make.py test"):
        assert command in workflow.read_text("utf8")


def jobs(workflow):
    return yaml.safe_load(text(f".github/workflows/{workflow}"))["jobs"]


def test_only_a_job_that_publishes_may_write():
    rights = {
        (workflow.name, name): job["permissions"]
        for workflow in WORKFLOWS
        for name, job in jobs(workflow.name).items()
        if "permissions" in job
    }
    assert rights == {
        ("book.yml", "publish"): {"contents": "write", "pages": "write", "id-token": "write"},
        ("release.yml", "publish"): {"id-token": "write"},
    }


def test_a_release_is_proved_before_it_is_published_and_keeps_no_secret():
    assert jobs("release.yml")["publish"]["needs"] == "prove"
    for workflow in WORKFLOWS:
        assert "secrets." not in workflow.read_text("utf8")


def test_every_workflow_tests_pythons_that_make_serves():
    make = text("make.py")
    oldest, newest = re.search(r"OLDEST, NEWEST = \((3, \d+)\), \((3, \d+)\)", make).groups()
    tested = jobs("book.yml")["prove"]["strategy"]["matrix"]["python"]
    assert tested == [oldest.replace(", ", "."), newest.replace(", ", ".")]


def test_binder_installs_what_a_reader_needs_and_opens_plain_notebooks():
    assert text("binder/requirements.txt") == "-r ../requirements.txt\n"
    assert "sgdbook_plain.py plain\n" in text("binder/postBuild")
    if os.name != "nt":
        assert os.access(ROOT / "binder" / "postBuild", os.X_OK)


def test_the_ci_script_can_be_run():
    assert text(".ci/run").startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text(".ci/run")
    if os.name != "nt":
        assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_every_action_is_named_by_its_commit_with_the_version_beside_it():
    used = [line.strip(" -") for w in WORKFLOWS for line in w.read_text("utf8").splitlines()]
    used = [line for line in used if line.startswith("uses:")]
    assert used
    for line in used:
        assert re.fullmatch(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line


def test_the_licence_of_every_package_is_listed_once():
    locked = re.findall(r"^([\w.-]+)==", text("requirements.txt"), re.M)
    table = text("THIRD-PARTY.md").partition("## Packages")[2].partition("\n## ")[0]
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("|")][2:]
    assert sorted(name.strip() for row in rows for name in row.split(",")) == sorted(set(locked))
