"""The environments that make.py makes: once, from exact versions, and never over another's.

Standard library only, and readable by Python 3.8.
"""

import ast
import hashlib
import os
import shutil
import subprocess
import sys

from tools.process import ROOT, WINDOWS, environ, run, say, stop

UV = "uv==0.13.9"  # installs the same packages in a tenth of pip's time
MARK = "made-by-make.py.txt"
# What pip may be told of the way to the packages, and how uv says the same.
ROADS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "HTTPS_PROXY",
    "client-cert": "SSL_CLIENT_CERT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "cache-dir": None,
    "keyring-provider": None,
    "constraint": "UV_CONSTRAINT",
}
RANK = {"global": 0, "install": 1, ":env:": 2}  # the later wins
KERNEL = """# Kernels and their clients speak over this machine's loopback alone.
c.IPKernelApp.log_level = 40
"""


def digest(*files):
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()


class Environment:
    """A virtual environment in one folder of the project."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / ("Scripts" if WINDOWS else "bin")
        self.python = self.bin / ("python.exe" if WINDOWS else "python")
        self.mark = folder / MARK

    @property
    def name(self):
        return self.folder.relative_to(ROOT).as_posix()

    def environ(self, **more):
        """Variables for its commands: its own tools first, its own settings alone."""
        return environ(
            PATH=os.pathsep.join([str(self.bin), os.environ.get("PATH", "")]),
            IPYTHONDIR=str(self.folder / "ipython"),
            MATPLOTLIBRC=str(self.folder / "matplotlibrc"),
            **more,
        )

    def run(self, *command, **options):
        """Run its Python with these arguments; True if it exits 0."""
        env = self.environ(**options.pop("env", {}))
        return run(self.python, *command, env=env, **options)

    def version(self):
        """The version of the Python in it, or "" if none runs."""
        try:
            told = subprocess.run(
                [str(self.python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environ(),
            )
        except OSError:
            return ""
        return told.stdout.decode().strip() if told.returncode == 0 else ""

    def is_ours(self):
        """Whether make.py may empty the folder: it made it, or there is nothing in it."""
        if self.folder.is_symlink():
            return False
        if not self.folder.exists():
            return True
        if not self.folder.is_dir():
            return False
        own = (self.mark, self.folder / "requirements.stamp")
        return any(file.exists() for file in own) or not any(self.folder.iterdir())

    def remove(self):
        """Remove it, unless it is somebody else's; True if it is gone."""
        if not self.is_ours():
            return False
        shutil.rmtree(str(self.folder), ignore_errors=True)
        return not self.folder.exists()

    def label(self, version):
        # Its scripts hold their own path, and its packages belong to one Python.
        return f"made by make.py with Python {version} in {self.folder}; make.py may remove it\n"

    def make(self):
        """Make it, or leave it if it is whole."""
        version = self.version()
        if version and self.mark.exists() and self.mark.read_text("utf8") == self.label(version):
            return
        if not self.is_ours():
            stop(
                f"{self.name} is there, but make.py did not make it, so make.py leaves it alone. "
                f"Move it out of the way, and run the same command again."
            )
        say(f"making {self.name} (once)")
        self.remove()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.mark.write_text("half made by make.py, which may remove it\n", "utf8")
        except OSError as error:
            stop(f"could not make {self.name}: {error}")
        # Without pip, which takes longer to come in than all the rest: see `pip`.
        if not run(sys.executable, "-m", "venv", "--without-pip", self.folder):
            stop(f"could not make {self.name}; the message above says why")
        profile = self.folder / "ipython" / "profile_default"
        profile.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text(KERNEL, "utf8")
        (self.folder / "matplotlibrc").write_text("", "utf8")
        self.mark.write_text(self.label(self.version()), "utf8")

    def need(self, requirements, *modules):
        """Install a file of exact versions, unless it is installed; then import `modules`."""
        self.make()
        stamp = self.folder / f"{requirements.name}.stamp"
        # The first file holds versions that the later ones rest on.
        wanted = digest(ROOT / "requirements.txt", requirements, ROOT / "pyproject.toml")
        if stamp.exists() and stamp.read_text("utf8") == wanted:
            return
        if stamp.exists():
            stamp.unlink()  # half an upgrade must not be taken for a whole one
        say(f"installing the packages of {requirements.relative_to(ROOT).as_posix()} (once)")
        if not self.install("-r", requirements):
            stop(
                "the packages could not be installed; the message above says why. Set-up needs "
                "the Python package index, over a network connection or on a disk, this once."
            )
        if not self.run("-c", f"import {', '.join(modules)}"):
            stop(f"what was installed in {self.name} cannot be imported; see the message above")
        stamp.write_text(wanted, "utf8")

    def install(self, *arguments):
        """Install with uv, or with pip where uv cannot be had or does not manage it."""
        pip, roads = self.pip()
        env = {f"PIP_{name.upper().replace('-', '_')}": road for name, road in roads.items()}
        env["PIP_CONFIG_FILE"] = os.devnull
        slow = [*pip, "install", "--disable-pip-version-check", "-q"]
        # As with pip, the index that has the version is the one that is asked for it.
        quick = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_PYTHON_DOWNLOADS": "never"}
        quick.update((ROADS[name], road) for name, road in roads.items() if ROADS[name])
        quick["UV_FIND_LINKS"] = quick.get("UV_FIND_LINKS", "").replace(" ", ",")
        env, quick = self.environ(**env), self.environ(**quick)
        only = ("--no-deps", "--no-compile", "--only-binary", ":all:")  # a program, no Python
        if run(*slow, *only, UV, env=env, stderr=subprocess.DEVNULL):
            command = [self.python, "-m", "uv", "pip", "install", "--python", self.python]
            if run(*command, *arguments, env=quick, hide=(" + ", " - ", " ~ ")):
                return True
            say("uv could not install them; trying pip, which may take some minutes")
        else:
            say("uv cannot be had here; using pip, which may take some minutes")
        return run(*slow, *arguments, env=env)

    def pip(self):
        """A pip that can install into it, and the way to the packages that the user told pip.

        The pip is its own, or that of the Python that runs make.py. Where neither is
        (a Python without pip, or one before 22.3, which knows no --python), it gets one.
        """
        own, host = [self.python, "-m", "pip"], [sys.executable, "-m", "pip"]
        here = [*host, "--python", self.python]
        shown = {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
        for pip in (own, here, own):
            told = subprocess.run(
                [*map(str, pip), "--disable-pip-version-check", "config", "list"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(environ(), **shown),
            )
            if told.returncode == 0:
                break
            if pip is here and not self.run("-m", "ensurepip", stdout=subprocess.DEVNULL):
                stop(
                    "this Python has neither pip nor ensurepip, so nothing can be installed. On "
                    "Debian or Ubuntu install the package python3-venv; elsewhere use the Python "
                    "of python.org."
                )
        return pip, read_roads(told.stdout.decode("utf8", "replace"))


def read_roads(listed):
    """The settings in the output of `pip config list` that say how packages are reached."""
    rows = []
    for line in listed.splitlines():
        name, told, value = line.partition("=")
        section, _, option = name.partition(".")
        if told and section in RANK and option in ROADS:
            rows.append((RANK[section], option, " ".join(ast.literal_eval(value).split())))
    return {option: value for _, option, value in sorted(rows)}
