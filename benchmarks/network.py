"""What chapter 18 says of a network of 2410 weights, measured and stored with its seed.

    python3 make.py network            all of it, some minutes
    python3 make.py network --quick    the same code on a smaller network, not stored

The results are kept in notebooks/data/network.json: numbers as they were measured,
with errors over independent chains; what theory says of them is the chapter's.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from sgdnotes.experiment import SGD, Epochs, MiniBatch, simulate
from sgdnotes.experiment import alignment as al
from sgdnotes.experiment import training as tr
from sgdnotes.experiment.estimate import Estimate
from sgdnotes.network import Network, digits

RESULTS = Path(__file__).parents[1] / "notebooks" / "data" / "network.json"
SEED = 18
DECAY = 0.01
CHAINS = 8
RATE, BATCH = 0.1, 16


class Sizes:
    """How much is done: all of it, or a little."""

    def __init__(self, quick):
        self.quick = quick

    def __call__(self, whole, least=1):
        return max(least, whole // 150) if self.quick else whole


def networks(quick):
    """The network of the main results, and the one whose whole Hessian is computed."""
    small = Network(*digits(pooled=True), hidden=(12,), weight_decay=DECAY)
    return (small if quick else Network(*digits(), hidden=(32,), weight_decay=DECAY)), small


def minima(net, rng, size):
    """Chains trained with a falling rate from random weights, then without noise."""
    falling = SGD(lambda t: 0.4 / (1 + t / 500), batch_size=32)
    x = simulate(
        falling, net, MiniBatch(), start=net.start(CHAINS, rng), chains=CHAINS,
        steps=size(3000, 100), rng=rng, block=CHAINS // 2,
    ).samples  # fmt: skip
    return tr.descend(net, x, 0.5, size(400, 4))


def thermometer(net, start, rng, size):
    """From random weights, and settled, for four pairs of η and B."""
    told = tr.follow(net, net.start(CHAINS, rng), RATE, BATCH, size(8000), size(200), rng)
    told |= {"learning_rate": RATE, "batch_size": BATCH, "settled": []}
    for rate, batch in [(0.025, 4), (0.1, 4), (0.1, 16), (0.4, 16)]:
        steps = size(round(600 / rate), 20)
        found = tr.stationary_thermometer(
            net, start, rate, batch, steps, steps // 2, rng, looks=size(40, 2)
        )
        told["settled"].append({"learning_rate": rate, "batch_size": batch} | found)
    return told


def collapse(net, start, rng, size):
    """Plateaus on a grid in which powers of 4 of η/((1-μ)B) meet in several ways."""
    rows = []
    for rate in (0.0125, 0.05, 0.2):
        for momentum in (0.0, 0.75, 0.9375):
            for batch in (4, 16, 64):
                slow = rate / (1 - momentum)
                steps = size(min(16000, max(1500, round(200 / slow))), 8)
                try:
                    loss = tr.plateau(
                        SGD(rate, momentum, batch), net, start, steps, steps // 2, rng,
                        looks=size(25, 2),
                    )  # fmt: skip
                except ValueError:
                    loss = None
                row = {"learning_rate": rate, "momentum": momentum, "batch_size": batch}
                rows.append(row | {"loss": loss})
    return rows


def stairs(net, start, rng, size):
    told = tr.staircase(net, start, [0.4, 0.1, 0.025], BATCH, size(100, 4), 20, rng)
    return {"learning_rates": [0.4, 0.1, 0.025], "batch_size": BATCH} | told


def clocks(net, start, rng, size):
    """One ratio η/B, four learning rates; and one B, which no clock brings together."""
    first = net.start(CHAINS, rng)
    times = [1.6, 3.2, 8.0, 16.0, 40.0, 80.0][: size(6, 2)]
    same = [(0.0125, 2), (0.05, 8), (0.2, 32), (0.8, 128)]
    other = [(0.0125, 8), (0.05, 8), (0.2, 8), (0.8, 8)]
    return {
        "times": times,
        "one_ratio": {"pairs": same, "loss": tr.equal_time(net, first, same, times, rng)},
        "one_batch": {"pairs": other, "loss": tr.equal_time(net, first, other, times, rng)},
    }


def epochs(net, start, rng, size):
    """The plateau with batches drawn afresh and with epochs, at some rates and batches."""
    laws = {"with_replacement": MiniBatch(), "without": MiniBatch(replace=False),
            "reshuffled": Epochs(), "shuffled_once": Epochs("shuffled once")}  # fmt: skip
    rows = []
    for rate, batch in [(0.05, 4), (0.2, 16), (0.2, 64)]:
        steps = size(round(600 / rate), 8)
        told = {
            name: tr.plateau(
                SGD(rate, batch_size=batch), net, start, steps, steps // 2, rng, law,
                looks=size(40, 2),
            )
            for name, law in laws.items()
        }  # fmt: skip
        rows.append({"learning_rate": rate, "batch_size": batch} | told)
    return rows


def noise(net, start, rng, size):
    """Curvatures and Σ along their directions at each minimum, and kurtosis at one."""
    count = size(30, 5)
    curvatures, along_them = [], []
    for x in start:
        values, vectors = al.top_curvatures(net, x, count)
        curvatures.append(values)
        matrix = al.noise_matrix(net, x, vectors)
        along_them.append(np.diag(matrix))
    batches = [1, 4, 16, 64, 256]
    aside = np.linalg.qr(rng.standard_normal((net.dimension, 3)))[0]
    along = np.c_[vectors[:, :3], aside]
    one, drawn = al.noise_kurtosis(net, x, along, batches, size(20000, 500), rng)
    square, spread = net.gradient_moments(start)
    return {
        "curvatures": np.array(curvatures),
        "noise": np.array(along_them),
        "last_matrix": matrix,
        "total_noise": spread,
        "gradient": np.sqrt(square),
        "kurtosis": {"batch_sizes": batches, "one_example": one, "drawn": drawn},
    }


def turning(small, rng, size):
    """The current around one minimum of the small network, in planes of six eigenvectors."""
    x = minima(small, rng, size)[:1]
    x = tr.descend(small, x, 0.4, size(8000, 10))[0]
    values, vectors = np.linalg.eigh(small.hessian(x))
    values, vectors = values[::-1], vectors[:, ::-1]
    rows = []
    for rate, batch in [(0.05, 64), (0.2, 16)]:
        found = al.current(
            small, x, vectors[:, :6], rate, batch, chains=32, burn_in=size(round(100 / rate)),
            looks=size(150, 2), stride=size(round(2 / rate)), rng=rng,
        )  # fmt: skip
        rows.append({"learning_rate": rate, "batch_size": batch} | found)
    return {
        "gradient": float(np.linalg.norm(small.gradient(x))),
        "curvatures": values,
        "noise": al.noise_matrix(small, x, vectors[:, :6]),
        "runs": rows,
    }


def plain(told):
    """The results in what JSON knows, to six digits."""
    if isinstance(told, Estimate):
        return {"value": plain(told.value), "error": plain(told.standard_error)}
    if isinstance(told, dict):
        return {k: plain(v) for k, v in told.items()}
    if isinstance(told, list | tuple | np.ndarray):
        return [plain(v) for v in told]
    if isinstance(told, float | np.floating):
        return float(f"{told:.6g}")
    return told.item() if isinstance(told, np.generic) else told


def measure(quick=False):
    """All results, each part with a random stream of its own."""
    net, small = networks(quick)
    size = Sizes(quick)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(SEED).spawn(8)]
    start = minima(net, streams[0], size)
    told = {
        "seed": SEED,
        "network": {
            "widths": net.widths, "dimension": net.dimension, "examples": net.examples,
            "weight_decay": DECAY, "chains": CHAINS,
            "minimum_loss": net.value(start), "accuracy": net.accuracy(start),
            "minimum_penalty": DECAY / 2 * (start**2).sum(1),
        },
    }  # fmt: skip
    parts = {"thermometer": thermometer, "collapse": collapse, "staircase": stairs,
             "clocks": clocks, "noise": noise, "epochs": epochs}  # fmt: skip
    for (name, part), rng in zip(parts.items(), [*streams[1:6], streams[7]], strict=True):
        begun = time.process_time()
        told[name] = part(net, start, rng, size)
        print(f"== {name}: {time.process_time() - begun:.1f} s of computing", flush=True)
    told["current"] = turning(small, streams[6], size)
    return plain(told)


def main(options):
    quick = "--quick" in options
    told = measure(quick)
    if not quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(told) + "\n", "utf8")
        print(f"== stored in {RESULTS.relative_to(RESULTS.parents[2])}")


if __name__ == "__main__":
    main(sys.argv[1:])
