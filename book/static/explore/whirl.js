// The whirl: Φ <- Φ - η(HΦ + ξ) in a bowl with H = diag(1, 3). The noise is hot along one
// direction of the plane and has variance 1 along the other; a, b, c are Σ's xx, xy and yy.
"use strict";
(() => {
  const { Tally, withError } = explore, RUNS = 1500, H = [1, 3], CELLS = 8, KEPT = 200;

  function noise(hot, degrees) {
    const angle = (degrees * Math.PI) / 180, c = Math.cos(angle), s = Math.sin(angle);
    return [hot * c * c + s * s, (hot - 1) * c * s, hot * s * s + c * c];
  }
  const pairs = [[0, 0], [0, 1], [1, 1]];
  // One more step changes nothing: S = (1 - ηH) S (1 - ηH) + η²Σ, entry by entry. The SDE: HS + SH = ηΣ.
  const covariance = (rate, sigma) => pairs.map(([i, j], k) => (rate * sigma[k]) / (H[i] + H[j] - rate * H[i] * H[j]));
  const smooth = (rate, sigma) => pairs.map(([i, j], k) => (rate * sigma[k]) / (H[i] + H[j]));
  // Area swept in a unit of time: ½E(x y' - y x')/η = ½(H_x - H_y) S_xy, which is Q of J = Q∇p.
  const area = ([, xy]) => ((H[0] - H[1]) * xy) / 2;

  explore.figures.whirl = {
    title: "Two temperatures make a whirl",
    ask: "cool the hot direction until both are equally noisy, *σ*² = 1. What does the whirl do?",
    answers: ["It turns faster", "It stops", "It turns the other way"],
    trial: { hot: 0 }, todo: "Now cool it.",
    judge(before, { area: now }) {
      const stops = Math.abs(now.value) < 4 * now.error;
      return { right: stops ? 1 : Math.sign(now.value) === Math.sign(before.area.value) ? 0 : 2, says: `The runs sweep ${withError(now)} of area in a unit of time${stops ? ": nothing turns, and the law is Gibbs’" : ""}.` };
    },
    knobs: [
      { id: "rate", label: "learning rate *η*", values: [0.02, 0.05, 0.1, 0.2, 0.4], start: 2 },
      { id: "hot", label: "hot direction’s *σ*²", values: [1, 2, 3, 5, 8], start: 2 },
      { id: "angle", label: "its angle, in degrees", values: [-90, -60, -45, -30, 0, 30, 45, 60, 90], start: 6 },
    ],
    rows: [
      { id: "area", label: "area swept per time, these steps" },
      { id: "smooth", label: "area, the SDE’s *Q*", rule: true },
      { id: "x", label: "temperature *H*_x*S*_x_x" },
      { id: "y", label: "temperature *H*_y*S*_y_y" },
    ],
    noise, covariance, smooth, area,

    begin: (chance) => ({
      chance, x: new Float64Array(RUNS), y: new Float64Array(RUNS), fromX: new Float64Array(RUNS), fromY: new Float64Array(RUNS),
      swept: new Tally(RUNS), xx: new Tally(RUNS), yy: new Tally(RUNS), trail: [],
    }),
    turned(s, { rate, hot, angle }) {
      const sigma = noise(hot, angle), law = covariance(rate, sigma), a = Math.sqrt(sigma[0]), b = sigma[1] / a;
      Object.assign(s, { rate, sigma, law, root: [a, b, Math.sqrt(Math.max(0, sigma[2] - b * b))], since: 0, past: [] });
      // Until squares of the start are a hundred-thousandth of what they were.
      s.wait = Math.ceil(Math.log(1e-5) / 2 / Math.log(Math.max(...H.map((h) => Math.abs(1 - rate * h)))));
      for (const tally of [s.swept, s.xx, s.yy]) tally.clear();
      s.reach = [2.6 * Math.sqrt(law[0]), 2.6 * Math.sqrt(law[2])];
      s.flow = [new Float64Array(CELLS * CELLS), new Float64Array(CELLS * CELLS)];
    },
    cell({ reach }, x, y) {
      const i = Math.floor(((x / reach[0] + 1) / 2) * CELLS), j = Math.floor(((y / reach[1] + 1) / 2) * CELLS);
      return i >= 0 && i < CELLS && j >= 0 && j < CELLS ? j * CELLS + i : -1;
    },
    step(s) {
      const { x, y, fromX, fromY, rate, chance, root: [a, b, c] } = s, counted = s.since >= s.wait;
      for (let i = 0; i < RUNS; i++) {
        const u = chance.normal(), v = chance.normal(), atX = x[i], atY = y[i];
        x[i] -= rate * (H[0] * atX + a * u);
        y[i] -= rate * (H[1] * atY + b * u + c * v);
        if (counted) {
          s.swept.sums[i] += (atX * y[i] - atY * x[i]) / 2 / rate;
          s.xx.sums[i] += H[0] * atX * atX; s.yy.sums[i] += H[1] * atY * atY;
          const k = this.cell(s, atX, atY);
          if (k >= 0) { s.flow[0][k] += x[i] - fromX[i]; s.flow[1][k] += y[i] - fromY[i]; } // the step in and the step out
        }
        fromX[i] = atX; fromY[i] = atY;
      }
      if (counted) {
        for (const tally of [s.swept, s.xx, s.yy]) tally.steps++;
        if (s.swept.steps % Math.max(1, Math.round(0.5 / rate)) === 0) {
          const { value, error } = s.swept.estimate(), time = s.swept.steps * rate;
          s.past.push([time, value * time, error * time]);
          if (s.past.length > KEPT) s.past = s.past.filter((_, i) => i % 2);
        }
      }
      s.trail.push([x[0], y[0]]);
      if (s.trail.length > 40) s.trail.shift();
      s.since++;
    },
    pace: () => 60,
    patience: (s) => s.wait + Math.ceil(30 / s.rate),

    read(s) {
      const swept = s.swept.estimate(), time = s.swept.steps * s.rate;
      return {
        rows: {
          area: { theory: area(s.law), ...swept },
          smooth: { theory: area(smooth(s.rate, s.sigma)), ...swept },
          x: { theory: H[0] * s.law[0], ...s.xx.estimate() },
          y: { theory: H[1] * s.law[2], ...s.yy.estimate() },
        },
        waiting: time < 4 ? `The start is being forgotten: step ${s.since} of ${s.wait + Math.ceil(4 / s.rate)}.` : undefined,
        note: "A step from (x, y) to (x′, y′) sweeps ½(x y′ − y x′); twice the area in a unit of time is 2Q.",
        picture: `On the left ${RUNS} runs in the bowl, the ellipse of two standard deviations, and arrows for the current, measured and from theory. On the right the area that a run sweeps around the origin, its mean over all runs, and the line of theory.`,
      };
    },

    layout: {
      height: 320, tall: 520,
      panels: (w, h, narrow) => (narrow ? [[46, 8, w - 8, 270], [56, 330, w - 8, h - 38]] : [[50, 8, 0.54 * w, h - 40], [0.54 * w + 68, 8, w - 10, h - 40]]),
    },
    draw(s, [plane, sums]) {
      const [xx, xy, yy] = s.law, det = xx * yy - xy * xy, [rx, ry] = s.reach, rate = s.rate;
      plane.x = [-rx, rx]; plane.y = [-ry, ry];
      plane.axes({ x: "x", y: "y, three times as steep" });
      plane.dots(RUNS, (i) => s.x[i], (i) => s.y[i], "blue", { alpha: 0.22 });
      plane.ellipse(s.law, 2, "vermilion", { width: 1.6 });
      // Given the place x of a step, the next one is at (1 - ηH)x and the last one was, in the
      // mean, at S(1 - ηH)S⁻¹x: half their difference, times the density, is the current.
      const theory = (x, y) => {
        const p = Math.exp(-(yy * x * x - 2 * xy * x * y + xx * y * y) / det / 2) / (2 * Math.PI * Math.sqrt(det));
        const [u, v] = [(yy * x - xy * y) / det, (xx * y - xy * x) / det], [k, l] = [(1 - rate * H[0]) * u, (1 - rate * H[1]) * v];
        return [p * ((1 - rate * H[0]) * x - xx * k - xy * l), p * ((1 - rate * H[1]) * y - xy * k - yy * l)];
      };
      const spots = Array.from({ length: CELLS * CELLS }, (_, k) => [(((k % CELLS) + 0.5) / CELLS * 2 - 1) * rx, ((Math.floor(k / CELLS) + 0.5) / CELLS * 2 - 1) * ry]);
      const flows = spots.map(([x, y]) => theory(x, y));
      const fastest = Math.max((0.1 * rate * rx) / (2 * Math.PI * Math.sqrt(det)), ...flows.map(([u, v]) => Math.hypot(u, (v * rx) / ry)));
      const scale = (0.16 * rx) / fastest, count = s.swept.steps * RUNS * ((4 * rx * ry) / CELLS ** 2);
      plane.within(() => spots.forEach(([x, y], k) => {
        plane.arrow(x, y, flows[k][0] * scale, flows[k][1] * scale, "vermilion", 1.2);
        if (s.swept.steps * rate > 10) plane.arrow(x, y, (s.flow[0][k] / count) * scale, (s.flow[1][k] / count) * scale, "blue-text", 2);
      }));
      plane.line(s.trail, "orange", { width: 1 });
      plane.label("current, theory", plane.left + 8, plane.top + 10, "vermilion");
      plane.label("measured", plane.left + 8, plane.top + 28, "blue");
      const end = Math.max(10, s.swept.steps * rate), slope = area(s.law), last = s.past.at(-1) ?? [0, 0, 0];
      const most = Math.max(1, Math.abs(slope) * end * 1.15, Math.abs(last[1]) + 2 * last[2]);
      sums.x = [0, end]; sums.y = slope > 1e-9 ? [-0.15 * most, most] : slope < -1e-9 ? [-most, 0.15 * most] : [-most, most];
      sums.within((pen) => {
        pen.fillStyle = sums.colours.blue; pen.globalAlpha = 0.4; pen.beginPath(); pen.moveTo(sums.X(0), sums.Y(0));
        for (const [t, value, error] of s.past) pen.lineTo(sums.X(t), sums.Y(value + 2 * error));
        for (const [t, value, error] of [...s.past].reverse()) pen.lineTo(sums.X(t), sums.Y(value - 2 * error));
        pen.fill();
      });
      sums.axes({ x: "time t", y: "area swept" });
      sums.line([[0, 0], [end, 0]], "ink", { width: 1, dash: [4, 4] });
      sums.line([[0, 0], [end, slope * end]], "vermilion");
      sums.line(s.past, "blue", { width: 1.6 });
    },
  };
})();
