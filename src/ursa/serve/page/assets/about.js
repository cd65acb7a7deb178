// What the model is: in the visitor's words, then the model card as its maker wrote it.

import { byId, make } from "./dom.js";
import { list, say } from "./words.js";
import { address, card } from "./model.js";
import { markdown } from "./markdown.js";

const NAMED = 8; // classes named at the top of the page, where there are many more

/* The line under the title. */
export function knows({ task, classes }) {
  const shown = classes.length > NAMED + 2 ? classes.slice(0, NAMED) : classes;
  const names = shown.length < classes.length ? [...shown, say("more-classes", { count: classes.length - shown.length })] : shown;
  byId("classes").textContent = say(`knows-${task}`, { names: list(names) });
}

export function accuracy({ accuracy: measured }) {
  if (!measured) return "";
  const [value, low, high] = [measured.value, measured.low, measured.high].map((share) => Math.round(100 * share));
  return say("accuracy", { value, low, high });
}

/* Shown while the address ends in #about. */
export function begin(model) {
  const show = async () => {
    const about = location.hash === "#about";
    byId("page").hidden = about;
    byId("about").hidden = !about;
    if (!about) return;
    byId("facts").replaceChildren(...facts(model));
    scrollTo(0, 0);
    byId("about-title").focus();
    if (!byId("card").childElementCount) byId("card").replaceChildren(await read());
  };
  addEventListener("hashchange", show);
  return show;
}

export function facts(model) {
  const where = address();
  return [
    model.task === "single-label" ? say("knows-no-others", { count: model.classes.length }) : "",
    accuracy(model),
    model.unsure ? say("may-abstain") : "",
    say(`sees-${model.preparation.fit}`, { size: model.preparation.size }),
    say("privacy"),
  ].filter(Boolean).map((text) => make("li", {}, text)).concat(where ? make("li", {}, say("programs"), make("code", { tabIndex: 0 }, `curl -F picture=@photo.jpg ${where}`)) : []);
}

async function read() {
  try { return markdown(await card()); } catch { return make("p", {}, say("problem-offline")); }
}
