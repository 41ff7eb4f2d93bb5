// One weight: x <- (1 - ηh) x - η ξ, where ξ is normal with standard deviation σ.
"use strict";
(() => {
  const { Tally, Histogram } = explore, RUNS = 600, SHOWN = 30, PAST = 90, START = 1.5;

  // One more step changes nothing: V = (1 - ηh)² V + η²σ².
  const variance = (rate, h, sigma) => (rate * sigma ** 2) / (h * (2 - rate * h));
  const smallSteps = (rate, h, sigma) => (rate * sigma ** 2) / (2 * h);

  explore.figures["one-weight"] = {
    title: "One weight, six hundred runs",
    ask: "halve the learning rate *η*. What happens to the width of the histogram?",
    answers: ["It halves", "It shrinks by √2", "It stays, and takes longer"],
    trial: { rate: 0 }, todo: "Now halve *η*.",
    judge(before, after) {
      const ratio = Math.sqrt(before.variance.value / after.variance.value);
      const right = ratio > 1.75 ? 0 : ratio > 1.2 ? 1 : 2;
      return { right, says: `The width shrank by a factor of ${ratio.toFixed(2)}: it goes with √*η*, not with *η*.` };
    },
    knobs: [
      { id: "rate", label: "learning rate *η*", values: [0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 1.8, 1.95, 2, 2.05], start: 1 },
      { id: "h", label: "curvature *h*", values: [0.25, 0.5, 1, 2, 4], start: 2 },
      { id: "sigma", label: "noise *σ*", values: [0.5, 1, 2, 3], start: 1 },
    ],
    rows: [
      { id: "variance", label: "variance *V* = *ησ*²/*h*(2 − *ηh*)" },
      { id: "small", label: "small steps: *ησ*²/2*h*", rule: true },
      { id: "loss", label: "mean loss ½*hV*" },
    ],
    variance, smallSteps,

    begin: (chance) => ({
      chance, x: new Float64Array(RUNS).fill(START), squares: new Tally(RUNS), steps: 0,
      past: Array.from({ length: PAST }, () => new Float64Array(SHOWN).fill(NaN)),
    }),
    turned(s, { rate, h, sigma }) {
      Object.assign(s, { rate, h, sigma, shrink: 1 - rate * h, kick: rate * sigma, stable: rate * h < 2 });
      s.law = s.stable ? variance(rate, h, sigma) : NaN;
      // Until the start, or whatever the last setting left, is a millionth of V.
      const far = Math.max(START ** 2, ...s.x.map((x) => x * x));
      s.wait = s.stable ? Math.ceil(Math.log((1e6 * far) / s.law) / -2 / Math.log(Math.abs(s.shrink) + 1e-9)) + 1 : Infinity;
      s.since = 0; s.squares.clear();
      s.reach = s.stable ? Math.max(0.5, 3.4 * Math.sqrt(s.law)) : 12;
      s.seen = new Histogram(-s.reach, s.reach, 44);
    },
    step(s) {
      const { x, shrink, kick, chance, squares } = s, counted = s.since >= s.wait;
      for (let i = 0; i < RUNS; i++) {
        x[i] = shrink * x[i] - kick * chance.normal();
        if (counted) squares.sums[i] += x[i] * x[i];
        if (!(Math.abs(x[i]) < 1e6)) x[i] = START; // beyond the edge: begin again
      }
      if (counted) squares.steps++;
      s.seen.blend(x, 0.06);
      s.past[s.steps % PAST].set(x.subarray(0, SHOWN));
      s.steps++; s.since++;
    },
    pace: () => 40,
    patience: (s) => (s.stable ? Math.min(6000, s.wait + 400) : 60),

    read(s) {
      const { value, error } = s.squares.estimate(), half = s.h / 2;
      const waiting = !s.stable ? "" : s.squares.steps < 20 ? `The start is being forgotten: step ${s.since} of ${s.wait + 20}.` : undefined;
      const says = s.stable ? undefined : "no law";
      return {
        rows: {
          variance: { theory: s.law, value, error, says },
          small: { theory: smallSteps(s.rate, s.h, s.sigma), value, error, says },
          loss: { theory: half * s.law, value: half * value, error: half * error, says },
        },
        waiting,
        note: s.stable ? `The edge is at η = 2/h = ${2 / s.h}.` : `ηh = ${Number((s.rate * s.h).toPrecision(3))} is at the edge or beyond: ${s.rate * s.h > 2 ? "each step overshoots by more than it came" : "the walk flips sides and forgets nothing"}, and there is no law to settle into.`,
        picture: `Thirty paths of the weight against the step, between the lines plus and minus two standard deviations of the law; on the left the bowl, on the right the histogram of 600 runs on the normal density of variance ${s.stable ? s.law.toPrecision(3) : "none"}.`,
      };
    },

    layout: {
      height: 330, tall: 330,
      panels: (w, h, narrow) => (narrow
        ? [[18, 12, 0.22 * w, h - 40], [0.22 * w + 36, 12, 0.7 * w, h - 40], [0.7 * w + 8, 12, w - 6, h - 40]]
        : [[26, 12, 0.2 * w, h - 40], [0.2 * w + 52, 12, 0.72 * w, h - 40], [0.72 * w + 14, 12, w - 10, h - 40]]),
    },
    draw(s, [bowl, paths, crowd]) {
      const r = s.reach, width = Math.sqrt(s.law), peak = 1 / (width * Math.sqrt(2 * Math.PI));
      for (const panel of [bowl, paths, crowd]) panel.y = [-r, r];
      bowl.x = [0, (s.h * r * r) / 2];
      bowl.axes({ x: "loss L", y: "weight x", xticks: [], yticks: [] });
      bowl.upright((x) => (s.h * x * x) / 2, "ink", { width: 1.5 });
      bowl.dots(SHOWN * 4, (i) => (s.h * s.x[i] ** 2) / 2, (i) => s.x[i], "blue", { size: 4, alpha: 0.5 });
      paths.x = [s.steps - PAST, s.steps];
      paths.axes({ x: "step", xticks: explore.ticks(Math.max(0, s.steps - PAST), s.steps, 3) });
      paths.within((pen) => {
        pen.strokeStyle = paths.colours.blue; pen.lineWidth = 0.8; pen.globalAlpha = 0.4;
        for (let i = 0; i < SHOWN; i++) {
          pen.beginPath();
          for (let t = Math.max(0, s.steps - PAST); t < s.steps; t++) pen.lineTo(paths.X(t + 1), paths.Y(s.past[t % PAST][i]));
          pen.stroke();
        }
      });
      crowd.x = [0, s.stable ? 1.3 * peak : 0.3];
      crowd.bars(s.seen, "blue", true);
      crowd.axes({ x: "density p(x)", xticks: [], yticks: [] });
      if (!s.stable) return paths.label("beyond the edge", (paths.left + paths.right) / 2, paths.top + 10, "vermilion", "center");
      crowd.upright((x) => peak * explore.bell(x / width) * Math.sqrt(2 * Math.PI), "vermilion");
      for (const sign of [-2, 2]) paths.line([[s.steps - PAST, sign * width], [s.steps, sign * width]], "vermilion", { width: 1.6, dash: [6, 4] });
      paths.label("±2√V", paths.right - 4, paths.Y(2 * width) - 10, "vermilion", "right");
      return undefined;
    },
  };
})();
