// Panels on a canvas, in the units of the mathematics. Theory is a line, measurement is filled.
"use strict";
(() => {
  const { minus } = explore;

  // Round numbers from low to high, about `count` of them.
  function ticks(low, high, count = 4) {
    const raw = (high - low) / count, ten = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((m) => m * ten >= raw * 0.999) * ten, found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(9)));
    return found;
  }

  class Panel {
    constructor(pen, [left, top, right, bottom], colours) {
      Object.assign(this, { pen, left, top, right, bottom, colours, x: [0, 1], y: [0, 1] });
    }
    X(x) { return this.left + ((x - this.x[0]) / (this.x[1] - this.x[0])) * (this.right - this.left); }
    Y(y) { return this.bottom - ((y - this.y[0]) / (this.y[1] - this.y[0])) * (this.bottom - this.top); }

    // Axes with a tick at each given number and the name of the quantity.
    axes({ x, y, xticks = ticks(...this.x), yticks = ticks(...this.y) }) {
      const { pen, left, top, right, bottom } = this;
      pen.strokeStyle = this.colours.ink; pen.fillStyle = this.colours.text;
      pen.lineWidth = 1; pen.font = `12px ${this.colours.font}`;
      pen.beginPath();
      pen.moveTo(left, top); pen.lineTo(left, bottom); pen.lineTo(right, bottom);
      for (const t of xticks) { pen.moveTo(this.X(t), bottom); pen.lineTo(this.X(t), bottom + 4); }
      for (const t of yticks) { pen.moveTo(left, this.Y(t)); pen.lineTo(left - 4, this.Y(t)); }
      pen.stroke();
      pen.textAlign = "center"; pen.textBaseline = "top";
      for (const t of xticks) pen.fillText(minus(t), this.X(t), bottom + 6);
      if (x) pen.fillText(x, (left + right) / 2, bottom + (xticks.length ? 20 : 7));
      pen.textAlign = "right"; pen.textBaseline = "middle";
      for (const t of yticks) pen.fillText(minus(t), left - 6, this.Y(t));
      if (y) {
        pen.save();
        const room = Math.max(-4, ...yticks.map((t) => pen.measureText(minus(t)).width));
        pen.translate(left - room - 16, (top + bottom) / 2); pen.rotate(-Math.PI / 2);
        pen.textAlign = "center"; pen.fillText(y, 0, 0);
        pen.restore();
      }
    }
    within(draw) {
      const { pen } = this;
      pen.save(); pen.beginPath();
      pen.rect(this.left, this.top, this.right - this.left, this.bottom - this.top);
      pen.clip(); draw(pen); pen.restore();
    }
    // A line through points [x, y].
    line(points, colour, { width = 2.25, dash = [] } = {}) {
      this.within((pen) => {
        pen.strokeStyle = this.colours[colour]; pen.lineWidth = width; pen.lineJoin = "round"; pen.setLineDash(dash);
        pen.beginPath();
        for (const [x, y] of points) pen.lineTo(this.X(x), this.Y(y));
        pen.stroke();
      });
    }
    curve(f, colour, style) {
      const [low, high] = this.x;
      this.line(Array.from({ length: 241 }, (_, i) => low + ((high - low) * i) / 240).map((x) => [x, f(x)]), colour, style);
    }
    // The same, with the variable upwards.
    upright(f, colour, style) {
      const [low, high] = this.y;
      this.line(Array.from({ length: 161 }, (_, i) => low + ((high - low) * i) / 160).map((y) => [f(y), y]), colour, style);
    }
    // Where a normal law of mean 0 and covariance [xx, xy, yy] has come down to exp(-r^2/2).
    ellipse([xx, xy, yy], r, colour, style) {
      const a = Math.sqrt(xx), b = xy / a, c = Math.sqrt(Math.max(0, yy - b * b));
      this.line(Array.from({ length: 97 }, (_, i) => [Math.cos((i * Math.PI) / 48), Math.sin((i * Math.PI) / 48)])
        .map(([u, v]) => [r * a * u, r * (b * u + c * v)]), colour, style);
    }
    dots(count, x, y, colour, { size = 2.5, alpha = 0.45 } = {}) {
      this.within((pen) => {
        pen.fillStyle = this.colours[colour]; pen.globalAlpha = alpha;
        for (let i = 0; i < count; i++) pen.fillRect(this.X(x(i)) - size / 2, this.Y(y(i)) - size / 2, size, size);
      });
    }
    disc(x, y, colour, radius = 5) {
      const { pen } = this;
      pen.fillStyle = this.colours[colour]; pen.strokeStyle = this.colours.ground; pen.lineWidth = 1.5;
      pen.beginPath(); pen.arc(this.X(x), this.Y(y), radius, 0, 7); pen.fill(); pen.stroke();
    }
    // A histogram; `sideways` when its variable runs upwards.
    bars({ low, width, density }, colour, sideways = false) {
      this.within((pen) => {
        pen.fillStyle = this.colours[colour]; pen.globalAlpha = 0.5;
        density.forEach((d, b) => {
          const from = low + b * width, to = from + width;
          if (sideways) pen.fillRect(this.X(0), this.Y(to), this.X(d) - this.X(0), this.Y(from) - this.Y(to) - 0.5);
          else pen.fillRect(this.X(from), this.Y(d), this.X(to) - this.X(from) - 0.5, this.Y(0) - this.Y(d));
        });
      });
    }
    arrow(x, y, dx, dy, colour, width = 1.6) {
      const { pen } = this, [a, b, c, d] = [this.X(x), this.Y(y), this.X(x + dx), this.Y(y + dy)];
      const long = Math.hypot(c - a, d - b), head = Math.min(5, long / 2);
      if (long < 1) return;
      const [u, v] = [((c - a) / long) * head, ((d - b) / long) * head];
      pen.strokeStyle = this.colours[colour]; pen.lineWidth = width;
      pen.beginPath();
      pen.moveTo(a, b); pen.lineTo(c, d);
      pen.moveTo(c - u - v * 0.7, d - v + u * 0.7); pen.lineTo(c, d); pen.lineTo(c - u + v * 0.7, d - v - u * 0.7);
      pen.stroke();
    }
    // The name of what is drawn, where it is drawn, in a shade of its colour that can be read.
    label(text, x, y, colour, align = "left") {
      const { pen } = this;
      pen.font = `13px ${this.colours.font}`; pen.textAlign = align; pen.textBaseline = "middle"; pen.lineJoin = "round";
      pen.strokeStyle = this.colours.ground; pen.lineWidth = 4; pen.fillStyle = this.colours[`${colour}-text`] ?? this.colours.text;
      pen.strokeText(text, x, y); pen.fillText(text, x, y);
    }
  }

  Object.assign(explore, { Panel, ticks });
})();
