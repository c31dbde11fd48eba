// What can be changed: the pinned configuration, the budget, a reload. Each is one request with the token; the daemon
// decides, and says in its own words what it refuses.

import { complaint } from "./stream.js";
import { plain } from "./words.js";

/** This tab's storage: the token is gone with the tab, and no other page's script gets at it. */
const STORED = "gaitd.token";
/** That of the link by which the page was opened. */
const LINKED = "gaitd.linked";

export class Controls {
  #form;
  #ladder = [];
  #settings = null;
  #shown = null;
  /** The token of the link by which the page was opened; it is gone with the tab. */
  #linked = sessionStorage.getItem(LINKED);
  /** Whether the daemon has a token, without which it lets nobody change anything here. */
  #possible = true;

  /** `form` maps names to the elements of the page's control section. */
  constructor(form) {
    this.#form = form;
    form.token.value = sessionStorage.getItem(STORED) ?? "";
    this.#takeLink();
    window.addEventListener("hashchange", () => this.#takeLink());
    form.token.addEventListener("input", () => this.#keepToken());
    form.tokenForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#keepToken();
      this.#say(form.token.value === "" ? "No token is kept any more." : "The token is kept for this tab.", "good");
    });
    form.width.addEventListener("change", () => this.#offerResolutions(null));
    form.pinForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#pin(this.#chosen());
    });
    form.automatic.addEventListener("click", () => this.#pin(null));
    form.budgetForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#setBudget();
    });
    form.reload.addEventListener("click", () => this.#reload());
  }

  /** The ladder's configurations. */
  setLadder(configurations) {
    const chosen = this.#chosen();
    this.#ladder = configurations;
    const widths = [...new Set(configurations.map((configuration) => configuration.width))].sort((a, b) => a - b);
    fill(this.#form.width, widths, (width) => `${width.toFixed(2)}x`);
    this.#offer(chosen ?? configurations.at(-1)?.id);
  }

  /** The settings in force. */
  setSettings(settings) {
    const before = this.#settings;
    this.#settings = settings;
    const { pin, budget_ms: budget, policy } = settings;
    this.#form.pinned.textContent =
      pin === null ? `Automatic: the policy ${policy.kind} picks for every window.` : `Pinned to ${pin}.`;
    this.#form.pinForm.dataset.state = pin === null ? "automatic" : "pinned";
    if (pin !== null && pin !== before?.pin) this.#offer(pin);
    // what somebody is typing is theirs
    const field = this.#form.budget;
    if (field !== document.activeElement && (field.value === "" || field.value === this.#shown)) {
      field.value = this.#shown = String(budget);
    }
  }

  /** Whether the daemon has a token: without one nothing here can be used. */
  setToken(there) {
    this.#possible = there;
    this.#form.noToken.hidden = there;
    this.#enable();
  }

  /** Takes the token out of the address, so that it stands in no history and no screenshot. */
  #takeLink() {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (!token) return;
    this.#linked = token;
    sessionStorage.setItem(LINKED, token);
    history.replaceState(null, "", location.pathname + location.search);
    this.#enable();
  }

  /** Without a token of the daemon's nothing can be used; without one of this page's, only the field for it. */
  #enable() {
    const { section, tokenForm } = this.#form;
    const usable = this.#possible && (this.#linked ?? sessionStorage.getItem(STORED)) !== null;
    for (const element of section.querySelectorAll("button, input, select")) {
      element.disabled = tokenForm.contains(element) ? !this.#possible : !usable;
    }
    tokenForm.hidden = this.#linked !== null || !this.#possible;
  }

  #keepToken() {
    const token = this.#form.token.value.trim();
    if (token === "") sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, token);
    this.#form.token.removeAttribute("aria-invalid");
    this.#enable();
  }

  /** The id of the configuration that the two lists name together. */
  #chosen() {
    const width = Number(this.#form.width.value);
    const resolution = Number(this.#form.resolution.value);
    return this.#ladder.find((one) => one.width === width && one.resolution === resolution)?.id ?? null;
  }

  /** Makes the lists name the configuration `id`. */
  #offer(id) {
    const configuration = this.#ladder.find((one) => one.id === id) ?? this.#ladder.at(-1);
    if (!configuration) return;
    this.#form.width.value = String(configuration.width);
    this.#offerResolutions(configuration.resolution);
  }

  /** Offers the resolutions that exist at the chosen width. */
  #offerResolutions(resolution) {
    const width = Number(this.#form.width.value);
    const there = this.#ladder.filter((one) => one.width === width).map((one) => one.resolution).sort((a, b) => a - b);
    const wanted = resolution ?? Number(this.#form.resolution.value);
    fill(this.#form.resolution, there, (steps) => `${steps} steps`);
    this.#form.resolution.value = String(there.includes(wanted) ? wanted : there.at(-1));
  }

  async #pin(id) {
    const settings = await this.#ask("PATCH", "/api/control", { pin: id });
    if (settings) {
      this.setSettings(settings);
      this.#say(settings.pin === null ? "Automatic again." : `Pinned to ${settings.pin}.`, "good");
    }
  }

  async #setBudget() {
    const field = this.#form.budget;
    if (field.value === "") {
      // a browser gives an empty value for what is no number
      this.#say("Refused: the budget must be a number of milliseconds.", "bad");
      return;
    }
    const settings = await this.#ask("PATCH", "/api/control", { budget_ms: Number(field.value) });
    if (settings) {
      this.#shown = field.value;
      this.setSettings(settings);
      this.#say(`The budget is ${plain(settings.budget_ms)} ms.`, "good");
    }
  }

  async #reload() {
    const answer = await this.#ask("POST", "/api/reload");
    if (!answer) return;
    const part = (title, names) => (names?.length ? ` ${title}: ${names.join(", ")}.` : "");
    this.#say(
      "Reloaded." +
        (answer.changed?.length ? part("Changed", answer.changed) : " Nothing has changed.") +
        part("Only a restart takes up", answer.not_reloaded) +
        part("Ended", answer.ended),
      "good",
    );
  }

  /** One request; `null` where it was refused, which has been said by then. */
  async #ask(method, path, body) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const token = this.#linked ?? sessionStorage.getItem(STORED);
    if (token) headers.Authorization = `Bearer ${token}`;
    this.#say("", "busy"); // the same answer twice is said twice
    if (token && !/^[\x21-\x7e]+$/.test(token)) {
      this.#form.token.setAttribute("aria-invalid", "true");
      this.#say("Refused: a token is made of ASCII characters without spaces.", "bad");
      return null;
    }
    try {
      const response = await fetch(path, {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
      });
      if (response.ok) return await response.json();
      const refused = response.status === 401 || response.status === 403;
      if (refused && this.#linked !== null) {
        // that of an earlier run
        this.#linked = null;
        sessionStorage.removeItem(LINKED);
        this.#enable();
      } else if (refused) this.#form.token.setAttribute("aria-invalid", "true");
      this.#say(`Refused: ${await complaint(response)}`, "bad");
    } catch {
      this.#say("The daemon cannot be reached; nothing was changed.", "bad");
    }
    return null;
  }

  #say(words, kind) {
    this.#form.answer.textContent = words;
    this.#form.answer.dataset.kind = kind;
  }
}

function fill(select, values, words) {
  const options = values.map((value) => {
    const option = document.createElement("option");
    option.value = String(value);
    option.textContent = words(value);
    return option;
  });
  const value = select.value;
  select.replaceChildren(...options);
  if (values.map(String).includes(value)) select.value = value;
}
