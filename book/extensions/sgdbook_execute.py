"""Executes the notebooks that are not in the cache, and writes the pages, on all cores.

MyST-NB would execute the notebooks one after the other, each when it is read. Here a page
that is to be read waits until its notebook is in the cache, where MyST-NB finds it. One
that fails is not there: MyST-NB runs it again, and says why if it fails again.

One that wrote to standard error stops the build, and leaves the cache at its end: the
next run may be quiet, once the font is there or the setting is gone.
"""

import itertools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors import utils
from jupyter_core.utils import ensure_event_loop
from myst_nb.core.execute import cache as one_by_one
from sgdbook_bench import read
from sgdbook_kernel import KernelManager, meet_in, warm_up

# Extensions that do not say whether pages may be written side by side: they write none.
SILENT = {"sphinx_external_toc", "sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"}
CORES = os.cpu_count() or 1
RUNS = {}  # by the name of the page
# MyST-NB would break a printed line that arrives in parts, where it runs a notebook itself, too.
single_nb_execution = partial(utils.single_nb_execution, coalesce_streams=True)
one_by_one.single_nb_execution = single_nb_execution


def _run(nb, path, timeout):
    with TemporaryDirectory() as folder:
        try:
            done = single_nb_execution(
                nb,
                cwd=str(Path(path).parent),
                timeout=timeout,
                allow_errors=False,
                kernel_manager_class=KernelManager,
                config=meet_in(folder),
            )
        finally:
            ensure_event_loop().close()  # the one that nbclient has made for this thread
    if done.err is not None:
        raise done.err
    return CacheBundleIn(nb, path, data={"execution_seconds": done.time})


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
    waiting = sorted(record.uri for record in cache.list_unexecuted(paths))
    if not waiting:
        return
    # The longest first, so that none is long alone at the end; and read in the same order.
    took = read(Path(app.srcdir)).get("book", {}).get("notebooks", {})
    took = {name: measured["seconds"] for name, measured in took.items()}
    waiting.sort(key=lambda path: took.get(Path(path).stem, math.inf), reverse=True)
    turn = {pages[path]: place for place, path in enumerate(waiting)}
    docnames.sort(key=lambda name: turn.get(name, -1))
    kernels = min(len(waiting), CORES)
    print(f"   running {len(waiting)} notebooks, {kernels} at a time", flush=True)
    warm_up()
    pool, count = ThreadPoolExecutor(kernels), itertools.count(1)

    def tell(path):
        done = next(count)
        print(f"   {done} of {len(waiting)} notebooks run: {Path(path).stem}", flush=True)
        if done == len(waiting):
            print("   writing the pages", flush=True)

    for path in waiting:
        nb = cache.get_project_notebook(path).nb
        run = RUNS[pages[path]] = pool.submit(_run, nb, path, config.execution_timeout)
        run.add_done_callback(lambda run, path=path: run.cancelled() or tell(path))
    pool.shutdown(wait=False)  # its threads end with their work


def _keep(app, run):
    """Put into the cache, from the one thread that has it open, what a run has returned."""
    if not run.cancelled() and run.exception() is None:
        _cache(app).cache_notebook_bundle(run.result(), check_validity=False, overwrite=True)


def _wait(app, docname, source):
    if docname in RUNS:
        _keep(app, RUNS.pop(docname))


def _end_runs(app, exception):
    for run in RUNS.values():
        run.cancel()
    while RUNS:
        _keep(app, RUNS.popitem()[1])


def _share_the_writing(app, env):
    for name in SILENT & set(app.extensions):
        app.extensions[name].parallel_write_safe = True
    # Not earlier: some extensions cannot read side by side.
    app.parallel = 1 + CORES  # one process of them only hands out work


def _forget_noise(app, exception):
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
    app.connect("env-before-read-docs", _execute)
    app.connect("source-read", _wait)
    app.connect("env-check-consistency", _share_the_writing)
    app.connect("build-finished", _end_runs)
    app.connect("build-finished", _forget_noise)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
