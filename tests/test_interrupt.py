"""Ctrl-C ends a simulation at once, on any number of threads."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sympy as sp

from sgdnotes.experiment import SGD, Gaussian, simulate
from sgdnotes.losses import Loss

x = sp.Symbol("x", real=True)

LONG = """
import signal, sys
import sympy as sp
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from sgdnotes.experiment import SGD, Gaussian, simulate
from sgdnotes.losses import Loss

looks, at_the_signal = [0], []
once = iter(["begun"])  # whichever thread takes it first says it

def interrupted(number, frame):
    at_the_signal.append(looks[0])
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupted)
x = sp.Symbol("x", real=True)
told = dict(start=0.0, chains=80_000, steps=10**7, rng=1)
if sys.argv[1] == "pool":
    # Its threads exist: of one that is interrupted as it starts, Python's pool loses track.
    pool, gate = ThreadPoolExecutor(2), Barrier(2)
    list(pool.map(lambda _: gate.wait(), range(2)))
    told["executor"] = pool
else:
    told["threads"] = int(sys.argv[1])

def look(points):
    looks[0] += 1
    if looks[0] >= int(sys.argv[2]):
        for word in once:
            print(word, flush=True)
    return points

try:
    simulate(SGD(0.1), Loss(x**2 / 2, x), Gaussian(1.0), observe=look, **told)
except KeyboardInterrupt:
    print(looks[0] - at_the_signal[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize("after", [1, 200])
@pytest.mark.parametrize("threads", ["1", "5", "pool"])
def test_ctrl_c_lets_no_block_take_more_than_a_few_steps(threads, after):
    command = [sys.executable, "-c", LONG, threads, str(after)]
    pipe = subprocess.PIPE
    run = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    # The run itself would take hours; a machine with much else to do is slow to begin.
    with_patience = threading.Timer(240, run.kill)
    with_patience.start()
    try:
        assert run.stdout.readline() == "begun\n"
        run.send_signal(signal.SIGINT)
        told, errors = run.communicate()
    finally:
        with_patience.cancel()
        run.kill()
    assert (run.returncode, errors) == (0, "")
    # A step takes less than a millisecond; while the flag is raised each thread takes a few.
    assert int(told) < 200


def test_an_error_in_one_block_ends_the_others_at_once():
    seen = []

    def look(points):
        seen.append(len(points))
        if len(points) == 3:
            raise ZeroDivisionError("in the last block")
        return points

    told = {"start": 0.0, "chains": 43, "steps": 10**6, "rng": 1, "block": 20}
    with pytest.raises(ZeroDivisionError, match="in the last block"):
        simulate(SGD(0.1), Loss(x**2 / 2, x), Gaussian(1.0), observe=look, threads=3, **told)
    assert len(seen) < 10**6


def test_the_users_own_pool_can_be_used_again_after_an_error():
    def look(points):
        raise ZeroDivisionError

    told = {"start": 0.0, "chains": 40, "steps": 50, "rng": 1, "block": 10}
    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(ZeroDivisionError):
            simulate(SGD(0.1), Loss(x**2, x), Gaussian(1.0), observe=look, executor=pool, **told)
        again = simulate(SGD(0.1), Loss(x**2, x), Gaussian(1.0), executor=pool, **told)
    here = simulate(SGD(0.1), Loss(x**2, x), Gaussian(1.0), threads=1, **told)
    assert np.array_equal(again.samples, here.samples)


def test_in_a_browser_there_is_neither_a_bar_nor_a_thread(monkeypatch):
    def refuse(*args, **options):
        raise RuntimeError("can't start new thread")

    told = {"start": 0.0, "chains": 40, "steps": 300, "rng": 1, "block": 10}
    here = simulate(SGD(0.1), Loss(x**2, x), Gaussian(1.0), **told)
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setattr("threading.Thread.start", refuse)
    # By the module's own name: the wing's name for it is the function's.
    monkeypatch.setattr(sys.modules["sgdnotes.experiment.simulate"], "tqdm", refuse)
    there = simulate(SGD(0.1), Loss(x**2, x), Gaussian(1.0), **told)
    assert np.array_equal(there.samples, here.samples)
