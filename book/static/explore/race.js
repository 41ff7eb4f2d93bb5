// The race over the barrier: two thousand Langevin walkers in the left well of L = x⁴/4 - x²/2,
// x <- x - L'(x) Δt + sqrt(2T Δt) ξ. Who steps to the finish line or beyond is out.
"use strict";
(() => {
  const { gibbs, slowest, leaving } = explore, WALKERS = 2000, BOTTOM = -1, LOW = -2, HIGH = 1.6;
  const loss = (x) => x * x * (x * x / 4 - 0.5), gradient = (x) => x * (x * x - 1), DEPTH = 0.25;

  // Three mean times: of this walk, whose steps may jump the line; of the walk without steps;
  // and Kramers' formula, 2π / sqrt(H_a |H_b|) times e^(ΔL/T), with H_a = 2 and H_b = -1.
  function theory(T, dt, finish) {
    const low = gibbs(loss, T, -DEPTH).low, kick = Math.sqrt(2 * T * dt);
    return {
      walk: dt / leaving((x) => x - dt * gradient(x), kick, Math.min(low, -2), finish),
      smooth: slowest(loss, T, -DEPTH, finish),
      kramers: (2 * Math.PI / Math.sqrt(2)) * Math.exp(DEPTH / T),
    };
  }

  explore.figures.race = {
    title: "The race over the barrier",
    ask: "cool the walkers from *T* = 0.1 to 0.0625. How much longer does the valley hold them?",
    answers: ["1.6 times, as 1/*T*", "4.5 times, as exp(Δ*L*/*T*)", "Exactly as long"],
    trial: { T: 1 }, todo: "Now cool them.",
    judge(before, after) {
      const ratio = after.walk.value / before.walk.value;
      return { right: ratio > 3 ? 1 : ratio > 1.25 ? 0 : 2, says: `It holds ${ratio.toFixed(1)} times as long: the depth, counted in temperatures, stands in an exponent.` };
    },
    knobs: [
      { id: "T", label: "temperature *T*", values: [0.05, 0.0625, 0.08, 0.1, 0.125], start: 3 },
      { id: "dt", label: "step Δ*t*", values: [0.02, 0.05, 0.1, 0.2], start: 0 },
      { id: "finish", label: "finish line at *x* =", values: [0, 0.25, 0.5, 0.75, 1], start: 4 },
    ],
    rows: [
      { id: "walk", label: "mean time, exact for these steps" },
      { id: "smooth", label: "exact for Δ*t* → 0", rule: true },
      { id: "kramers", label: "Kramers’ formula", rule: true },
    ],
    theory,

    begin: (chance) => ({ chance, x: new Float64Array(WALKERS) }),
    turned(s, { T, dt, finish }) {
      Object.assign(s, { T, dt, finish, kick: Math.sqrt(2 * T * dt), law: theory(T, dt, finish), heats: 0, out: 0, exposure: 0 });
      s.every = Math.max(1, Math.round(s.law.walk / 60 / dt));
      s.wait = Math.ceil(6 / dt); // until those that are left have forgotten that they began at the bottom
      this.line(s);
    },
    line(s) { s.x.fill(BOTTOM); Object.assign(s, { inside: WALKERS, since: 0, past: [[0, 1]] }); s.heats++; },
    step(s) {
      const { x, dt, kick, chance, finish } = s, counted = s.since >= s.wait;
      if (s.inside < WALKERS / 50) this.line(s); // the next heat
      if (counted) s.exposure += s.inside * dt;
      for (let i = 0; i < s.inside; i++) {
        x[i] += -dt * (x[i] * (x[i] * x[i] - 1)) + kick * chance.normal();
        if (x[i] >= finish) { // the last one in takes the place
          const gone = x[i];
          s.inside--; x[i] = x[s.inside]; x[s.inside] = gone; i--;
          if (counted) s.out++;
        }
      }
      s.since++;
      if (s.since % s.every === 0) s.past.push([s.since * dt, s.inside / WALKERS]);
    },
    pace: (s) => Math.min(2500, Math.max(120, s.law.walk / 6 / s.dt)),
    patience: (s) => s.wait + Math.ceil(Math.min(7500, (1.2 * s.law.walk) / s.dt)),

    read(s) {
      const value = s.exposure / s.out, { law } = s, measured = s.out ? { value, error: value / Math.sqrt(s.out) } : {};
      return {
        rows: {
          walk: { theory: law.walk, ...measured },
          smooth: { theory: law.smooth, ...measured },
          kramers: { theory: law.kramers, ...measured },
        },
        waiting: s.out < 300 ? `${s.out} of 300 escapes counted.` : undefined,
        note: `Heat ${s.heats}: ${s.inside} are in, ${WALKERS - s.inside} are out. ${s.finish === 0 ? "On the summit every second one who is counted out would have fallen back." : ""}`,
        picture: `Above, the two wells, the finish line at ${s.finish}, and ${s.inside} of ${WALKERS} walkers still on its left. Below, the share still in the race against time, with the exact exponential and Kramers’.`,
      };
    },

    layout: { height: 340, tall: 340, panels: (w, h) => [[50, 8, w - 10, 0.43 * h], [50, 0.43 * h + 26, w - 10, h - 38]] },
    draw(s, [above, below]) {
      above.x = [LOW, HIGH]; above.y = [-0.32, 0.32];
      above.axes({ y: "loss L", yticks: [-0.25, 0, 0.25], xticks: [-2, -1, 0, 1] });
      above.curve(loss, "ink", { width: 1.5 });
      above.line([[s.finish, -0.32], [s.finish, 0.32]], "green", { width: 2, dash: [5, 4] });
      above.dots(s.inside, (i) => s.x[i], (i) => loss(s.x[i]) + ((i * 7) % 13) / 400, "blue", { alpha: 0.4 });
      above.label("finish", above.X(s.finish) + 6, above.top + 10, "green");
      above.label(`${s.inside} in, ${WALKERS - s.inside} out`, above.X(-0.9), above.top + 10, "blue", "center");
      const end = 3.5 * s.law.walk, now = s.since * s.dt, left = (tau) => (t) => Math.exp(-t / tau);
      below.x = [0, end]; below.y = [0, 1];
      below.within((pen) => {
        pen.fillStyle = below.colours.blue; pen.globalAlpha = 0.45; pen.beginPath();
        pen.moveTo(below.X(0), below.bottom);
        for (const [t, share] of s.past) pen.lineTo(below.X(t), below.Y(share));
        pen.lineTo(below.X(now), below.Y(s.inside / WALKERS)); pen.lineTo(below.X(now), below.bottom); pen.fill();
      });
      below.axes({ x: "time t", y: "share left", yticks: [0, 0.5, 1] });
      below.curve(left(s.law.kramers), "orange", { dash: [6, 4], width: 2 });
      below.curve(left(s.law.walk), "vermilion");
      below.label("exact", below.right - 4, below.top + 12, "vermilion", "right");
      below.label("Kramers", below.right - 4, below.top + 32, "orange", "right");
      below.label("counted", below.left + 8, below.bottom - 14, "blue");
    },
  };
})();
