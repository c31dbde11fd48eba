// The dashboard: takes the daemon's events and shows them. What it shows it forgets again after the last 300 windows and
// the last ten seconds of samples, so that it can stay open for weeks.

import { LatencyChart, paint } from "./chart.js";
import { Controls } from "./controls.js";
import { activityEntry } from "./entry.js";
import { Stream } from "./stream.js";
import { Timeline } from "./timeline.js";
import { Traces } from "./traces.js";
import { UNKNOWN, count, duration, isNumber, megabytes, milliseconds, mmacs, number, percent, plain, spoken } from "./words.js";

/** A change of activity is announced when it has lasted, and no more often than this, in milliseconds. */
const ANNOUNCE_MS = 4000;

const at = (id) => document.getElementById(id);
const show = (id, words) => {
  const element = at(id);
  // an unchanged text is left alone: screen readers and selections keep their place
  if (element.textContent !== words) element.textContent = words;
};
const badge = (id, kind, words) => {
  at(id).dataset.kind = kind;
  show(id, words);
};

const chart = new LatencyChart({
  svg: at("chart"), summary: at("chart-summary"), readout: at("readout"), table: at("latency-table"), details: at("latency-details"),
});
const traces = new Traces(at("traces"));
const timeline = new Timeline({
  minutes: at("minutes"), today: at("today"), todayFigure: at("today-figure"), shares: at("shares"), sharesTitle: at("shares-title"),
  note: at("timeline-note"),
}, () => fetchActivities());
const controls = new Controls({
  token: at("token"), tokenForm: at("token-form"), width: at("pin-width"), resolution: at("pin-resolution"), pinForm: at("pin-form"),
  automatic: at("automatic"), pinned: at("pinned"), budget: at("budget"), budgetForm: at("budget-form"), reload: at("reload"),
  answer: at("answer"), section: at("controls"), noToken: at("no-token"),
});

/** What is known of the run that is being watched. */
let run = null;
let lastNumber = -1;
let configurations = [];
let latest = null;
/** The daemon has said that its run is over. */
let ended = false;

// --- activities ---------------------------------------------------------------------------------------------------

const activities = new Map();
/** More activities than this are a list of as many of the most probable, not tiles. */
const TILES = 8;

function setLabels(labels) {
  if (labels.join("\n") === [...activities.keys()].join("\n")) return;
  activities.clear();
  at("activities").classList.toggle("list", labels.length > TILES);
  at("others").hidden = labels.length <= TILES;
  show("others", "");
  at("activities").replaceChildren(...labels.map((label) => {
    const { entry, share, filled } = activityEntry(label);
    share.textContent = UNKNOWN;
    activities.set(label, { entry, share, filled });
    return entry;
  }));
}

function showActivities({ activity, belief }) {
  for (const [label, { entry, share, filled }] of activities) {
    const probability = belief[label] ?? 0;
    share.textContent = percent(probability);
    filled.style.transform = `scaleX(${probability})`;
    if (label === activity) entry.setAttribute("aria-current", "true");
    else entry.removeAttribute("aria-current");
  }
  if (activities.size > TILES) showMostProbable(belief);
  show("activity-note", `Recognised: ${spoken(activity)}, ${percent(belief[activity])}`);
}

/** Puts the most probable activities in order, and says how many others there are. */
function showMostProbable(belief) {
  const sorted = [...activities].sort(([a], [b]) => (belief[b] ?? 0) - (belief[a] ?? 0));
  at("activities").append(...sorted.map(([, { entry }]) => entry));
  sorted.forEach(([, { entry }], place) => {
    entry.hidden = place >= TILES;
  });
  const rest = sorted.slice(TILES).reduce((sum, [label]) => sum + (belief[label] ?? 0), 0);
  show("others", `${sorted.length - TILES} others: ${percent(rest)} together`);
}

let steady = null;
let candidate = null;
let announced = null;
let announcing = null;

