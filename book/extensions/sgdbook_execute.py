"""Executes the notebooks that are not in the cache on all cores, before they are read.

MyST-NB executes them one after the other. It finds these in its cache. One that
fails, if only because two kernels have picked the same port, is not there: MyST-NB
runs it again, and says why if it fails again.
"""

import logging

from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor


def _execute(app, env, docnames):
    config = env.mystnb_config
    paths = [str(env.doc2path(name)) for name in docnames]
    paths = [path for path in paths if path.endswith(".ipynb")]
    if config.execution_mode != "cache" or len(paths) < 2:
        return
    cache = get_cache(config.execution_cache_path)
    for path in paths:
        cache.add_nb_to_project(path)
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.CRITICAL)  # MyST-NB tells of failures
    load_executor("local-parallel", cache, logger).run_and_cache(
        filter_uris=paths, timeout=config.execution_timeout
    )


def setup(app):
    app.connect("env-before-read-docs", _execute)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
