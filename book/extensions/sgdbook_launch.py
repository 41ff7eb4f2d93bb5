"""Launch buttons that point at the repository the book was built from.

A fork's book launches the fork; without a public remote there is no button.
"""

import os
import re
import subprocess


def public_repository(remote: str) -> str | None:
    """The https address of a GitHub or GitLab remote, or None."""
    found = re.fullmatch(
        r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)(github\.com|gitlab\.com)[:/](.+?)(?:\.git)?/?",
        remote.strip(),
    )
    return f"https://{found[1]}/{found[2]}" if found else None


def _remote(folder) -> str:
    if "GITHUB_REPOSITORY" in os.environ:
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        return f"{server}/{os.environ['GITHUB_REPOSITORY']}"
    command = ["git", "-C", str(folder), "config", "--get", "remote.origin.url"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return ""


def _set_buttons(app, config):
    repository = public_repository(_remote(app.srcdir))
    options = config.html_theme_options
    if repository is None:
        options["launch_buttons"] = {}
        return
    options["repository_url"] = repository
    options["repository_branch"] = os.environ.get("GITHUB_REF_NAME", "main")
    options["path_to_docs"] = ""
    options["use_repository_button"] = True
    options["use_issues_button"] = True
    if "github.com" in repository:
        options["launch_buttons"] = {
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
        }


def setup(app):
    app.connect("config-inited", _set_buttons, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