/** Announces an activity that two windows in a row agree on: one odd window is no news. */
function announce(activity) {
  if (activity === candidate) steady = activity;
  candidate = activity;
  if (steady === announced || announcing !== null) return;
  announcing = setTimeout(() => {
    announcing = null;
    if (steady === announced) return; // back again meanwhile
    announced = steady;
    show("announcement", `Activity: ${spoken(steady)}`);
  }, announced === null ? 0 : ANNOUNCE_MS);
}

// --- configuration, ladder, settings ------------------------------------------------------------------------------

function showLadder() {
  at("ladder-legend").replaceChildren(...configurations.map((configuration, rung) => {
    const entry = document.createElement("li");
    entry.dataset.id = configuration.id;
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    paint(swatch, rung, configurations.length);
    entry.append(swatch, configuration.id);
    if (isNumber(configuration.macs)) entry.title = `${mmacs(configuration.macs)} MMACs`;
    return entry;
  }));
}

function showConfiguration() {
  if (latest === null) return;
  const id = latest.configuration;
  const rung = configurations.findIndex((one) => one.id === id);
  const configuration = configurations[rung];
  show("configuration", id);
  paint(at("configuration-swatch"), rung < 0 ? undefined : rung, configurations.length);
  show("width", configuration?.width === undefined ? UNKNOWN : `${configuration.width.toFixed(2)}x`);
  show("resolution", configuration?.resolution === undefined ? UNKNOWN : `${configuration.resolution} steps`);
  show("mmacs", number(latest.mmacs));
  for (const entry of at("ladder-legend").children) {
    if (entry.dataset.id === id) entry.setAttribute("aria-current", "true");
    else entry.removeAttribute("aria-current");
  }
}

/** What a cascade did, where one was picked. */
function asked(cascade) {
  if (!cascade) return "";
  const { small, large, sure, second } = cascade;
  return second === "answered" ? `; asked after ${small} was ${percent(sure)} sure` : `; ${large}: ${spoken(second)}, ${percent(sure)} sure`;
}

function showSettings(settings) {
  if (!settings || settings.policy === undefined) return;
  controls.setSettings(settings);
  const { policy, objective } = settings;
  show("policy", policy.kind + (policy.configuration ? ` (${policy.configuration})` : ""));
  show("objective", objective.kind === "energy" ? `energy, accuracy ≥ ${plain(objective.accuracy_floor * 100)} %` : objective.kind);
  show("miss-target", `≤ ${plain(settings.miss_target * 100)} %`);
  show("cpu-budget", settings.cpu_budget_percent === null ? "no cap" : `≤ ${plain(settings.cpu_budget_percent)} %`);
  show("budget-now", `${plain(settings.budget_ms)} ms`);
  chart.setBudget(settings.budget_ms);
}

/** A number that grows with every look-up, so that an old answer does not overwrite a newer one. */
let lookup = 0;

/** Fetches what the events do not carry. */
async function fetchLadder() {
  const mine = ++lookup;
  try {
    const paths = ["/api/ladder", "/api/control", "/api/status"];
    const answers = await Promise.all(paths.map((path) => fetch(path, { cache: "no-store" })));
    const [ladder, settings, status] = await Promise.all(answers.map((answer) => (answer.ok ? answer.json() : null)));
    if (mine !== lookup) return;
    if (ladder !== null) {
      configurations = ladder.configurations;
      setLabels(ladder.labels);
      chart.setLadder(configurations.map((one) => one.id), ladder.hop / ladder.sample_rate_hz);
      traces.setChannels(ladder.channels, ladder.sample_rate_hz);
      controls.setLadder(configurations);
      show("sensors-note", `the last 10 s as they arrive, ${plain(ladder.sample_rate_hz)} samples a second`);
      showLadder();
      showConfiguration();
      if (latest !== null) showActivities(latest);
    }
    showSettings(settings);
    if (status !== null) controls.setToken(status.token);
  } catch {
    // The daemon went away in between. The connection says so, and its return brings another `hello`.
  }
}

