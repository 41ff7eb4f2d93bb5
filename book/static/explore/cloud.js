// The cloud: gradients of ½(wx + b - y)² for 442 patients, at the best line, and what the mean of
// a batch of B of them makes of it.
"use strict";
(() => {
  const { Tally, diabetes } = explore, BATCHES = 100, KEPT = 500;

  const n = diabetes.mass.length, mean = (f) => diabetes.mass.reduce((sum, _, i) => sum + f(i), 0) / n;
  const centre = mean((i) => diabetes.mass[i]), spread = Math.sqrt(mean((i) => (diabetes.mass[i] - centre) ** 2));
  const x = diabetes.mass.map((m) => (m - centre) / spread), y = diabetes.score.map((score) => score / 100);
  const b = mean((i) => y[i]), w = mean((i) => x[i] * y[i]); // the best line: there the mean gradient is 0
  const miss = x.map((at, i) => w * at + b - y[i]), gradients = [miss.map((m, i) => m * x[i]), miss];
  const one = [[0, 0], [0, 1], [1, 1]].map(([p, q]) => mean((i) => gradients[p][i] * gradients[q][i])); // Σ
  // Of independent draws the covariances add up: Σ/B. Without replacement nothing is left at B = n.
  const covariance = (B, replace) => one.map((s) => (s / B) * (replace === "with" ? 1 : (n - B) / (n - 1)));

  explore.figures.cloud = {
    title: "The gradients of 442 patients",
    ask: "make the batch 16 times as large, *B* = 64 for 4. How much narrower does the cloud of batch means get?",
    answers: ["2 times", "4 times", "16 times"],
    trial: { B: 6 }, todo: "Now raise *B* to 64.",
    judge(before, after) {
      const ratio = Math.sqrt(before.square.value / after.square.value);
      return { right: ratio > 8 ? 2 : ratio > 3 ? 1 : 0, says: `It got ${ratio.toFixed(2)} times narrower: the width goes with 1/√*B*.` };
    },
    knobs: [
      { id: "B", label: "batch size *B*", values: [1, 2, 4, 8, 16, 32, 64, 128, 256, 400, 442], start: 2 },
      { id: "replace", label: "replacement", values: ["with", "without"], start: 0 },
    ],
    rows: [
      { id: "square", label: "mean of |*ĝ* − *g*|²" },
      { id: "fresh", label: "of independent draws: tr *Σ*/*B*", rule: true },
      { id: "inside", label: "share in the ellipse, if normal", rule: true },
    ],
    gradients, covariance,

    begin: (chance) => ({
      chance, order: Int32Array.from({ length: n }, (_, i) => i), squares: new Tally(BATCHES), inside: new Tally(BATCHES),
      recent: [new Float64Array(KEPT), new Float64Array(KEPT)], drawn: 0,
    }),
    turned(s, { B, replace }) {
      Object.assign(s, { B, replace, law: covariance(B, replace), drawn: 0 });
      s.squares.clear(); s.inside.clear();
    },
    step(s) {
      const { chance, order, B, recent, law: [xx, xy, yy] } = s, det = xx * yy - xy * xy;
      for (let k = 0; k < BATCHES; k++) {
        let u = 0, v = 0;
        for (let j = 0; j < B; j++) {
          let i;
          if (s.replace === "with") i = chance.below(n);
          else { // the one drawn goes to the front, and is not drawn again
            const at = j + chance.below(n - j);
            i = order[at]; order[at] = order[j]; order[j] = i;
          }
          u += gradients[0][i]; v += gradients[1][i];
        }
        u /= B; v /= B;
        s.squares.sums[k] += u * u + v * v;
        if (yy * u * u - 2 * xy * u * v + xx * v * v < 4 * det) s.inside.sums[k]++;
        recent[0][s.drawn % KEPT] = u; recent[1][s.drawn % KEPT] = v; s.drawn++;
      }
      s.squares.steps++; s.inside.steps++;
    },
    pace: () => 6,
    patience: () => 60,

    read(s) {
      const square = s.squares.estimate(), whole = s.law[0] < 1e-12, says = whole ? "every batch is the whole" : undefined;
      return {
        rows: {
          square: { theory: s.law[0] + s.law[2], ...square, says },
          fresh: { theory: (one[0] + one[2]) / s.B, ...square, says: says ?? (s.replace === "with" ? "the same here" : undefined) },
          inside: { theory: 1 - Math.exp(-2), ...s.inside.estimate(), says },
        },
        waiting: s.squares.steps < 12 ? `${s.drawn} of 1200 batches drawn.` : undefined,
        note: "The ellipse is two standard deviations wide.",
        picture: `On the left the gradients of ${n} patients as a cloud, the means of batches of ${s.B}, and the ellipse that holds two standard deviations of them. On the right the same batch means, magnified until the ellipse fills the picture.`,
      };
    },

    layout: {
      height: 310, tall: 330,
      panels: (w, h, narrow) => (narrow ? [[40, 8, w * 0.56, h - 40], [w * 0.56 + 14, 8, w - 6, h - 40]] : [[46, 8, 0.56 * w, h - 40], [0.56 * w + 40, 8, w - 10, h - 40]]),
    },
    draw(s, [all, near]) {
      const kept = Math.min(s.drawn, KEPT), [u, v] = s.recent, reach = Math.sqrt(1 / s.B) * (s.replace === "with" ? 1 : Math.sqrt((n - s.B) / (n - 1)));
      all.x = [-3.2, 3.2]; all.y = [-2.3, 2.3];
      all.axes({ x: "∂/∂w", y: "∂/∂b" });
      all.dots(n, (i) => gradients[0][i], (i) => gradients[1][i], "ink", { size: 3.5, alpha: 0.55 });
      all.dots(kept, (i) => u[i], (i) => v[i], "blue", { alpha: 0.7 });
      all.ellipse(s.law, 2, "vermilion");
      all.label("patients", all.left + 8, all.top + 10, "ink");
      all.label("batch means", all.left + 8, all.top + 28, "blue");
      all.label(s.replace === "with" ? "Σ/B" : "Σ/B, times (n−B)/(n−1)", all.left + 8, all.top + 46, "vermilion");
      const zoom = reach > 0 ? reach : 0.05;
      near.x = [-2.6 * zoom, 2.6 * zoom]; near.y = [-2.2 * zoom, 2.2 * zoom];
      near.axes({ x: "magnified", xticks: explore.ticks(...near.x, 3), yticks: [] });
      near.dots(kept, (i) => u[i], (i) => v[i], "blue", { size: 3.5, alpha: 0.6 });
      near.ellipse(s.law, 2, "vermilion");
    },
  };
})();
