"""One sweep, the same bits: on threads, on processes, and on a Dask cluster that loses a worker."""

import multiprocessing
import os
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from distributed import Client, LocalCluster

from sgdnotes.experiment import SGD, MiniBatch, simulate
from sgdnotes.losses import DataLoss, Loss

x, u = sp.symbols("x u", real=True)
DATA = np.random.default_rng(1).normal(size=100)


def squares(points):
    return points**2


def squares_or_death(flag, points):
    """`squares`, except that the first process to come here dies at once."""
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return points**2
    os._exit(1)


def sweep(executor=None, observe=squares):
    """Learning rates, six blocks of chains each: every end and every average."""
    loss = DataLoss((x - u) ** 4 / 4, x, u, DATA)
    told = {"start": 0.0, "chains": 360, "steps": 60, "block": 64, "rng": 11, "burn_in": 9}
    runs = [
        simulate(
            SGD(rate, momentum=0.5, batch_size=4), loss, MiniBatch(), observe=observe,
            executor=executor, **told,
        )
        for rate in (0.01, 0.02)
    ]  # fmt: skip
    return np.array([[run.samples, run.average] for run in runs])


@pytest.fixture(scope="module")
def here():
    return sweep()


@pytest.fixture
def cluster():
    """A client of two worker processes, all of them gone afterwards."""
    others = set(multiprocessing.active_children())  # of tests before this one
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as machines,
        Client(machines) as client,
    ):
        client.wait_for_workers(2)
        yield client
        assert len(set(multiprocessing.active_children()) - others) == 2
    assert not set(multiprocessing.active_children()) - others


def test_threads_and_processes_give_the_same_bits(here):
    with ThreadPoolExecutor(2) as pool:
        assert np.array_equal(sweep(pool), here)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert np.array_equal(sweep(pool), here)


def test_a_dask_cluster_gives_the_same_bits_even_when_a_worker_dies(
    here, cluster, tmp_path, capsys
):
    executor = cluster.get_executor()
    assert np.array_equal(sweep(executor), here)

    # The lines that the book shows, on this cluster and with fewer chains and steps.
    about = (Path(__file__).parents[1] / "book" / "api.md").read_text("utf8")
    (lines,) = re.findall(r"```python\n(# A cluster of your own.*?)```", about, re.DOTALL)
    x = sp.Symbol("x", real=True)
    names = {"x": x, "Loss": Loss, "simulate": simulate}
    for shown, here_and_now in (
        (r'Client("tcp://scheduler:8786")', "client"),
        ("2**20", "9"),
        ("10_000", "9"),
    ):
        assert shown in lines
        lines = lines.replace(shown, here_and_now)
    exec(lines, {"client": cluster} | names)
    assert capsys.readouterr().out.split() == ["0.05", "0.0", "0.1", "0.0", "0.2", "0.0"]

    before = set(cluster.run(os.getpid).values())
    flag = tmp_path / "a worker has died"
    assert np.array_equal(sweep(executor, partial(squares_or_death, str(flag))), here)
    assert flag.exists()
    cluster.wait_for_workers(2)
    assert len(before & set(cluster.run(os.getpid).values())) == 1