let activitiesLookup = 0;

/** Fetches what the wearer did before this page was opened. */
async function fetchActivities() {
  const mine = ++activitiesLookup;
  try {
    const answer = await fetch("/api/activities", { cache: "no-store" });
    const did = answer.ok ? await answer.json() : null;
    if (did !== null && mine === activitiesLookup) timeline.set(did);
  } catch {
    // as above
  }
}

// --- status -------------------------------------------------------------------------------------------------------

const SOURCE_KINDS = { streaming: "good", waiting: "idle", silent: "bad", retrying: "bad", ended: "idle" };

function showStatus(status) {
  const { source, windows, misses, ready, alive } = status;
  at("simulated").hidden = !source.simulated;
  // a fault is told in one place, and that is `trouble`
  const good = SOURCE_KINDS[source.state] !== "bad";
  at("source-state").hidden = !good;
  at("readiness").hidden = !ready.ready;
  badge("source-state", SOURCE_KINDS[source.state] ?? "idle", `source: ${source.state}`);
  badge("readiness", "good", "ready");
  const age = source.state === "silent" && isNumber(source.last_sample_age_s) ? `the last sample came ${duration(source.last_sample_age_s)} ago` : null;
  const reasons = ready.reasons.filter((reason) => reason !== alive.reason);
  const implausible = source.implausible.filter(({ present, response }) => present && response !== "ignore");
  trouble([
    alive.alive ? null : `The daemon is stuck: ${alive.reason ?? "no reason given"}.`,
    reasons.length === 0 ? null : `Not ready: ${reasons.join("; ")}.`,
    // what is held back is a reason not to be ready
    ...implausible.map(({ response, explanation }) => (response === "hold" ? null : `Implausible samples: ${explanation}.`)),
    // where it is why the daemon is not ready, that says it
    (source.detail && !ready.reasons.some((reason) => reason.includes(source.detail))) || (age && ready.ready) ? `Source (${source.state}): ${source.detail ?? age}.` : null,
    ...status.outputs.map(({ name, state, detail }) => (detail ? `Output ${name} (${state}): ${detail}.` : null)),
    status.reloads.last && !status.reloads.last.ok ? `The last reload was refused: ${status.reloads.last.message}.` : null,
  ]);
  badge("connection", "good", "connected"); // and keeps up again, where it had lost events
  show("model", `${status.model.name} on ${source.name}`);
  show("version", `gaitd ${status.version}, run ${status.run}, process ${status.pid}`);
  show("produced", count(windows.produced));
  show("decided", count(windows.decided));
  show("dropped", count(windows.dropped));
  show("held", count(windows.held));
  show("failed", count(windows.failed));
  show("lost", count(windows.lost));
  show("switches", count(status.switches));
  const fates = Object.entries(status.cascades).filter(([, windows]) => windows > 0);
  show("cascades", fates.length === 0 ? "none" : fates.map(([fate, windows]) => `${count(windows)} ${spoken(fate)}`).join(", "));
  show("misses", misses ? `${count(misses.count)} (${percent(misses.rate, 2)})` : "not timed");
  const { samples: total, resets: _resets, ...faults } = source.samples;
  const kinds = Object.entries(faults).filter(([, times]) => times > 0);
  show("faults", total === 0 ? UNKNOWN : kinds.length === 0 ? "none" : kinds.map(([kind, times]) => `${count(times)} ${spoken(kind)}`).join(", "));
  show("uptime", duration(status.uptime_s));
  show("memory", megabytes(status.memory.resident_bytes));
  show("slowdown", status.slowdown ? `${number(status.slowdown.mean)} ± ${number(status.slowdown.spread, 2)}` : "not estimated");
  showSignals(status.signals);
  showSettings(status.settings);
  controls.setToken(status.token);
}

