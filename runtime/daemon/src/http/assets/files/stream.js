// The daemon's events, from a connection that comes back by itself.
//
// This reads the event stream with `fetch` rather than `EventSource`: a refusal can be shown in the daemon's own words, a
// connection that died without a word (a phone that slept, a wearable out of reach) is noticed, and a tab that
// nobody looks at lets go of the wearable.

/** The daemon says something every 15 s at the latest. */
const SILENCE_MS = 35_000;
/** First and longest pause between two attempts. */
const PAUSE_MS = [500, 8_000];
/** A tab hidden for so long stops listening. */
const HIDDEN_MS = 60_000;
/** No event is anywhere near as long; what is longer is not an event stream. */
const LONGEST = 4 * 1024 * 1024;

/** Cuts an event stream's text into events as it arrives. */
export class EventParser {
  #rest = "";

  /** Takes more text; returns the events that it completed, as `{event, data, id}`. */
  push(text) {
    this.#rest = (this.#rest + text).replace(/\r\n/g, "\n");
    const blocks = this.#rest.split("\n\n");
    this.#rest = blocks.pop();
    if (this.#rest.length > LONGEST) throw new Error("the daemon's event stream makes no sense");
    return blocks.map(parseBlock).filter((event) => event.data !== null);
  }
}

function parseBlock(block) {
  const parsed = { event: "message", data: null, id: null };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 1) continue; // a comment, or a field without a value
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") parsed.data = parsed.data === null ? value : `${parsed.data}\n${value}`;
    else if (field === "event" || field === "id") parsed[field] = value;
  }
  return parsed;
}

/**
 * Listens to `path` for as long as the page lives.
 *
 * `onEvent(name, data, id)` gets each event with its data parsed; `onState(state, detail)` gets `connecting`,
 * `connected`, `reconnecting` (with the reason) or `paused`.
 */
export class Stream {
  #path;
  #onEvent;
  #onState;
  #lastId = null;
  #pause = PAUSE_MS[0];
  #attempt = null;
  #timer = null;
  #hiding = null;

  constructor(path, { onEvent, onState }) {
    this.#path = path;
    this.#onEvent = onEvent;
    this.#onState = onState;
    document.addEventListener("visibilitychange", () => this.#visibility());
    window.addEventListener("online", () => this.#now());
  }

  start() {
    this.#onState("connecting", "");
    this.#connect();
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const attempt = new AbortController();
    this.#attempt = attempt;
    let reason = "the daemon has closed the connection";
    let silence = null;
    try {
      const headers = { Accept: "text/event-stream" };
      if (this.#lastId !== null) headers["Last-Event-ID"] = this.#lastId;
      const response = await fetch(this.#path, { headers, cache: "no-store", signal: attempt.signal });
      if (!response.ok) throw new Error(await complaint(response));
      this.#onState("connected", "");
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      const parser = new EventParser();
      for (;;) {
        silence = setTimeout(() => attempt.abort("silence"), SILENCE_MS);
        const { value, done } = await reader.read();
        clearTimeout(silence);
        if (done) break;
        // a stream that speaks is a good one; one that is opened and closed again is not, and is not hurried
        this.#pause = PAUSE_MS[0];
        for (const { event, data, id } of parser.push(decoder.decode(value, { stream: true }))) {
          if (id !== null) this.#lastId = id;
          try {
            this.#onEvent(event, JSON.parse(data), id);
          } catch (error) {
            reportError(error); // a fault of this page; the connection is sound
          }
        }
      }
    } catch (error) {
      if (attempt.signal.reason === "silence") reason = "the daemon has fallen silent";
      else if (error instanceof TypeError) reason = "the daemon cannot be reached";
      else reason = error.message ?? String(error);
      attempt.abort(); // after a fault of ours the connection may still be open
    } finally {
      clearTimeout(silence);
    }
    if (this.#attempt !== attempt) return; // replaced, or put down because nobody looks
    this.#attempt = null;
    this.#onState("reconnecting", reason);
    this.#timer = setTimeout(() => this.#connect(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, PAUSE_MS[1]);
  }

  /** Ends a pause between two attempts. */
  #now() {
    if (this.#attempt === null && !document.hidden) {
      this.#pause = PAUSE_MS[0];
      this.#connect();
    }
  }

  #visibility() {
    clearTimeout(this.#hiding);
    if (document.hidden) this.#hiding = setTimeout(() => this.#putDown(), HIDDEN_MS);
    else this.#now();
  }

  #putDown() {
    clearTimeout(this.#timer);
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.abort("hidden");
    this.#onState("paused", "nobody looks at this page");
  }
}

/** The daemon's own words for a refusal. */
export async function complaint(response) {
  try {
    const { error } = await response.json();
    if (typeof error === "string") return error;
  } catch {
    // not the daemon's JSON: a proxy's page, most likely
  }
  return `the daemon answered ${response.status} ${response.statusText}`.trim();
}
