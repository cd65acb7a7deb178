// One picture and all that was answered about it: on the page where it is the only one, in a window over it where it is not.

import { byId, icon, make, named } from "./dom.js";
import { number, percent, say } from "./words.js";
import { reading } from "./answers.js";
import { modelView, picture } from "./picture.js";

const SHOWN = 5; // bars at once; the rest on demand

/* entry with an answer -> what is said of it. A place for a button "wrong?" is at the end of `.says`. */
export function describe(entry, model) {
  const told = reading(entry.answer, model.classes);
  const heading = make("h2", { className: "top" }, named(told.heading));
  const says = make("div", { className: "says" },
    make("p", { className: "name", title: entry.name }, named(entry.name)),
    told.unsure ? make("p", { className: "doubt" }, icon("question"), heading) : heading,
    make("p", { className: "note" }, told.note),
    told.bars.length ? bars(told.bars.slice(0, SHOWN), told.unsure ? 0 : (told.several ?? 1)) : "",
    told.bars.length > SHOWN ? rest(told.bars.slice(SHOWN)) : "",
    told.numbers.length > 1 ? numbers(told.numbers) : "",
    modelView(entry, model.preparation));
  return make("div", { className: `described${told.unsure ? " unsure" : ""}` }, make("div", { className: "stage" }, picture(entry, model.preparation.fit)), says);
}

/* [[name, share]] -> a list of bars; the first `chosen` of them are the answer. */
function bars(pairs, chosen) {
  return make("ul", { className: "bars" }, ...pairs.map(([name, share], place) => {
    const fill = make("span", { className: "fill" });
    fill.style.width = `${100 * share}%`;
    const rail = make("span", { className: "rail", ariaHidden: "true" }, fill); // the number beside it says the same
    return make("li", { className: place < chosen ? "chosen" : "" }, named(name), rail, make("span", { className: "percent" }, percent(share)));
  }));
}

function rest(pairs) {
  const details = make("details", {}, make("summary", {}, say("more-classes", { count: pairs.length })));
  details.addEventListener("toggle", () => { if (!details.querySelector("ul")) details.append(bars(pairs, 0)); });
  return details;
}

function numbers(pairs) {
  return make("dl", { className: "numbers" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, named(name)), make("dd", {}, number(value))]));
}

// ---- the window ----

const dialog = byId("detail");
let shown = [], at = 0, model = null;

/* entries: those that the arrows walk through. */
export function open(entry, entries, known) {
  [shown, at, model] = [entries, entries.indexOf(entry), known];
  draw();
  dialog.showModal();
}

export const close = () => dialog.close();

function draw() {
  byId("detail-body").replaceChildren(describe(shown[at], model));
  byId("place").textContent = say("place", { number: at + 1, count: shown.length });
  byId("before").disabled = at === 0;
  byId("after").disabled = at === shown.length - 1;
}

function go(step) {
  if (!shown[at + step]) return;
  at += step;
  draw();
}

byId("before").addEventListener("click", () => go(-1));
byId("after").addEventListener("click", () => go(1));
byId("close").addEventListener("click", close);
dialog.addEventListener("keydown", ({ key }) => { if (key === "ArrowLeft") go(-1); else if (key === "ArrowRight") go(1); });
dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
