// The frame around every explorable: question, sliders, table, time. A cell with the tag
// explore-NAME shows a figure that stands still; where there is JavaScript it comes alive.
"use strict";
(() => {
  const { Chance, Panel, minus, number, verdict, withError } = explore;

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  // "memory *N*_g" with the first letter in italics and the second one below it.
  const rich = (text) => text.split("*").flatMap((part, i) => (i % 2 ? make("i", {}, part)
    : part.split(/_(.)/).map((piece, k) => (k % 2 ? make("sub", {}, piece) : piece))));
  const plain = (text) => text.replace(/[*_]/g, "");
  const MOST = 10; // milliseconds of a frame for stepping; the rest is for drawing and for the reader

  class Explorable {
    constructor(cell, figure) {
      Object.assign(this, { figure, seed: 1, running: false, seen: false, owed: 0 });
      this.at = Object.fromEntries(figure.knobs.map((knob) => [knob.id, knob.start]));
      this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
      this.wanted = !this.calm.matches;
      this.build(cell);
      this.restart();
      new ResizeObserver(() => this.draw()).observe(this.canvas);
      new MutationObserver(() => this.paint()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
      new IntersectionObserver((entries) => {
        this.seen = entries[entries.length - 1].isIntersecting; this.breathe();
      }, { threshold: 0.25 }).observe(this.canvas);
      document.addEventListener("visibilitychange", () => this.breathe());
      this.calm.addEventListener("change", () => { if (this.calm.matches) this.play(false); });
      this.paint();
    }

    get first() { return this.sliders[this.figure.knobs[0].id].slider; }

    get knobs() {
      return Object.fromEntries(this.figure.knobs.map((knob) => [knob.id, knob.values[this.at[knob.id]]]));
    }

    build(cell) {
      const { title, ask, answers, knobs, rows } = this.figure;
      const id = `explore-${this.figure.name}`, button = (text, act) => {
        const b = make("button", { type: "button", class: "explore-button" }, ...[text].flat());
        b.addEventListener("click", act);
        return b;
      };
      this.playing = button("Run", () => this.play(!this.wanted));
      this.ahead = button("Skip ahead", () => { this.settle(); this.announce(); });
      this.again = button("Restart", () => { this.restart(); this.announce(); });
      this.next = button("Next seed", () => { this.seed++; this.restart(); this.announce(); });
      this.canvas = make("canvas", { role: "img" });

      this.question = make("div", { class: "explore-question", role: "group", "aria-labelledby": `${id}-ask` },
        make("p", { id: `${id}-ask` }, make("b", {}, "Before you touch anything: "), ...rich(ask)),
        make("div", { class: "explore-buttons" },
          ...answers.map((text, i) => button(rich(text), () => this.guess(i))), button("Skip the question", () => this.guess(null))));
      this.sliders = {};
      this.board = make("div", { class: "explore-knobs" });
      for (const knob of knobs) {
        const slider = make("input", { type: "range", id: `${id}-${knob.id}`, min: 0, max: knob.values.length - 1, step: 1, value: knob.start });
        const shown = make("span", { "aria-hidden": "true" });
        slider.addEventListener("input", () => this.turn(knob.id, Number(slider.value)));
        this.sliders[knob.id] = { slider, shown };
        this.board.append(make("div", { class: "explore-knob" }, make("label", { for: slider.id }, ...rich(knob.label)), shown, slider));
      }
      this.trial = button("Try it", () => { this.attempt(); });
      this.said = make("span");
      this.judged = make("p", { class: "explore-judged" }, this.said, this.trial);
      this.board.hidden = this.judged.hidden = true;

      this.cells = {};
      const body = make("tbody", { role: "rowgroup" }); // roles: a telephone shows it as a grid, and it stays a table
      for (const row of rows) {
        const cells = { theory: make("td", { role: "cell" }), measured: make("td", { role: "cell" }), words: make("td", { role: "cell" }) };
        this.cells[row.id] = cells;
        body.append(make("tr", { role: "row", "data-row": row.id }, make("th", { role: "rowheader", scope: "row" }, ...rich(row.label)), ...Object.values(cells)));
      }
      const head = ["theory", "measured", "in words"].map((text) => make("th", { role: "columnheader", scope: "col" }, text));
      this.note = make("p", { class: "explore-note" });
      this.status = make("p", { class: "explore-aloud", role: "status" });
      this.box = make("section", { class: "explore", "aria-labelledby": `${id}-title` },
        make("div", { class: "explore-head" },
          make("p", { class: "explore-title", id: `${id}-title` }, title),
          make("div", { class: "explore-buttons" }, this.playing, this.ahead, this.again, this.next)),
        this.canvas, this.question, this.board, this.judged,
        make("table", { class: "explore-table", role: "table" }, make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, make("td", { role: "cell" }), ...head)), body), this.note, this.status);
      (cell.querySelector(".cell_output") ?? cell).prepend(this.box);
      cell.classList.add("explore-on");
    }

    // ---- The question, asked before the sliders are there ----

    guess(answer) {
      this.answer = answer;
      if (answer !== null) {
        if (!this.ready) this.settle();
        this.before = this.readings.rows;
      }
      this.question.hidden = true; this.board.hidden = false; this.judged.hidden = answer === null;
      this.tell();
      (answer === null ? this.first : this.trial).focus({ preventScroll: true });
    }

    attempt() {
      for (const { id, start } of this.figure.knobs) this.at[id] = this.figure.trial[id] ?? start;
      this.turned();
      this.announce();
    }

    judge() {
      const { figure, answer, at } = this;
      if (answer === undefined || answer === null) return;
      const there = figure.knobs.every((knob) => at[knob.id] === (figure.trial[knob.id] ?? knob.start));
      const said = `You said: “${figure.answers[answer]}”. `;
      if (!this.fate) {
        const seen = there && this.ready && figure.judge(this.before, this.readings.rows);
        if (seen) this.fate = `${answer === seen.right ? "That is what happened." : "Not this time."} ${seen.says}`;
        if (there && document.activeElement === this.trial) this.first.focus({ preventScroll: true });
        this.trial.hidden = there;
        if (this.fate) this.status.textContent = plain(this.fate);
      }
      this.said.replaceChildren(...rich(said + (this.fate ?? (there ? "Now wait until it has settled." : `${figure.todo} `))));
    }

    // ---- Knobs and time ----

    turn(id, position) {
      this.at[id] = position;
      this.turned();
      clearTimeout(this.later);
      this.later = setTimeout(() => this.announce(), 700);
    }

    turned() {
      this.figure.turned(this.state, this.knobs);
      if (this.calm.matches && !this.running) this.settle(); else this.show();
    }

    restart() {
      this.state = this.figure.begin(new Chance(this.seed), this.knobs);
      this.figure.turned(this.state, this.knobs);
      if (this.calm.matches && !this.running) this.settle(); else this.show();
    }

    advance(steps) {
      for (let i = 0; i < steps; i++) this.figure.step(this.state);
      return this;
    }

    settle() { this.advance(this.figure.patience(this.state)); this.show(); }

    get ready() { return this.readings.waiting === undefined; }

    play(on) { this.wanted = on; this.breathe(); if (!on) this.announce(); }

    breathe() {
      const on = this.wanted && this.seen && !document.hidden;
      this.playing.textContent = this.wanted ? "Pause" : "Run";
      if (on === this.running) return;
      this.running = on;
      if (on) { this.last = performance.now(); requestAnimationFrame((now) => this.frame(now)); }
    }

    frame(now) {
      if (!this.running) return;
      this.owed = Math.min(this.owed + (Math.min(now - this.last, 50) / 1000) * this.figure.pace(this.state), 200);
      this.last = now;
      const begun = performance.now();
      while (this.owed >= 1 && performance.now() - begun < MOST) { this.figure.step(this.state); this.owed--; }
      this.draw();
      if (!(now - this.told < 250)) { this.tell(); this.told = now; }
      requestAnimationFrame((later) => this.frame(later));
    }

    // ---- What is seen, read and heard ----

    paint() {
      const style = getComputedStyle(this.box);
      this.colours = { font: style.fontFamily };
      for (const name of ["ink", "text", "ground", "blue", "vermilion", "green", "orange", "pink", "blue-text", "vermilion-text", "green-text", "orange-text", "pink-text"]) {
        this.colours[name] = style.getPropertyValue(`--explore-${name}`).trim();
      }
      this.draw();
    }

    draw() {
      const { canvas, figure } = this, width = canvas.clientWidth, narrow = width < 520;
      if (!this.colours || !width) return;
      const height = narrow ? figure.layout.tall : figure.layout.height, scale = Math.min(2, window.devicePixelRatio || 1);
      canvas.style.height = `${height}px`;
      if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
        canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale);
      }
      const pen = canvas.getContext("2d");
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, width, height);
      const panels = figure.layout.panels(width, height, narrow).map((box) => new Panel(pen, box, this.colours));
      figure.draw(this.state, panels, this.knobs);
    }

    show() { this.tell(); this.draw(); }

    tell() {
      const values = this.knobs;
      for (const knob of this.figure.knobs) {
        const { slider, shown } = this.sliders[knob.id], text = minus(String(values[knob.id]));
        slider.value = this.at[knob.id];
        shown.textContent = text;
        slider.setAttribute("aria-valuetext", text);
      }
      this.readings = this.figure.read(this.state, values);
      for (const { id, rule } of this.figure.rows) {
        const reading = this.readings.rows[id], { theory, measured, words } = this.cells[id];
        reading.rule = rule;
        theory.textContent = number(reading.theory);
        measured.textContent = withError(reading);
        words.textContent = reading.says ?? (this.ready ? verdict(reading) : "not yet settled");
      }
      const { waiting, note } = this.readings;
      this.note.textContent = [waiting, note, `Seed ${this.seed}: the same numbers on every machine.`].filter(Boolean).join(" ");
      this.box.dataset.settled = this.ready;
      this.canvas.setAttribute("aria-label", this.readings.picture);
      this.judge();
    }

    announce() {
      clearTimeout(this.later);
      this.tell();
      const rows = this.figure.rows.map(({ id, label }) => {
        const { theory, measured, words } = this.cells[id];
        return `${plain(label)}: theory ${theory.textContent}, measured ${measured.textContent}, ${words.textContent}.`;
      });
      this.status.textContent = [this.fate && plain(this.fate), ...rows, this.readings.waiting].filter(Boolean).join(" ");
    }
  }

  // Loaded last, when the page and the figures are there.
  for (const [name, figure] of Object.entries(explore.figures)) {
    figure.name = name;
    for (const cell of document.querySelectorAll(`.tag_explore-${name}`)) cell.explorable = new Explorable(cell, figure);
  }
})();
