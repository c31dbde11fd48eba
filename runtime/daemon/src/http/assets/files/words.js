// Numbers, labels and pictures as people read them.

/** What stands where a value is not known. */
export const UNKNOWN = "–";

/** `value` with three significant digits, never in scientific notation. */
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const decimals = value === 0 ? 0 : digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(Math.max(decimals, 0), 4));
}

/** `value` as somebody would set it: three significant digits at most, no zeros at the end. */
export function plain(value) {
  return isNumber(value) ? String(Number(number(value))).replace("-", "−") : UNKNOWN;
}

/** A measured time in milliseconds. */
export function milliseconds(value) {
  return isNumber(value) ? `${number(value)} ms` : UNKNOWN;
}

/** A share from 0 to 1 in percent. */
export function percent(share, decimals = 1) {
  return isNumber(share) ? `${(share * 100).toFixed(decimals)} %` : UNKNOWN;
}

/** A whole number with thin spaces between its thousands, the same in every locale as the rest of the page. */
export function count(value) {
  return isNumber(value) ? String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f") : UNKNOWN;
}

/** Bytes in MB. */
export function megabytes(bytes) {
  return isNumber(bytes) ? `${number(bytes / 1e6)} MB` : UNKNOWN;
}

/** Millions of multiply-accumulates of one inference. */
export function mmacs(macs) {
  return isNumber(macs) ? number(macs / 1e6) : UNKNOWN;
}

/** A duration in seconds, in its two largest units. */
export function duration(seconds) {
  if (!isNumber(seconds)) return UNKNOWN;
  const whole = Math.floor(seconds);
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = Math.max(units.findIndex(([, size]) => whole >= size), 0);
  const words = [];
  let rest = whole;
  for (const [unit, size] of units.slice(first, first + 2)) {
    words.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return whole < 1 ? "0 s" : words.join(" ");
}

/** A time that somebody spent: in seconds up to a minute and a half, then in minutes, then in hours and minutes. */
export function span(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A label or a reason as words: `StandingUpFS` and `most-accurate-in-time` are for programs. */
export function spoken(name) {
  return name.replace(/([a-z\d])([A-Z])|([A-Z])([A-Z][a-z])/g, "$1$3 $2$4").replace(/[_-]+/g, " ").toLowerCase();
}

/** Whether `value` can be shown as a number. */
export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

// The first that matches counts, so what is more special comes first: "falling" before "standing" for a fall out of a
// chair, a change of posture ("sit to stand", "lying down from standing") before the postures.
const PICTURES = [
  [/\bfall|syncope|hitting/, "falling"],
  [/\b(jump|skip|hop)|rope/, "jumping"],
  [/teeth/, "teeth"],
  [/\bsoup/, "soup"],
  [/\bchips|crisps/, "chips"],
  [/\bpasta|noodle|spaghetti/, "pasta"],
  [/sandwich|burger/, "sandwich"],
  [/\bdrink/, "drinking"],
  [/\btyp(e|ing)/, "typing"],
  [/\bwrit/, "writing"],
  [/\bclap/, "clapping"],
  [/\bfold/, "folding"],
  [/\bkick/, "kicking"],
  [/\bcatch/, "catching"],
  [/dribbl/, "dribbling"],
  [/\b(jog|run)/, "running"],
  [/cycl|\bbik(e|ing)/, "cycling"],
  [/(up|ascend\w*|climb\w*).*stairs?|stairs?.*\bup|\b(going|walking|go) up|ascend|climb|upstairs/, "upstairs"],
  [/(down|descend\w*).*stairs?|stairs?.*\bdown|\b(going|walking|go) down|descend|downstairs/, "downstairs"],
  [/\bstairs?\b/, "stairs"],
  [/\b(sit|stand|lie|lying|sitting|standing)( (up|down))? (to|from)\b|\b(standing|getting) up|\b(sitting|lying) down|transi/, "changing"],
  [/\b(car|driv\w*|bus|train|tram|vehicle|riding)\b/, "riding"],
  [/walk|gait|stroll|march/, "walking"],
  [/\b(ly|lie|laying|sleep|rest)/, "lying"],
  [/\b(sit|seated|tv|watching)/, "sitting"],
  [/\bstand|\bstill\b/, "standing"],
  [/iron|clean|cook|wash|comput|work|\beat|draw|vacuum/, "working"],
];

/** The symbol of `pictures.svg` for the activity `label`; a neutral one where none fits. */
export function picture(label) {
  const words = spoken(label);
  return (PICTURES.find(([pattern]) => pattern.test(words)) ?? [null, "other"])[1];
}
