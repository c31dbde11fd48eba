// What the wearer did: spans of one activity each, over the last minutes and over today, and the minutes of each activity.
//
// The daemon has the spans of today; from there on they grow by the decisions as they come. What is drawn is a list of
// spans, whatever makes them.

import { activityEntry } from "./entry.js";
import { span, spoken } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
/** The last minutes that are shown. */
const LATEST = 10 * MINUTE;
/** As many as the daemon keeps. */
const MOST_SPANS = 4096;
/** Activities that have a row of their own; the others share one. */
const ROWS = 8;
const ROW = 20;
const AXIS = 20;
const PAUSE_MS = 250;

export class Timeline {
  #elements;
  #spans = [];
  #hop = 1000;
  #midnight = null;
  #shares = new Map();
  #loaded = false;
  #early = [];
  #queued = false;
  #refetch;

  /** `elements`: `minutes`, `today` (svg), `todayFigure`, `shares` (ul), `sharesTitle`, `note`; `refetch` asks for the spans anew. */
  constructor(elements, refetch) {
    this.#elements = elements;
    this.#refetch = refetch;
    for (const svg of [elements.minutes, elements.today]) new ResizeObserver(() => this.#redraw()).observe(svg);
    this.#redraw();
  }

  /** Forgets everything: another run of the daemon. */
  clear() {
    this.#spans = [];
    this.#early = [];
    this.#shares.clear();
    this.#midnight = null;
    this.#loaded = false;
    this.#redraw();
  }

  /** Takes `/api/activities`; decisions that came before it and are newer are added. */
  set({ hop_s: hop, midnight, total, today, spans }) {
    this.#hop = hop * 1000;
    this.#midnight = midnight === null ? null : Date.parse(midnight);
    this.#spans = spans.map(({ activity, from, until }) => ({ activity, from: Date.parse(from), until: Date.parse(until) }));
    this.#shares = new Map((midnight === null ? total : today).map(({ activity, seconds }) => [activity, seconds]));
    this.#loaded = true;
    const last = this.#spans.at(-1)?.until ?? -Infinity;
    const early = this.#early;
    this.#early = [];
    for (const decision of early) if (decision.time !== null && Date.parse(decision.time) > last) this.push(decision);
    this.#redraw();
  }

  /** Takes a decision. */
  push(decision) {
    if (!this.#loaded) {
      // those of the last minutes come before the answer, and are in it
      this.#early.push(decision);
      if (this.#early.length > 64) this.#early.shift();
      return;
    }
    this.#shares.set(decision.activity, (this.#shares.get(decision.activity) ?? 0) + this.#hop / 1000);
    if (typeof decision.time === "string") {
      const until = Date.parse(decision.time);
      const last = this.#spans.at(-1);
      // a clock that was set back, another day, a stream that tells its time for the first time
      if (this.#midnight === null || (last && until <= last.until) || until >= this.#midnight + DAY) {
        this.#loaded = false;
        this.#refetch();
        return;
      }
      const from = until - this.#hop;
      if (last && last.activity === decision.activity && last.until + this.#hop >= from) last.until = until;
      else this.#spans.push({ activity: decision.activity, from: Math.max(from, last?.until ?? 0), until });
      while (this.#spans.length > MOST_SPANS) this.#spans.shift();
    }
    this.#redraw();
  }

  #redraw() {
    if (this.#queued) return;
    this.#queued = true;
    setTimeout(() => requestAnimationFrame(() => {
      this.#queued = false;
      this.#draw();
    }), PAUSE_MS);
  }

  #draw() {
    const { minutes, today, todayFigure, note } = this.#elements;
    const now = this.#spans.at(-1)?.until ?? null;
    note.textContent = this.#sentence(now);
    todayFigure.hidden = this.#midnight === null;
    const end = now ?? 0;
    const ago = (at) => (at === end ? "now" : `−${Math.round((end - at) / MINUTE)} min`);
    this.#axis(minutes, end - LATEST, end, [2, 5], ago);
    if (this.#midnight !== null && now !== null) {
      // from the hour in which the day's first span begins
      const first = Math.max(this.#spans.find(({ until }) => until > this.#midnight)?.from ?? now, this.#midnight);
      const start = this.#midnight + Math.floor((first - this.#midnight) / (60 * MINUTE)) * 60 * MINUTE;
      const stop = Math.max(now, start + 60 * MINUTE);
      const clock = (at) => {
        const day = Math.round((at - this.#midnight) / MINUTE);
        return `${String(Math.floor(day / 60)).padStart(2, "0")}:${String(day % 60).padStart(2, "0")}`;
      };
      this.#axis(today, start, stop, [10, 15, 30, 60, 120, 180, 360, 720], clock);
    }
    this.#drawShares();
  }

  /**
   * Draws the spans between `start` and `stop` on a row for each activity, and `words` of a time each so many minutes: the
   * first of `steps` for which there is room.
   */
  #axis(svg, start, stop, steps, words) {
    const { width } = svg.getBoundingClientRect();
    svg.replaceChildren();
    if (width < 80) return;
    const shown = this.#spans.filter(({ from, until }) => until > start && from < stop);
    const lengths = new Map();
    for (const { activity, from, until } of shown) {
      lengths.set(activity, (lengths.get(activity) ?? 0) + Math.min(until, stop) - Math.max(from, start));
    }
    const named = [...lengths.keys()].sort((a, b) => lengths.get(b) - lengths.get(a));
    const own = named.length > ROWS ? named.slice(0, ROWS - 1) : named;
    const rows = [...own, ...(named.length > own.length ? ["others"] : [])];
    const left = Math.min(130, width * 0.3);
    const right = width - 6;
    const floor = Math.max(rows.length, 1) * ROW;
    const wide = (step) => (step * MINUTE * (right - left)) / (stop - start);
    const step = (steps.find((step) => wide(step) >= 64) ?? steps.at(-1)) * MINUTE;
    const x = (at) => left + ((Math.min(Math.max(at, start), stop) - start) / (stop - start)) * (right - left);
    svg.style.height = `${floor + AXIS}px`;
    svg.setAttribute("viewBox", `0 0 ${width} ${floor + AXIS}`);
    const add = (name, kind, attributes, text = "") => {
      const element = document.createElementNS(SVG, name);
      element.setAttribute("class", kind);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      element.textContent = text;
      svg.append(element);
    };
    for (let at = stop - ((stop - start) % step); at >= start; at -= step) {
      add("line", "grid", { x1: x(at), y1: 0, x2: x(at), y2: floor });
      const anchor = x(at) > right - 18 ? "tick end" : x(at) < left + 18 ? "tick" : "tick middle";
      add("text", anchor, { x: x(at), y: floor + 14 }, words(at));
    }
    add("line", "grid", { x1: left, y1: floor, x2: right, y2: floor });
    rows.forEach((row, place) => {
      let path = "";
      for (const { activity, from, until } of shown) {
        const is = place < own.length ? activity === row : !own.includes(activity);
        // never narrower than can be seen
        const length = Math.max(x(until) - x(from), 1).toFixed(1);
        if (is) path += `M${x(from).toFixed(1)} ${place * ROW + 4}h${length}v12h-${length}z`;
      }
      const name = spoken(row);
      const most = Math.floor(left / 6.6);
      add("text", "title", { x: 0, y: place * ROW + 14 }, name.length > most ? `${name.slice(0, most - 1)}…` : name);
      add("path", "spans", { d: path });
    });
  }

  #drawShares() {
    const { shares, sharesTitle } = this.#elements;
    const sorted = [...this.#shares].filter(([, seconds]) => seconds > 0).sort(([, a], [, b]) => b - a);
    const whole = sorted.reduce((sum, [, seconds]) => sum + seconds, 0);
    sharesTitle.hidden = sorted.length === 0;
    sharesTitle.textContent = this.#midnight === null ? "Since the start" : "Today, in all";
    shares.replaceChildren(...sorted.map(([label, seconds]) => {
      const { entry, share, filled } = activityEntry(label);
      share.textContent = span(seconds);
      filled.style.transform = `scaleX(${seconds / whole})`;
      return entry;
    }));
  }

  /** The last minutes in one sentence. */
  #sentence(now) {
    if (now === null) {
      return this.#shares.size > 0 && [...this.#shares.values()].some((seconds) => seconds > 0)
        ? "The stream has no time of day."
        : "No window has been decided yet.";
    }
    const { activity, from, until } = this.#spans.at(-1);
    return `${spoken(activity)} for ${span((until - from) / 1000)}`;
  }
}
