"""Kernels forked from one process that has imported already what the chapters import.

An ordinary kernel takes two seconds to start and to import SymPy, Matplotlib and the rest,
a fifth of what a chapter takes in all. Only Linux forks; elsewhere kernels are ordinary.
"""

import functools
import multiprocessing
import os
import sys
import threading

from jupyter_client.manager import AsyncKernelManager
from traitlets.config import Config

FORKS = sys.platform == "linux"


def warm_up():
    """Start the process that kernels are forked from: it imports while others work."""
    if not FORKS:
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload(["sgdbook_imports"])
    here = os.path.dirname(__file__)
    settings = {
        "PYTHONPATH": os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])]),
        # Matplotlib reads this when it is imported; an ordinary kernel sets it before that.
        "MPLBACKEND": os.environ.get("MPLBACKEND", "module://matplotlib_inline.backend_inline"),
    }
    before = dict(os.environ)
    os.environ.update(settings)
    forkserver.ensure_running()
    os.environ.clear()
    os.environ.update(before)


def apart(app, work, *arguments):
    """Do `work` in a process of its own, with imports done as in kernels, while pages are read."""
    kind = "forkserver" if FORKS else "spawn"
    process = multiprocessing.get_context(kind).Process(target=work, args=arguments)
    process.start()

    def end(app, env):
        process.join()
        if process.exitcode:
            raise RuntimeError(f"{work.__module__}.{work.__name__} failed, as told above")

    app.connect("env-updated", end)


def _run(arguments, env, cwd):
    from ipykernel.kernelapp import IPKernelApp
    from matplotlib import textpath
    from matplotlib.backends import backend_agg

    # A figure has several renderers before it is shown: else each parses its formulas anew.
    parser = functools.cache(textpath.MathTextParser)
    textpath.MathTextParser = backend_agg.MathTextParser = parser
    build = multiprocessing.parent_process()
    threading.Thread(target=lambda: (build.join(), os._exit(1)), daemon=True).start()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    IPKernelApp.launch_instance(arguments, parent_handle=1)  # the thread watches, no poller


class _Child:
    """A forked process with those methods of `subprocess.Popen` that Jupyter calls."""

    stdin = stdout = stderr = None

    def __init__(self, process):
        self._process = process
        self.pid, self.kill, self.terminate = process.pid, process.kill, process.terminate

    def poll(self):
        return self._process.exitcode

    def wait(self):
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)


def meet_in(folder):
    """The settings by which a kernel and its client meet at sockets in `folder`.

    A port, which is chosen first and taken later, may be somebody else's by then.
    """
    meet = {"transport": "ipc", "ip": os.path.join(folder, "kernel")} if FORKS else {}
    return Config({"KernelManager": meet})


class KernelManager(AsyncKernelManager):
    """Jupyter's, but that it forks `python -m ipykernel_launcher` where it can."""

    async def _async_launch_kernel(self, kernel_cmd, **options):
        if not FORKS or kernel_cmd[1:3] != ["-m", "ipykernel_launcher"]:
            return await super()._async_launch_kernel(kernel_cmd, **options)
        process = multiprocessing.get_context("forkserver").Process(
            target=_run, args=(kernel_cmd[3:], options["env"], options["cwd"])
        )
        process.start()
        self.provisioner.process = _Child(process)
