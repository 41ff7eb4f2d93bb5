"""Executes the notebooks that are not in the cache, and writes the pages, on all cores.

MyST-NB would execute the notebooks one after the other, each when it is read. Here a page
that is to be read waits until its notebook is in the cache, where MyST-NB finds it. One
that fails is not there: MyST-NB runs it again, and says why if it fails again.

One that wrote to standard error stops the build, and leaves the cache at its end: the
next run may be quiet, once the font is there or the setting is gone.
"""

import itertools
import logging
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_cache import get_cache
from jupyter_cache.executors.basic import ExecutionWorkerLocalMProc, ProcessData
from jupyter_cache.executors.utils import single_nb_execution
from jupyter_core.utils import ensure_event_loop
from sgdbook_kernel import KernelManager, meet_in, warm_up

# Extensions that do not say whether pages may be written side by side: they write none.
SILENT = {"sphinx_external_toc", "sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"}
CORES = os.cpu_count() or 1
POOLS = []
RUNS = {}  # by the name of the page


class _Worker(ExecutionWorkerLocalMProc):
    @staticmethod
    def execute(project_nb, data):
        with TemporaryDirectory() as folder:
            try:
                return single_nb_execution(
                    project_nb.nb,
                    cwd=str(Path(project_nb.uri).parent),
                    timeout=data.timeout,
                    allow_errors=data.allow_errors,
                    kernel_manager_class=KernelManager,
                    config=meet_in(folder),
                )
            finally:
                ensure_event_loop().close()  # the one that nbclient has made for this thread


def _cache(app):
    return get_cache(app.env.mystnb_config.execution_cache_path)


def _execute(app, env, docnames):
    config = env.mystnb_config
    pages = {str(env.doc2path(name)): name for name in docnames}
    paths = [path for path in pages if path.endswith(".ipynb")]
    if config.execution_mode != "cache" or len(paths) < 2:
        return
    cache = _cache(app)
    for path in paths:
        cache.add_nb_to_project(path)
    waiting = sorted(cache.list_unexecuted(paths), key=lambda record: record.uri)
    if not waiting:
        return
    # MyST-NB tells of failures.
    multiprocessing.get_logger().setLevel(logging.CRITICAL)
    kernels = min(len(waiting), CORES)
    print(f"   running {len(waiting)} notebooks, {kernels} at a time", flush=True)
    warm_up()
    count = itertools.count(1)

    def tell(run):
        done, (_, path) = next(count), run.result()
        print(f"   {done} of {len(waiting)} notebooks run: {Path(path).stem}", flush=True)
        if done == len(waiting):
            print("   writing the pages", flush=True)

    pool = ThreadPoolExecutor(kernels)
    POOLS.append(pool)
    for record in waiting:
        # A connection to the cache for each: one is not for several threads.
        data = ProcessData(record.pk, record.uri, _cache(app), config.execution_timeout, False)
        run = RUNS[pages[record.uri]] = pool.submit(_Worker(), data)
        run.add_done_callback(tell)


def _wait(app, docname, source):
    if docname in RUNS:
        RUNS.pop(docname).result()


def _end_runs():
    RUNS.clear()
    while POOLS:
        POOLS.pop().shutdown(cancel_futures=True)


def _share_the_writing(app, env):
    _end_runs()  # a process without threads forks well
    for name in SILENT & set(app.extensions):
        app.extensions[name].parallel_write_safe = True
    # Not earlier: some extensions cannot read side by side.
    app.parallel = 1 + CORES  # one process of them only hands out work


def _forget_noise(app, exception):
    _end_runs()
    config = getattr(app.env, "mystnb_config", None)
    if config is None or config.execution_mode != "cache":
        return
    cache = _cache(app)
    for record in cache.list_cache_records():
        cells = cache.get_cache_bundle(record.pk).nb.cells
        outputs = [o for cell in cells for o in cell.get("outputs", ())]
        if any(o.get("name") == "stderr" for o in outputs):
            cache.remove_cache(record.pk)


def setup(app):
    if not (Path(app.outdir).parent / ".jupyter_cache").exists():
        warm_up()  # while the other extensions are loaded
    app.connect("env-before-read-docs", _execute)
    app.connect("source-read", _wait)
    app.connect("env-check-consistency", _share_the_writing)
    app.connect("build-finished", _forget_noise)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
