// Exact laws of walks on a line, by quadrature: what a walk settles into, and when it leaves.
"use strict";
(() => {
  const { gauss, integral, bell, below } = explore, TEN = gauss(10);

  // Where exp(-L/T) is not yet rounding: the outermost points with L < floor + 37 T.
  function reach(loss, T, floor) {
    const edge = (sign) => {
      let near = 0, far = sign * 8;
      for (let k = 0; k < 60; k++) {
        const middle = (near + far) / 2;
        if (loss(middle) < floor + 37 * T || Math.abs(middle) < 1) near = middle; else far = middle;
      }
      return far;
    };
    return [edge(-1), edge(1)];
  }

  // Gibbs' density exp(-L/T)/Z, and the part of it below a point.
  function gibbs(loss, T, floor) {
    const [low, high] = reach(loss, T, floor), weight = (x) => Math.exp((floor - loss(x)) / T);
    const Z = integral(weight, low, high, 80);
    return { low, high, density: (x) => weight(x) / Z, share: (to) => integral(weight, low, to, 80) / Z };
  }

  // Mean time in which Langevin's walker, dx = -L' dt + sqrt(2T) dW, first comes from `from` to
  // `to` > `from`: the integral of exp(L(y)/T) times that of exp(-L/T) up to y, over T.
  function passage(loss, T, from, to) {
    const [wall] = reach(loss, T, loss(from)), level = loss(from);
    const crowd = (x) => Math.exp((level - loss(x)) / T);
    let behind = integral(crowd, wall, from, 80), time = 0;
    const cells = 40, width = (to - from) / cells;
    for (let c = 0; c < cells; c++) {
      const start = from + c * width;
      for (const [at, weight] of TEN) {
        const y = start + at * width;
        time += (weight * width * (behind + integral(crowd, start, y))) / crowd(y);
      }
      behind += integral(crowd, start, start + width);
    }
    return time / T;
  }

  // Mean time of Langevin's walkers to `finish`, once those that are left have forgotten their
  // start. With u = 1 the double integral gives the mean time from each x; put in for u again and
  // again, it shows its largest factor.
  const PARTS = TEN.map(([node]) => TEN.map(([at], j) => node * integral((t) => // of Lagrange's j-th
    TEN.reduce((product, [other], k) => (k === j ? product : (product * (t * node - other)) / (at - other)), 1), 0, 1)));
  function slowest(loss, T, floor, finish) {
    const [wall] = reach(loss, T, floor), cells = 120, width = (finish - wall) / cells, n = 10 * cells;
    const crowd = Float64Array.from({ length: n }, (_, i) => Math.exp((floor - loss(wall + (Math.floor(i / 10) + TEN[i % 10][0]) * width)) / T));
    const sum = (f) => f.reduce((total, value, i) => total + TEN[i % 10][1] * width * value, 0);
    const upTo = (f) => { // the integral of f from the wall to each point, and to the finish
      const part = new Float64Array(n);
      let before = 0;
      for (let c = 0; c < n; c += 10) {
        for (let i = 0; i < 10; i++) { part[c + i] = before; for (let j = 0; j < 10; j++) part[c + i] += width * PARTS[i][j] * f[c + j]; }
        for (let j = 0; j < 10; j++) before += width * TEN[j][1] * f[c + j];
      }
      return [part, before];
    };
    let u = new Float64Array(n).fill(1), time = 0, last = -1;
    while (Math.abs(time - last) > 1e-12 * time) {
      const [behind] = upTo(crowd.map((p, i) => p * u[i]));
      const [part, whole] = upTo(behind.map((b, i) => b / crowd[i]));
      const next = part.map((p) => (whole - p) / T);
      last = time;
      time = sum(crowd.map((p, i) => p * u[i] * next[i])) / sum(crowd.map((p, i) => p * u[i] * u[i]));
      u = next.map((v) => v / next[0]);
    }
    return time;
  }

  // The settled law of x <- move(x) + kick times a normal number, which mostly stays between low
  // and high. On an even grid finer than the
  // kick the sum over the points is exact to rounding. States are taken out one by one without a
  // subtraction (Grassmann, Taksar and Heyman), so that rare crossings keep all their digits.
  function settled(move, kick, low, high) {
    const moved = Array.from({ length: 201 }, (_, i) => move(low + ((high - low) * i) / 200));
    low = Math.min(low, Math.min(...moved) - 8.3 * kick); high = Math.max(high, Math.max(...moved) + 8.3 * kick);
    const step = 0.75 * kick, n = Math.ceil((high - low) / step), K = [], mean = [];
    for (let i = 0; i < n; i++) {
      mean.push(move(low + i * step));
      K.push(Float64Array.from({ length: n }, (_, j) => step * bell((low + j * step - mean[i]) / kick) / kick));
    }
    for (let k = n - 1; k > 0; k--) {
      let leave = 0;
      for (let j = 0; j < k; j++) leave += K[k][j];
      for (let i = 0; i < k; i++) {
        const through = (K[i][k] /= leave);
        if (through > 1e-30) for (let j = 0; j < k; j++) K[i][j] += through * K[k][j];
      }
    }
    const p = new Float64Array(n);
    p[0] = 1;
    for (let k = 1; k < n; k++) for (let i = 0; i < k; i++) p[k] += p[i] * K[i][k];
    const total = p.reduce((sum, q) => sum + q);
    const mix = (f) => p.reduce((sum, q, i) => sum + q * f(mean[i]), 0) / total;
    return {
      density: (x) => mix((m) => bell((x - m) / kick) / kick),
      share: (to) => mix((m) => below((to - m) / kick)),
    };
  }

  // Chance, in one step, that a walk x <- move(x) + kick times a normal number passes `finish`,
  // once those that are left have forgotten their start: the law that a step reproduces up to a
  // factor. From any start, the places visited before the end are nearer to it.
  function leaving(move, kick, low, finish) {
    const panels = Math.ceil((finish - low) / (3 * kick)), width = (finish - low) / panels;
    const x = [], w = [];
    for (let k = 0; k < panels; k++) for (const [at, weight] of TEN) { x.push(low + (k + at) * width); w.push(weight * width); }
    const n = x.length, out = x.map((at) => below((move(at) - finish) / kick));
    // 1 - K, taken apart into a lower and an upper triangle. K is positive and loses some at each
    // step, so no pivots are needed.
    const A = x.map((at, i) => Float64Array.from(x, (to, j) => (i === j) - (w[j] * bell((to - move(at)) / kick)) / kick));
    for (let k = 0; k < n; k++) for (let i = k + 1; i < n; i++) {
      const factor = (A[i][k] /= A[k][k]);
      if (Math.abs(factor) > 1e-25) for (let j = k + 1; j < n; j++) A[i][j] -= factor * A[k][j];
    }
    let crowd = new Float64Array(n).fill(1 / n), rate = 0, last = -1;
    while (Math.abs(rate - last) > 1e-13 * rate) { // all the visits of those who began as `crowd`
      for (let i = 0; i < n; i++) { for (let j = 0; j < i; j++) crowd[i] -= A[j][i] * crowd[j]; crowd[i] /= A[i][i]; }
      for (let i = n - 1; i >= 0; i--) for (let j = i + 1; j < n; j++) crowd[i] -= A[j][i] * crowd[j];
      const visits = crowd.reduce((sum, p) => sum + p);
      last = rate; rate = 0;
      for (let i = 0; i < n; i++) { crowd[i] /= visits; rate += crowd[i] * out[i]; }
    }
    return rate;
  }

  Object.assign(explore, { gibbs, passage, slowest, settled, leaving });
})();
