// Chance, statistics and quadrature of the explorables. Knows no page: Node runs it as well.
"use strict";
globalThis.explore = { figures: {} };
(() => {
  // The logarithm of 0 < s <= 1. Math.log may differ in its last bit from browser to browser;
  // + - * / and Math.sqrt may not, and so every machine draws the same numbers.
  function log(s) {
    let halvings = 0;
    while (s < 0.7071067811865476) { s *= 2; halvings++; }
    const z = (s - 1) / (s + 1), q = z * z;
    let series = 1 / 15;
    for (let odd = 13; odd > 0; odd -= 2) series = 1 / odd + q * series;
    return 2 * z * series - halvings * 0.6931471805599453;
  }

  class Chance { // sfc32, and Marsaglia's polar method for the normal law
    constructor(seed) {
      this.a = 0; this.b = 0; this.c = seed; this.d = 1; this.spare = NaN;
      for (let i = 0; i < 16; i++) this.uniform();
    }
    uniform() {
      const t = (((this.a + this.b) | 0) + this.d) | 0;
      this.d = (this.d + 1) | 0;
      this.a = this.b ^ (this.b >>> 9);
      this.b = (this.c + (this.c << 3)) | 0;
      this.c = (((this.c << 21) | (this.c >>> 11)) + t) | 0;
      return (t >>> 0) / 4294967296;
    }
    below(n) { return Math.floor(n * this.uniform()); }
    normal() {
      const kept = this.spare;
      if (kept === kept) { this.spare = NaN; return kept; }
      let u, v, s;
      do {
        u = 2 * this.uniform() - 1; v = 2 * this.uniform() - 1; s = u * u + v * v;
      } while (s >= 1 || s === 0);
      const m = Math.sqrt((-2 * log(s)) / s);
      this.spare = v * m;
      return u * m;
    }
  }

  // Time averages of independent runs. Steps of one run are correlated, runs are not:
  // the error comes from the spread between the runs.
  class Tally {
    constructor(runs) { this.sums = new Float64Array(runs); this.steps = 0; }
    clear() { this.sums.fill(0); this.steps = 0; }
    estimate() {
      const { sums, steps } = this, n = sums.length;
      if (!steps) return {};
      let total = 0, squares = 0;
      for (const sum of sums) total += sum;
      for (const sum of sums) squares += (sum - total / n) ** 2;
      return { value: total / n / steps, error: Math.sqrt(squares / (n - 1) / n) / steps };
    }
  }

  // Shares of `count` runs in bins, with a memory of about 1/gain steps: for the eye, not the table.
  class Histogram {
    constructor(low, high, bins) {
      this.low = low; this.width = (high - low) / bins; this.density = new Float64Array(bins); this.fresh = true;
    }
    blend(values, gain) {
      const { low, width, density } = this, share = this.fresh ? 1 : gain;
      this.fresh = false;
      for (let b = 0; b < density.length; b++) density[b] *= 1 - share;
      for (const value of values) {
        const b = Math.floor((value - low) / width);
        if (b >= 0 && b < density.length) density[b] += share / (values.length * width);
      }
    }
  }

  // How a number is written, and one with its error.
  const minus = (value) => String(value).replace("-", "−");
  function number(value) {
    if (!Number.isFinite(value)) return "none";
    const size = Math.abs(value), digits = size >= 100 ? 1 : size >= 0.1 || size === 0 ? 3 : Math.min(6, 2 - Math.floor(Math.log10(size)));
    return minus(value.toFixed(digits));
  }
  function withError({ value, error }) {
    if (!(error > 0)) return "…";
    const digits = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(error))));
    return `${minus(value.toFixed(digits))} ± ${error.toFixed(digits)}`;
  }

  // What a row of the table says in words: z errors lie between theory and measurement. A law is
  // exact for what is simulated; a rule is not, and time will tell.
  function verdict({ theory, value, error, rule }) {
    if (!(error > 0)) return "not yet settled";
    const size = Math.abs(value - theory) / error, z = `z = ${size < 10 ? size.toFixed(1) : Math.round(size)}`;
    if (rule) return size > 4 ? `only a rule, ${z}` : `not yet told apart, ${z}`;
    return size > 4 ? `differs, ${z}` : `agrees, ${z}`;
  }

  // Gauss's n nodes and weights on (0, 1), by Newton's method on Legendre's polynomial.
  function gauss(n) {
    const rule = [];
    for (let i = 0; i < n; i++) {
      let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5)), slope = 1;
      for (let newton = 0; newton < 8; newton++) {
        let p = 1, before = 0;
        for (let k = 1; k <= n; k++) [p, before] = [((2 * k - 1) * x * p - (k - 1) * before) / k, p];
        slope = (n * (x * p - before)) / (x * x - 1);
        x -= p / slope;
      }
      rule.push([(1 - x) / 2, 1 / ((1 - x * x) * slope * slope)]);
    }
    return rule;
  }
  const TEN = gauss(10);
  function integral(f, from, to, cells = 1) {
    const width = (to - from) / cells;
    let sum = 0;
    for (let c = 0; c < cells; c++) {
      for (const [at, weight] of TEN) sum += weight * width * f(from + (c + at) * width);
    }
    return sum;
  }

  // The normal law: its density, and the part below z, by the series or the continued fraction.
  const bell = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  function below(z) {
    if (z > 3) return 1 - below(-z);
    if (z < -3) {
      let fraction = -z;
      for (let k = 60; k > 0; k--) fraction = -z + k / fraction;
      return bell(z) / fraction;
    }
    let term = z, sum = z;
    for (let k = 3; Math.abs(term) > 1e-17; k += 2) sum += term *= (z * z) / k;
    return 0.5 + bell(z) * sum;
  }

  Object.assign(explore, { log, Chance, Tally, Histogram, minus, number, withError, verdict, gauss, integral, bell, below });
})();
