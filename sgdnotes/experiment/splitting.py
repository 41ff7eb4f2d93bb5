"""Chains that are copied, with all that they remember, as they pass level after level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sgdnotes.checks import per_point

__all__ = ["Splitting", "Walkers"]


class Walkers:
    """Chains with all that they remember, and the repetition that each belongs to."""

    def __init__(self, x, memory, group):
        self.x, self.memory, self.group = x, memory, group

    def __len__(self):
        return len(self.x)

    def take(self, which):
        """Some of them, in any order and number: an array of bool or of int."""

        def rows(a):
            return np.asfortranarray(a[which])

        memory = {k: rows(v) for k, v in self.memory.items()}
        return Walkers(rows(self.x), memory, self.group[which])

    @staticmethod
    def join(parts):
        """All of several as one."""

        def together(arrays):
            return np.asfortranarray(np.concatenate(arrays))

        memory = {k: together([p.memory[k] for p in parts]) for k in parts[0].memory}
        group = np.concatenate([p.group for p in parts])
        return Walkers(together([p.x for p in parts]), memory, group)


class Splitting:
    """One stream's share of the work: some repetitions, side by side."""

    def __init__(self, dynamics, loss, noise, progress, rng):
        self.dynamics, self.loss, self.noise, self.rng = dynamics, loss, noise, rng
        self.progress, self.chain_steps, self.t = progress, 0, 0

    def score(self, x):
        """The progress of points, checked, in an array of its own."""
        found = per_point("progress", self.progress, x)
        if found.shape != (len(x),) or not np.isfinite(found).all():
            raise ValueError(f"progress must return one finite number a point, {(len(x),)}")
        return np.array(found, dtype=float)  # it may be the points themselves, which move

    def move(self, walkers):
        """One step of all; returns where their progress then is."""
        self.t += 1
        self.dynamics.step(walkers.x, walkers.memory, self.loss, self.noise, self.rng, self.t)
        self.chain_steps += len(walkers)
        return self.score(walkers.x)

    def start(self, point, per_group, groups):
        """Chains at one point that remember nothing yet."""
        shape = (per_group * groups, *([self.loss.dimension] if self.loss.dimension > 1 else []))
        x = np.asfortranarray(np.broadcast_to(np.asarray(point, dtype=float), shape))
        x = x.copy(order="F")
        group = np.repeat(np.arange(groups), per_group)
        return Walkers(x, self.dynamics.start(x), group)

    def _replace(self, walkers, lost):
        """Put a copy of a random survivor of the same repetition in the place of each lost."""
        source = np.arange(len(walkers))
        for g in np.unique(walkers.group[lost]):
            alive = np.flatnonzero((walkers.group == g) & ~lost)
            if not len(alive):
                raise ValueError("start must be in a basin, but all chains left it at once")
            source[lost & (walkers.group == g)] = self.rng.choice(
                alive, int((lost & (walkers.group == g)).sum())
            )
        return walkers.take(source)

    def settle(self, walkers, steps, absorb):
        """Many steps, those that reach `absorb` being replaced; returns progress too."""
        now = self.score(walkers.x)
        for _ in range(steps):
            now = self.move(walkers)
            lost = now >= absorb
            if lost.any():
                walkers = self._replace(walkers, lost)
                now = self.score(walkers.x)
        return walkers, now

    def exits(self, walkers, steps, edge, absorb):
        """Walkers as they leave the basin, and exits a chain and step of each repetition."""
        groups = int(walkers.group.max()) + 1
        out, (before, counts) = [], (self.score(walkers.x), np.zeros(groups))
        for _ in range(steps):
            now = self.move(walkers)
            left = (before < edge) & (now >= edge)
            if left.any():
                out.append(walkers.take(left))
                counts += np.bincount(out[-1].group, minlength=groups)
            lost = now >= absorb
            if lost.any():
                walkers = self._replace(walkers, lost)
                now = self.score(walkers.x)
            before = now
        if not counts.all():
            raise ValueError(f"steps must let every repetition leave the basin, got {steps}")
        per_group = len(walkers) // groups
        return Walkers.join(out), counts / (per_group * steps)

    def resample(self, pool, per_group, groups):
        """As many of each repetition as `per_group`, at random with replacement."""
        order = np.argsort(pool.group, kind="stable")
        ends = np.searchsorted(pool.group[order], np.arange(groups + 1))
        chosen = [order[self.rng.integers(a, b, per_group)] for a, b in pairwise(ends) if b > a]
        return pool.take(np.concatenate(chosen))

    def climb(self, walkers, edge, level):
        """Those that reach `level` before they fall below `edge`, as they reach it."""
        out, now = [], self.score(walkers.x)
        while True:
            up = now >= level
            if up.any():
                out.append(walkers.take(up))
            on = ~up & (now >= edge)
            if not on.all():
                walkers = walkers.take(on)
            if not len(walkers):
                return Walkers.join(out) if out else None
            now = self.move(walkers)

    def highest(self, walkers, edge, absorb):
        """The highest progress of each walker before it falls below `edge`."""
        now = self.score(walkers.x)
        best, who = now.copy(), np.arange(len(walkers))
        while True:
            best[who] = np.maximum(best[who], now)
            on = (now >= edge) & (now < absorb)
            walkers, who = walkers.take(on), who[on]
            if not len(walkers):
                return best
            now = self.move(walkers)
