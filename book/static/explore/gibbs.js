// Gibbs: two thousand runs of SGD in two valleys, x <- x - η (L'(x) + ξ), where ξ is normal with
// variance σ²/B.
"use strict";
(() => {
  const { Tally, Histogram, gibbs, passage, settled } = explore, RUNS = 2000, LOW = -2.7, HIGH = 2.7;
  const loss = (x) => x * x * (x * x / 4 - 0.5) + x / 10, gradient = (x) => x * (x * x - 1) + 0.1;
  const LEFT = -1.0466805318046022, TOP = 0.1010312578880195, RIGHT = 0.9456492739235914;

  function theory(rate, batch, variance) {
    const kT = (rate * variance) / batch / 2, smooth = gibbs(loss, kT, loss(LEFT));
    const walk = settled((x) => x - rate * gradient(x), rate * Math.sqrt(variance / batch), smooth.low, smooth.high);
    // How long the valleys remember in which of them the runs began: both rates of crossing together.
    const over = passage(loss, kT, LEFT, RIGHT), back = passage((x) => loss(-x), kT, -RIGHT, -LEFT);
    return { kT, gibbs: smooth.share(TOP), walk: walk.share(TOP), density: smooth.density, memory: 1 / (1 / over + 1 / back), over, back };
  }

  explore.figures.gibbs = {
    title: "Two thousand runs in two valleys",
    ask: "double the learning rate *η* and the batch size *B* together. What happens to the histogram?",
    answers: ["It spreads out", "It stays as it is", "It sinks into the valleys"],
    trial: { rate: 2, batch: 1 }, todo: "Now double both.",
    judge(before, after) {
      const ratio = after.temperature.value / before.temperature.value;
      return { right: ratio > 1.3 ? 0 : ratio < 0.75 ? 2 : 1, says: `The temperature was ${before.temperature.value.toFixed(3)} and is ${after.temperature.value.toFixed(3)}: only *ησ*²/*B* counts.` };
    },
    knobs: [
      { id: "rate", label: "learning rate *η*", values: [0.01, 0.02, 0.04, 0.08], start: 1 },
      { id: "batch", label: "batch size *B*", values: [1, 2, 4, 8], start: 0 },
      { id: "variance", label: "noise of a gradient *σ*²", values: [7.5, 15, 30], start: 2 },
    ],
    rows: [
      { id: "temperature", label: "temperature *kT* = *ησ*²/2*B*" },
      { id: "walk", label: "share on the left, these steps" },
      { id: "gibbs", label: "mean of *xL*′, for Gibbs *kT*", rule: true },
    ],
    theory,

    begin(chance) {
      const x = Float64Array.from({ length: RUNS }, (_, i) => (i % 2 ? 1 : -1));
      return { chance, x, steps: 0, heat: new Tally(RUNS), pull: new Tally(RUNS), left: new Tally(RUNS), seen: new Histogram(LOW, HIGH, 54) };
    },
    turned(s, { rate, batch, variance }) {
      Object.assign(s, { rate, kick: rate * Math.sqrt(variance / batch), law: theory(rate, batch, variance), since: 0 });
      // Five memories; or, if nobody will live to see that, what each valley needs by itself.
      s.never = s.law.memory > 60;
      s.wait = Math.ceil((s.never ? 10 : 5 * s.law.memory) / rate);
      for (const tally of [s.heat, s.pull, s.left]) tally.clear();
    },
    step(s) {
      const { x, rate, kick, chance, heat, pull, left } = s, counted = s.since >= s.wait;
      for (let i = 0; i < RUNS; i++) {
        const at = x[i], g = at * (at * at - 1) + 0.1;
        if (counted) { // E[xg] - ηE[g²]/2 is kT exactly, at any η: a step leaves E[x²] as it is
          heat.sums[i] += at * g - (rate / 2) * g * g; pull.sums[i] += at * g;
          if (at < TOP) left.sums[i]++;
        }
        x[i] = at - rate * g - kick * chance.normal();
      }
      if (counted) for (const tally of [heat, pull, left]) tally.steps++;
      s.seen.blend(x, Math.min(1, 1.5 * rate));
      s.steps++; s.since++;
    },
    pace: (s) => 5 / s.rate,
    patience: (s) => Math.min(8000, s.wait + Math.ceil(12 / s.rate)),

    read(s) {
      const heat = s.heat.estimate(), left = s.never ? {} : s.left.estimate();
      const says = s.never ? "beyond our patience" : undefined;
      const share = Math.round((100 * s.x.reduce((n, x) => n + (x < TOP), 0)) / RUNS);
      return {
        rows: {
          temperature: { theory: s.law.kT, ...heat },
          walk: { theory: s.law.walk, ...left, says },
          gibbs: { theory: s.law.kT, ...s.pull.estimate() },
        },
        waiting: s.heat.steps * s.rate < 2 ? `The runs are forgetting where they began: step ${s.since} of ${s.wait + 2 / s.rate}.` : undefined,
        note: `Gibbs’ share on the left would be ${s.law.gibbs.toFixed(3)}.` + (s.never ? ` The valleys would need about ${(s.law.memory / s.rate).toPrecision(1)} steps to forget which of them a run began in.` : ""),
        picture: `Above, the loss with a deep valley on the left and a shallow one on the right, and 2000 runs in it, ${share} per cent of them on the left. Below, the histogram of the runs and Gibbs’ density at temperature ${s.law.kT.toPrecision(3)}.`,
      };
    },

    layout: { height: 340, tall: 340, panels: (w, h) => [[46, 8, w - 10, 0.42 * h], [46, 0.42 * h + 22, w - 10, h - 38]] },
    draw(s, [above, below]) {
      above.x = below.x = [LOW, HIGH];
      above.y = [-0.6, 2.1];
      above.axes({ y: "loss L", yticks: [0, 1, 2] });
      above.curve(loss, "ink", { width: 1.5 });
      const lift = (i) => ((i * 7) % 13) / 90; // so that they do not hide each other
      above.dots(RUNS, (i) => s.x[i], (i) => loss(s.x[i]) + lift(i), "blue", { alpha: 0.35 });
      above.disc(s.x[0], loss(s.x[0]) + 0.07, "orange");
      above.label("one of them", (above.left + above.right) / 2, above.top + 10, "orange", "center");
      below.y = [0, 1.25 * Math.max(s.law.density(LEFT), s.law.density(RIGHT))];
      below.bars(s.seen, "blue");
      below.axes({ x: "parameter x", y: "density p(x)", xticks: explore.ticks(LOW, HIGH, 6) });
      below.curve(s.law.density, "vermilion");
      below.label("Gibbs, nothing fitted", below.right - 4, below.top + 10, "vermilion", "right");
      below.label("the runs", below.left + 8, below.top + 10, "blue");
    },
  };
})();
