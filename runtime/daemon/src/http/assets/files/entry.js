// An activity in a list: its mark, its name, a figure, and a bar for it.

import { picture, spoken } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/** The entry of the activity `label`, with the places for its figure and for how full its bar is. */
export function activityEntry(label) {
  const entry = document.createElement("li");
  const image = document.createElementNS(SVG, "svg");
  image.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/pictures.svg#${picture(label)}`);
  image.append(use);
  const name = document.createElement("span");
  name.className = "label";
  name.textContent = spoken(label);
  const share = document.createElement("span");
  share.className = "share";
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  const filled = document.createElement("span");
  bar.append(filled);
  entry.append(image, name, share, bar);
  return { entry, share, filled };
}
