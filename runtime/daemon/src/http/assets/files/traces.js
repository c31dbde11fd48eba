// The last seconds of the raw sensor channels: one picture for each unit, drawn on a canvas because it changes ten times
// a second.

import { UNKNOWN, plain } from "./words.js";

/** Seconds shown. */
const SECONDS = 10;
/** Samples kept of a channel at most, whatever the rate. */
const LARGEST = 20_000;
/** Pause between two drawings in milliseconds: ordinarily, and where less motion is asked for. */
const PAUSE_MS = { full: 60, reduced: 1000 };
/** Pause between two changes of the numbers beside the traces: nobody reads ten a second. */
const NUMBERS_MS = 500;

const SENSORS = new Map([
  ["g", "Accelerometer"], ["m/s2", "Accelerometer"], ["m/s^2", "Accelerometer"],
  ["rad/s", "Gyroscope"], ["deg/s", "Gyroscope"],
  ["uT", "Magnetometer"], ["µT", "Magnetometer"], ["hPa", "Barometer"], ["bpm", "Heart rate"],
]);

export class Traces {
  #place;
  #groups = [];
  #rate = 50;
  #kept = 0;
  #channels = [];
  #reduced = matchMedia("(prefers-reduced-motion: reduce)");
  #queued = false;
  #drawnAt = -Infinity;
  #numbersAt = -Infinity;

  constructor(place) {
    this.#place = place;
    new ResizeObserver(() => this.#redraw()).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
  }

  /** The raw channels (`{name, unit}`) and their rate. */
  setChannels(channels, rate) {
    const same = JSON.stringify([channels, rate]) === JSON.stringify([this.#channels, this.#rate]);
    if (same && this.#groups.length > 0) return;
    this.#channels = channels;
    this.#rate = rate;
    this.#kept = Math.min(Math.max(Math.ceil(rate * SECONDS), 2), LARGEST);
    const units = [...new Set(channels.map((channel) => channel.unit))];
    this.#groups = units.map((unit) => this.#group(unit, channels.filter((channel) => channel.unit === unit)));
    this.#place.replaceChildren(...this.#groups.map((group) => group.figure));
  }

  /** Forgets the samples. */
  clear() {
    for (const trace of this.#groups.flatMap((group) => group.traces)) {
      trace.values.fill(NaN);
      trace.next = 0;
      trace.latest.textContent = UNKNOWN;
    }
    this.#redraw();
  }

  /** Takes a `samples` event. */
  push({ channels, values }) {
    const column = new Map(channels.map((name, index) => [name, index]));
    for (const trace of this.#groups.flatMap((group) => group.traces)) {
      const index = column.get(trace.name);
      for (const sample of values) {
        const value = index === undefined ? null : sample[index];
        trace.values[trace.next] = value ?? NaN; // a hole in the data is a hole in the line
        trace.next = (trace.next + 1) % this.#kept;
      }
    }
    this.#redraw();
  }

  #group(unit, channels) {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const title = document.createElement("h3");
    title.textContent = SENSORS.has(unit) ? `${SENSORS.get(unit)}, ${unit}` : `Sensor, ${unit}`;
    const legend = document.createElement("ul");
    legend.className = "legend";
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    const names = channels.map((channel) => channel.name).join(", ");
    canvas.setAttribute("aria-label", `Traces of ${names} over the last ${SECONDS} seconds; the latest values stand beside it`);
    const traces = channels.map(({ name }, index) => {
      const entry = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.className = `swatch line trace-${index % 6}`;
      const latest = document.createElement("span");
      latest.className = "latest";
      latest.textContent = UNKNOWN;
      entry.append(swatch, name, latest);
      legend.append(entry);
      return { name, swatch, latest, values: new Float32Array(this.#kept).fill(NaN), next: 0 };
    });
    caption.append(title, legend);
    figure.append(caption, canvas);
    return { figure, canvas, traces, low: 0, high: 0 };
  }

  #redraw() {
    if (this.#queued) return;
    this.#queued = true;
    const pause = this.#reduced.matches ? PAUSE_MS.reduced : PAUSE_MS.full;
    const wait = Math.max(this.#drawnAt + pause - performance.now(), 0);
    setTimeout(() => requestAnimationFrame((now) => {
      this.#queued = false;
      this.#drawnAt = now;
      for (const group of this.#groups) this.#draw(group);
      if (now - this.#numbersAt >= NUMBERS_MS) {
        this.#numbersAt = now;
        for (const group of this.#groups) this.#numbers(group);
      }
    }), wait);
  }

  #numbers({ traces }) {
    for (const { latest, values, next } of traces) {
      const value = values[(next + this.#kept - 1) % this.#kept];
      latest.textContent = Number.isNaN(value) ? UNKNOWN : value.toFixed(Math.abs(value) < 100 ? 2 : 0).replace("-", "−");
    }
  }

  #draw(group) {
    const { canvas, traces } = group;
    const { width, height } = canvas.getBoundingClientRect();
    if (width < 20) return;
    const density = window.devicePixelRatio || 1;
    // setting the size clears the canvas, and costs an allocation where it really changes
    if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    range(group);
    const { low, high } = group;
    const left = 40;
    const bottom = height - 16;
    const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - 6);
    const x = (age) => width - 1 - (age / (this.#kept - 1)) * (width - 1 - left);

    pen.font = style.font;
    pen.fillStyle = style.color;
    pen.strokeStyle = style.borderTopColor;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    for (const value of [low, (low + high) / 2, high]) {
      const line = Math.round(y(value)) + 0.5;
      pen.beginPath();
      pen.moveTo(left, line);
      pen.lineTo(width, line);
      pen.stroke();
      pen.fillText(plain(value), left - 6, Math.min(Math.max(line + 4, 10), bottom + 4));
    }
    pen.textAlign = "left";
    pen.fillText(`−${Math.round((this.#kept - 1) / this.#rate)} s`, left, height - 2);
    pen.textAlign = "right";
    pen.fillText("now", width - 1, height - 2);

    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    for (const { values, next, swatch } of traces) {
      pen.strokeStyle = getComputedStyle(swatch).color;
      pen.beginPath();
      let down = false;
      for (let index = 0; index < this.#kept; index += 1) {
        const value = values[(next + index) % this.#kept];
        if (Number.isNaN(value)) down = false;
        else if (down) pen.lineTo(x(this.#kept - 1 - index), y(value));
        else {
          pen.moveTo(x(this.#kept - 1 - index), y(value));
          down = true;
        }
      }
      pen.stroke();
    }
  }
}

/** Sets the range of `group`: whole steps around what is shown, so that the scale does not tremble with every sample. */
function range(group) {
  let least = Infinity;
  let most = -Infinity;
  for (const { values } of group.traces) {
    for (const value of values) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  if (least > most) [least, most] = [-1, 1];
  const span = Math.max(most - least, 0.5); // noise at rest is not to look like movement
  const power = 10 ** Math.floor(Math.log10(span));
  const step = [0.5, 1, 2, 5].map((digit) => digit * power).find((size) => span / size <= 3) ?? 10 * power;
  const low = Math.floor(least / step) * step;
  const high = Math.ceil(most / step) * step;
  // wider at once, narrower only when it is worth it
  if (low < group.low || high > group.high || (high - low) < 0.6 * (group.high - group.low)) {
    group.low = low;
    group.high = high > low ? high : low + step;
  }
}