function showSignals({ cpu, pressure, frequency, temperature_c: temperature }) {
  show("cpu", percent(cpu, 0));
  show("pressure", percent(pressure));
  at("cpu-bar").style.transform = `scaleX(${cpu ?? 0})`;
  at("pressure-bar").style.transform = `scaleX(${pressure ?? 0})`;
  show("frequency", isNumber(frequency) ? `${percent(frequency, 0)} of max.` : UNKNOWN);
  show("temperature", isNumber(temperature) ? `${number(temperature)} °C` : UNKNOWN);
}

function trouble(sentences) {
  const words = sentences.filter((sentence) => sentence !== null).join(" ").replaceAll("..", ".");
  at("trouble").hidden = words === "";
  show("trouble", words);
}

// --- events -------------------------------------------------------------------------------------------------------

function forget() {
  latest = null;
  steady = candidate = null;
  lastNumber = -1;
  chart.clear();
  timeline.clear();
  traces.clear();
}

/** Another run is another daemon, whose windows do not go on from those shown. */
function watchRun(name) {
  if (name === run) return;
  if (run !== null) forget();
  run = name;
}

const handlers = {
  hello(hello) {
    at("simulated").hidden = !hello.simulated;
    document.title = `gaitd: ${hello.model}`;
    show("model", `${hello.model} on ${hello.source}`);
    setLabels(hello.labels);
    // the names are enough for colours; the rest comes with the ladder
    if (configurations.map((one) => one.id).join() !== hello.configurations.join()) {
      configurations = hello.configurations.map((id) => ({ id }));
      chart.setLadder(hello.configurations, 1);
      showLadder();
    }
    fetchLadder();
    fetchActivities();
  },
  decision(decision) {
    latest = decision;
    showActivities(decision);
    announce(decision.activity);
    chart.push(decision);
    timeline.push(decision);
    showConfiguration();
    const predicted = isNumber(decision.predicted_ms) ? `; predicted ${milliseconds(decision.predicted_ms)}` : "";
    show("reason", `Picked as: ${spoken(decision.reason)}${predicted}${asked(decision.cascade)}`);
    show("latency", `${milliseconds(decision.latency_ms)}${decision.miss ? " (miss)" : ""}`);
    show("budget-now", `${plain(decision.budget_ms)} ms`);
    showSignals(decision.signals);
  },
  samples(samples) {
    traces.push(samples);
  },
  status(status) {
    watchRun(status.run);
    showStatus(status);
  },
  settings: showSettings,
  reload() {
    fetchLadder();
  },
  bye() {
    ended = true;
  },
  lost({ events }) {
    badge("connection", "bad", `connected, too slow: ${count(events)} events lost`);
  },
};

const stream = new Stream("/api/events", {
  onEvent(name, data, id) {
    if (id !== null) {
      const cut = id.lastIndexOf("-"); // `RUN-N`
      watchRun(id.slice(0, cut));
      if (name === "decision") {
        const place = Number(id.slice(cut + 1));
        if (place <= lastNumber) return; // sent again after a reconnection
        lastNumber = place;
      }
    }
    handlers[name]?.(data);
  },
  onState(state, detail) {
    if (state === "connected") ended = false;
    const over = ended && state === "reconnecting";
    const kinds = { connected: "good", connecting: "idle", reconnecting: over ? "idle" : "bad", paused: "idle" };
    badge("connection", kinds[state], over ? "this run has ended" : state);
    at("connection").title = over ? "The page goes on with the next run." : detail;
    // what is on the page is old news while nothing comes in
    at("main").classList.toggle("stale", state !== "connected");
    if (state !== "connected") {
      at("source-state").hidden = at("readiness").hidden = false;
      badge("source-state", "idle", "source: unknown");
      badge("readiness", "idle", "readiness: unknown");
    }
    if (over) trouble([]);
    else if (state === "reconnecting") trouble([`Connection lost: ${detail}. Trying again by itself.`]);
    else if (state === "connected") trouble([]);
  },
});
stream.start();
