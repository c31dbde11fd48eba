// Latency against the budget, and the configurations beneath it on the same time axis.
//
// SVG, so that colours, dark mode and zoom are the style sheet's business. The marks of one configuration are one path
// (a dot is a stroke of no length with round ends): 300 windows make a dozen elements, not hundreds.

import { milliseconds, number, percent, plain, spoken } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
/** Windows kept: as many as the daemon sends to who comes late. */
const KEPT = 300;
/** Windows in the table. */
const ROWS = 30;
/** The chart is never narrower in time than this, in seconds. */
const SHORTEST = 60;
const MARGIN = { right: 14, top: 22, bottom: 22 };
const GAP = 32;
/** Pause between two drawings, milliseconds: a recording that is played fast decides hundreds of windows a second. */
const PAUSE_MS = 100;

export class LatencyChart {
  #points = [];
  #rungs = new Map();
  #hop = 1;
  #budget = 50;
  #svg;
  #summary;
  #readout;
  #table;
  #details;
  #queued = false;
  #drawnAt = -Infinity;
  #hovered = null;
  #layout = null;

  /** `elements`: `svg`, `summary`, `readout`, `table` (a tbody) and the `details` that hides the table. */
  constructor({ svg, summary, readout, table, details }) {
    this.#svg = svg;
    this.#summary = summary;
    this.#readout = readout;
    this.#table = table;
    this.#details = details;
    new ResizeObserver(() => this.#redraw()).observe(svg);
    details.addEventListener("toggle", () => this.#redraw());
    svg.addEventListener("pointermove", (event) => this.#hover(event));
    svg.addEventListener("pointerleave", () => this.#hover(null));
  }

  /** The names of the configurations from the smallest to the largest, and the seconds from window to window. */
  setLadder(ids, hopSeconds) {
    this.#rungs = new Map(ids.map((id, rung) => [id, rung]));
    this.#hop = hopSeconds > 0 ? hopSeconds : 1;
    this.#redraw();
  }

  /** The budget in force, which an empty chart is drawn around. */
  setBudget(ms) {
    if (this.#budget === ms) return;
    this.#budget = ms;
    if (this.#points.length === 0) this.#redraw();
  }

  /** Forgets everything: another run of the daemon. */
  clear() {
    this.#points = [];
    this.#hovered = null;
    this.#redraw();
  }

  /** Takes a decision. */
  push(decision) {
    const before = this.#points.at(-1);
    this.#points.push({
      // Seconds on an axis of our own: the stream's clock may be missing, stand still or be set back, and only the
      // steps between windows are ever shown.
      at: before ? before.at + this.#step(before, decision) : 0,
      window: decision.window,
      time: decision.time_s,
      activity: decision.activity,
      latency: decision.latency_ms,
      infer: decision.timings_ms.infer,
      head: decision.head,
      budget: decision.budget_ms,
      id: decision.configuration,
      miss: decision.miss,
      reason: decision.reason,
    });
    // after hours without a window what was before them would squeeze the rest together
    const oldest = this.#points.at(-1).at - 2 * KEPT * this.#hop;
    while (this.#points.length > KEPT || this.#points[0].at < oldest) this.#points.shift();
    this.#redraw();
  }

  #step(before, decision) {
    const byClock = decision.time_s - before.time;
    if (before.time !== null && decision.time_s !== null && byClock > 0 && byClock < 86_400) return byClock;
    return Math.max(decision.window - before.window, 1) * this.#hop;
  }

  #redraw() {
    if (this.#queued) return;
    this.#queued = true;
    const wait = Math.max(this.#drawnAt + PAUSE_MS - performance.now(), 0);
    // a hidden tab gets no frames, and so draws nothing
    setTimeout(() => requestAnimationFrame((now) => {
      this.#queued = false;
      this.#drawnAt = now;
      this.#draw();
    }), wait);
  }

  #draw() {
    this.#summary.textContent = this.#sentence();
    this.#drawReadout();
    if (this.#details.open) this.#drawTable();
    const { width, height } = this.#svg.getBoundingClientRect();
    this.#svg.replaceChildren();
    if (width < 80) return;
    const layout = this.#lay(width, height);
    this.#layout = layout;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#drawAxes(layout);
    if (this.#points.length === 0) return;
    this.#drawLatency(layout);
    this.#drawRungs(layout);
    this.#drawHover(layout);
  }

  #lay(width, height) {
    const points = this.#points;
    const last = points.at(-1)?.at ?? 0;
    const span = Math.max(last - (points[0]?.at ?? 0), SHORTEST);
    const right = width - MARGIN.right;
    // wide enough for the names of the configurations, in a font that is not known here
    const left = Math.max(40, ...[...this.#rungs.keys()].map((id) => 10 + 7 * Math.min(id.length, 14)));
    const rowsHeight = Math.min(Math.max(this.#rungs.size, 1) * 9, height * 0.36);
    const floor = height - MARGIN.bottom - rowsHeight - GAP;
    let low = points.length === 0 ? this.#budget / 100 : Infinity;
    let high = points.length === 0 ? this.#budget * 1.15 : 0;
    for (const point of points) {
      low = Math.min(low, point.infer > 0 ? point.infer : point.latency);
      high = Math.max(high, point.latency, point.budget * 1.15);
    }
    low = niceBelow(Math.max(low, 1e-3));
    high = niceAbove(Math.max(high, low * 10));
    const scale = (floor - MARGIN.top) / Math.log(high / low);
    return {
      width, height, left, right, floor, span, last, low, high,
      rowsTop: floor + GAP,
      rowsHeight,
      x: (at) => right - ((last - at) / span) * (right - left),
      y: (ms) => floor - Math.log(Math.max(ms, low) / low) * scale,
      row: (rung) => floor + GAP + rowsHeight * (1 - (rung + 0.5) / Math.max(this.#rungs.size, 1)),
    };
  }

  #drawAxes({ width, left, right, floor, span, last, low, high, x, y, rowsTop, rowsHeight, height }) {
    const budget = this.#points.at(-1)?.budget ?? this.#budget;
    for (const tick of ticks(low, high, y(low) - y(low * 10) < 70)) {
      this.#line("grid", left, y(tick), right, y(tick));
      // the budget is a tick of its own, and the more important one
      if (Math.abs(y(tick) - y(budget)) > 13) this.#text("tick end", left - 6, y(tick) + 4, plain(tick));
    }
    this.#text("budget-label end", left - 6, y(budget) + 4, plain(budget));
    this.#text("title", 0, 11, "latency, ms (logarithmic)");
    this.#text("title", 0, floor + GAP - 9, "configuration");
    const step = [5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400].find((s) => span / s <= width / 90);
    for (let ago = 0; ago <= span && step; ago += step) {
      const at = x(last - ago);
      this.#line("grid", at, MARGIN.top, at, floor);
      this.#line("grid", at, rowsTop, at, rowsTop + rowsHeight);
      const words = ago === 0 ? "now" : step < 60 ? `−${ago} s` : `−${plain(ago / 60)} min`;
      this.#text(ago === 0 ? "tick end" : "tick middle", ago === 0 ? right + MARGIN.right - 2 : at, height - 6, words);
    }
  }

  #drawLatency({ x, y, right }) {
    let stems = "";
    let budget = "";
    let misses = "";
    const dots = new Map();
    for (const point of this.#points) {
      const at = x(point.at).toFixed(1);
      const top = y(point.latency).toFixed(1);
      if (point.infer > 0 && point.infer < point.latency) stems += `M${at} ${top}V${y(point.infer).toFixed(1)}`;
      const line = y(point.budget).toFixed(1);
      budget += budget === "" ? `M${at} ${line}` : `H${at}V${line}`;
      if (point.miss) misses += `M${at} ${top}m-4.5-4.5l9 9m0-9l-9 9`;
      else dots.set(point.id, `${dots.get(point.id) ?? ""}M${at} ${top}h0`);
    }
    this.#path("stems", stems);
    this.#path("budget", `${budget}H${right}`);
    for (const [id, path] of dots) this.#rung(this.#path("dots", path), id);
    this.#path("misses-halo", misses);
    this.#path("misses", misses);
  }

  #drawRungs({ x, row, left, right }) {
    let steps = "";
    const dots = new Map();
    for (const point of this.#points) {
      const rung = this.#rungs.get(point.id);
      if (rung === undefined) continue; // of a ladder that has been replaced since
      const at = x(point.at).toFixed(1);
      const line = row(rung).toFixed(1);
      steps += steps === "" ? `M${at} ${line}` : `H${at}V${line}`;
      dots.set(point.id, `${dots.get(point.id) ?? ""}M${at} ${line}h0`);
    }
    const ids = [...this.#rungs.keys()];
    for (const rung of new Set([0, ids.length - 1])) {
      if (rung >= 0) this.#text("tick end", left - 6, row(rung) + 4, ids[rung]);
    }
    if (steps !== "") this.#path("steps", `${steps}H${right}`);
    for (const [id, path] of dots) this.#rung(this.#path("dots small", path), id);
  }

  #drawHover({ x, y, floor, rowsTop, rowsHeight }) {
    const point = this.#hovered;
    if (!point || !this.#points.includes(point)) return;
    const at = x(point.at);
    this.#line("crosshair", at, MARGIN.top, at, floor);
    this.#line("crosshair", at, rowsTop, at, rowsTop + rowsHeight);
    this.#path("ring", `M${at} ${y(point.latency)}m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0`);
  }

  #hover(event) {
    this.#hovered = null;
    if (event && this.#layout && this.#points.length > 0) {
      const { x } = this.#layout;
      const pointer = event.clientX - this.#svg.getBoundingClientRect().left;
      const distance = (point) => Math.abs(x(point.at) - pointer);
      this.#hovered = this.#points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
    }
    this.#redraw();
  }

  #drawReadout() {
    const point = this.#hovered ?? this.#points.at(-1);
    if (!point) {
      this.#readout.textContent = "";
      return;
    }
    const words = document.createElement("span");
    const ago = this.#points.at(-1).at - point.at;
    words.textContent =
      `${ago < 0.5 ? "Latest" : `${number(ago)} s before`}: ${point.id}, ${milliseconds(point.latency)}` +
      ` (inference ${milliseconds(point.infer)}${point.head ? `, ${milliseconds(point.head.infer_ms)} before` : ""}) of ${plain(point.budget)} ms` +
      `${point.miss ? ", a miss" : ""}; ${spoken(point.activity)}; ${spoken(point.reason)}`;
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    this.#rung(swatch, point.id);
    this.#readout.replaceChildren(swatch, words);
  }

  /** The chart in one sentence, for those who cannot or need not see it. */
  #sentence() {
    const points = this.#points;
    if (points.length === 0) return "No window has been decided yet.";
    const latencies = points.map((point) => point.latency).sort((a, b) => a - b);
    const rank = (share) => latencies[Math.max(Math.ceil(share * latencies.length) - 1, 0)];
    // of fewer, one in a hundred is none
    const slowest = points.length < 100 ? "" : `99 of 100 within ${milliseconds(rank(0.99))}, `;
    const misses = points.filter((point) => point.miss).length;
    const uses = new Map();
    for (const { id } of points) uses.set(id, (uses.get(id) ?? 0) + 1);
    const [most, times] = [...uses].reduce((best, entry) => (entry[1] > best[1] ? entry : best));
    const minutes = (points.at(-1).at - points[0].at) / 60;
    const time = minutes >= 1 ? `${number(minutes, 2)} min` : `${Math.round(minutes * 60)} s`;
    const timed = points.some((point) => point.miss !== null);
    const missed = !timed ? "not timed" : misses === 0 ? "no miss" : `${misses} missed (${percent(misses / points.length)})`;
    const configurations =
      uses.size === 1 ? `all by ${most}` : `${uses.size} configurations, ${most} the most often (${percent(times / points.length, 0)})`;
    const windows = points.length === 1 ? "1 window" : `${points.length} windows in ${time}`;
    return `${windows}: median ${milliseconds(rank(0.5))}, ${slowest}${missed}; ${configurations}.`;
  }

  #drawTable() {
    const rows = this.#points.slice(-ROWS).reverse().map((point) => {
      const row = document.createElement("tr");
      const cells = [
        point.window, spoken(point.activity), point.id, number(point.infer), number(point.latency), plain(point.budget),
        point.miss === null ? "not timed" : point.miss ? "miss" : "in time",
      ];
      for (const cell of cells) row.insertCell().textContent = cell;
      row.classList.toggle("miss", point.miss === true);
      return row;
    });
    this.#table.replaceChildren(...rows);
  }

  /** Gives `element` the colour of the configuration `id`. */
  #rung(element, id) {
    paint(element, this.#rungs.get(id), this.#rungs.size);
  }

  #element(name, kind, attributes) {
    const element = document.createElementNS(SVG, name);
    element.setAttribute("class", kind);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    this.#svg.append(element);
    return element;
  }

  #line(kind, x1, y1, x2, y2) {
    return this.#element("line", kind, { x1, y1, x2, y2 });
  }

  #path(kind, d) {
    return this.#element("path", kind, { d });
  }

  #text(kind, x, y, words) {
    this.#element("text", kind, { x, y }).textContent = words;
  }
}

/**
 * Gives `element` the place of configuration number `rung` of `total` on the colour scale. The style sheet makes a colour
 * of it: lightness falls from the smallest to the largest configuration, so that hue is not needed to tell the order.
 */
export function paint(element, rung, total) {
  element.classList.toggle("rung", rung !== undefined);
  if (rung !== undefined) element.style.setProperty("--rung", total > 1 ? rung / (total - 1) : 1);
}

const NICE = [1, 2, 5];

/** All of 1, 2 and 5 times a power of ten from `low` to `high`, or the powers of ten alone. */
function ticks(low, high, wide) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const digit of wide ? [1] : NICE) {
      const tick = digit * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) found.push(tick);
    }
  }
  return found;
}

function niceBelow(value) {
  return ticks(value / 10, value, false).at(-1);
}

function niceAbove(value) {
  return ticks(value, value * 10, false)[0];
}
