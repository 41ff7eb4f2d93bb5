// Momentum in a narrow valley: v <- μ v + η (hΦ + σξ), Φ <- Φ - v, on each axis by itself, with
// μ = 1 - 1/N and η = η'/N.
"use strict";
(() => {
  const { Tally } = explore, RUNS = 400, H = [1, 12], TRAIL = 80, START = [3, 0.9];

  // (v, Φ) -> (μ v + ηhΦ, Φ - μ v - ηhΦ): trace 1 + μ - ηh and determinant μ.
  function eigenvalues(rate, memory, h) {
    const mu = 1 - 1 / memory, half = (1 + mu - (rate / memory) * h) / 2, under = half * half - mu;
    const root = Math.sqrt(Math.abs(under));
    return under >= 0 ? [[half + root, 0], [half - root, 0]] : [[half, root], [half, -root]];
  }
  const slowest = (rate, memory, h) => Math.max(...eigenvalues(rate, memory, h).map(([re, im]) => Math.hypot(re, im)));

  // E v², E vΦ and E Φ² that one more step leaves as they are; solved by hand.
  function variance(rate, memory, h, sigma) {
    const mu = 1 - 1 / memory, eta = rate / memory;
    return (eta * sigma ** 2 * (1 + mu)) / (h * (1 - mu) * (2 * (1 + mu) - eta * h));
  }
  const rule = (rate, h, sigma) => (rate * sigma ** 2) / (2 * h);

  const spoken = (pair) => pair.map(([re, im]) => `${re.toFixed(2)}${im ? ` ${im < 0 ? "minus" : "plus"} ${Math.abs(im).toFixed(2)} i` : ""}`).join("; ");

  explore.figures.momentum = {
    title: "Momentum in a narrow valley",
    ask: "hold *η*′ and raise the memory *N*_g of the gradients from 1 to 8 steps. What becomes of the width of the cloud along the valley?",
    answers: ["It hardly changes", "It grows by √8", "It shrinks by √8"],
    trial: { memory: 3 }, todo: "Now raise *N*_g.",
    judge(before, after) {
      const ratio = Math.sqrt(after.along.value / before.along.value);
      return { right: ratio > 1.6 ? 1 : ratio < 0.6 ? 2 : 0, says: `The width is ${ratio.toFixed(2)} times what it was: *η*′ is the learning rate that counts.` };
    },
    knobs: [
      { id: "rate", label: "rate *η*′ = *N*_g*η*", values: [0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.5, 1], start: 2 },
      { id: "memory", label: "memory *N*_g", values: [1, 2, 4, 8, 16, 32], start: 0 },
      { id: "sigma", label: "noise *σ*", values: [1, 2, 4, 6], start: 2 },
    ],
    rows: [
      { id: "along", label: "variance along the valley" },
      { id: "across", label: "variance across it" },
      { id: "rule", label: "across, small steps: *η*′*σ*²/2*h*", rule: true },
    ],
    eigenvalues, variance,

    begin: (chance) => ({
      chance, steps: 0, x: H.map((_, a) => new Float64Array(RUNS).fill(START[a])), v: H.map(() => new Float64Array(RUNS)),
      squares: H.map(() => new Tally(RUNS)), trail: [],
    }),
    turned(s, { rate, memory, sigma }) {
      const roots = H.map((h) => eigenvalues(rate, memory, h)), radius = H.map((h) => slowest(rate, memory, h));
      Object.assign(s, { rate, memory, sigma, roots, radius, mu: 1 - 1 / memory, eta: rate / memory, since: 0 });
      s.stable = Math.max(...radius) < 1 - 1e-12;
      s.law = H.map((h) => (s.stable ? variance(rate, memory, h, sigma) : NaN));
      s.wait = s.stable ? Math.ceil(Math.log(1e-4) / Math.log(Math.max(...radius))) : Infinity;
      for (const tally of s.squares) tally.clear();
    },
    step(s) {
      const { mu, eta, sigma, chance } = s, counted = s.since >= s.wait;
      for (let a = 0; a < 2; a++) {
        const x = s.x[a], v = s.v[a], { sums } = s.squares[a];
        for (let i = 0; i < RUNS; i++) {
          v[i] = mu * v[i] + eta * (H[a] * x[i] + sigma * chance.normal());
          x[i] -= v[i];
          if (counted) sums[i] += x[i] * x[i];
          if (!(Math.abs(x[i]) < 1e6)) { x[i] = START[a]; v[i] = 0; }
        }
        if (counted) s.squares[a].steps++;
      }
      s.trail.push([s.x[0][0], s.x[1][0]]);
      if (s.trail.length > TRAIL) s.trail.shift();
      s.steps++; s.since++;
    },
    pace: () => 40,
    patience: (s) => (s.stable ? s.wait + 1500 : 60),

    read(s) {
      const [along, across] = s.squares.map((tally) => tally.estimate()), says = s.stable ? undefined : "no law";
      const far = Math.max(...s.radius), forget = Math.ceil(1 / -Math.log(far));
      const enough = s.squares[0].steps * (1 - s.radius[0]) > 2;
      return {
        rows: {
          along: { theory: s.law[0], ...along, says },
          across: { theory: s.law[1], ...across, says },
          rule: { theory: rule(s.rate, H[1], s.sigma), ...across, says },
        },
        waiting: !s.stable ? "" : enough ? undefined : `The start is being forgotten: step ${s.since} of ${s.wait + Math.ceil(2 / (1 - s.radius[0]))}.`,
        note: s.stable ? `The eigenvalue farthest out is at ${far.toFixed(3)}: a start is forgotten in about ${forget} steps.` : "An eigenvalue is on the circle or outside, and there is no law to settle into.",
        picture: `On the left a long valley with lines of equal loss, the path of one run, ${RUNS} others and the ellipse of two standard deviations. `
          + `On the right the unit circle and the eigenvalues of a step: along the valley ${spoken(s.roots[0])}, across it ${spoken(s.roots[1])}.`,
      };
    },

    layout: {
      height: 300, tall: 450,
      panels: (w, h, narrow) => (narrow ? [[44, 8, w - 8, 210], [w / 2 - 88, 256, w / 2 + 88, 432]] : [[46, 8, w - 290, h - 40], [w - 256, 14, w - 10, 260]]),
    },
    draw(s, [valley, plane]) {
      valley.x = [-3.4, 3.4]; valley.y = [-1.4, 1.4];
      for (const level of [0.15, 0.6, 1.5, 3, 5]) valley.ellipse([1 / H[0], 0, 1 / H[1]], Math.sqrt(2 * level), "ink", { width: 0.7 });
      valley.axes({ x: "Φ₁, along the valley", y: "Φ₂, across it" });
      valley.dots(RUNS, (i) => s.x[0][i], (i) => s.x[1][i], "blue", { alpha: 0.35 });
      if (s.stable) valley.ellipse([s.law[0], 0, s.law[1]], 2, "vermilion");
      valley.line(s.trail, "orange", { width: 1.5 });
      if (s.trail.length) valley.within(() => valley.disc(...s.trail[s.trail.length - 1], "orange"));
      valley.label("one run", valley.left + 8, valley.top + 12, "orange");
      valley.label("±2 standard deviations", valley.right - 4, valley.top + 12, "vermilion", "right");
      plane.x = plane.y = [-1.15, 1.15];
      for (const [from, to] of [[[-1.15, 0], [1.15, 0]], [[0, -1.15], [0, 1.15]]]) plane.line([from, to], "ink", { width: 0.7 });
      plane.ellipse([1, 0, 1], 1, "ink", { width: 1.5 });
      s.roots.forEach((pair, a) => { for (const [re, im] of pair) plane.disc(re, im, ["blue", "pink"][a], 6); });
      plane.label("along", plane.left, plane.top + 4, "blue");
      plane.label("across", plane.left, plane.top + 22, "pink");
      plane.label("eigenvalues of a step", (plane.left + plane.right) / 2, plane.bottom + 12, "ink", "center");
    },
  };
})();
