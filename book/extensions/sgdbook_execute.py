"""Executes the notebooks that are not in the cache on all cores, before they are read.

MyST-NB executes them one after the other. It finds these in its cache. One that
fails, if only because two kernels have picked the same port, is not there: MyST-NB
runs it again, and says why if it fails again.

One that wrote to standard error stops the build, and leaves the cache at its end: the
next run may be quiet, once the font is there or the setting is gone.
"""

import logging
import multiprocessing
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.executors.basic import ExecutionWorkerLocalMProc, ProcessData


def _cache(app):
    return get_cache(app.env.mystnb_config.execution_cache_path)


def _execute(app, env, docnames):
    config = env.mystnb_config
    paths = [str(env.doc2path(name)) for name in docnames]
    paths = [path for path in paths if path.endswith(".ipynb")]
    if config.execution_mode != "cache" or len(paths) < 2:
        return
    cache = _cache(app)
    for path in paths:
        cache.add_nb_to_project(path)
    # MyST-NB tells of failures.
    multiprocessing.get_logger().setLevel(logging.CRITICAL)
    waiting = [
        ProcessData(record.pk, record.uri, cache, config.execution_timeout, False)
        for record in cache.list_unexecuted(paths)
    ]
    if not waiting:
        return
    kernels = min(len(waiting), multiprocessing.cpu_count())
    print(f"   running {len(waiting)} notebooks, {kernels} at a time", flush=True)
    with multiprocessing.Pool(kernels) as pool:
        done = pool.imap_unordered(ExecutionWorkerLocalMProc(), waiting)
        for count, (_, path) in enumerate(done, start=1):
            print(f"   {count} of {len(waiting)} notebooks run: {Path(path).stem}", flush=True)
    print("   writing the pages", flush=True)


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
    app.connect("build-finished", _forget_noise)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
