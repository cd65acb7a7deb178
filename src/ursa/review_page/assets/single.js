// One item, large: the picture, or the copies of it; why it is here; the nearest pictures of both classes beside it.

import { store, listen, tell, h, byId, current, decisionOf, stateOf, isPending, keeperOf } from "./store.js";
import { need, pictureUrl } from "./api.js";
import { large, preload, thumb } from "./pictures.js";

const single = byId("single");
const AHEAD = 3; // items whose pictures are loaded before they are asked for
let shown = null;

export function draw() {
  if (store.mode !== "single") { shown = null; return; }
  const item = current();
  if (!item) { shown = null; single.replaceChildren(h("p", { className: "soft", textContent: store.view.length ? "Loading …" : "" })); ahead(); return; }
  if (shown !== item.number) {
    shown = item.number;
    single.replaceChildren(item.group ? group(item) : item.row && item.pictures.length > 1 ? row(item) : stage(item), panel(item));
    single.scrollTop = 0;
    ahead();
  }
  mark(item);
}

function ahead() {
  const places = [store.at, ...Array.from({ length: AHEAD }, (_, step) => store.at + step + 1), store.at - 1];
  const numbers = places.map((place) => store.view[place]).filter((number) => number !== undefined);
  need([...numbers, ...store.view.slice(store.at, store.at + 60)]);
  const later = () => numbers.forEach((number) => store.items.get(number)?.pictures.slice(0, 4).forEach((each) => {
    preload(pictureUrl(each, "small"));
    preload(pictureUrl(each, "large"));
  }));
  requestAnimationFrame(later);
}

const stage = (item) => h("div", { className: "stage" }, large(item.pictures[0]), h("p", { className: "stamp" }));

function group(item) {
  const cards = item.pictures.map((each) => h("button", { className: "copy", type: "button", "data-row": each.row, onclick: () => choose(item, each.row) },
    large(each), h("span", { className: "stamp" }), h("b", { textContent: each.label ?? "no label" }), h("span", { className: "id", textContent: each.id }), h("span", { className: "facts", textContent: facts(each) })));
  return h("div", { className: `copies of${Math.min(4, cards.length)}` }, ...cards);
}

// Pictures that get one label, but for those that are taken out by a click.
function row(item) {
  const cards = item.pictures.map((each) => h("button", { className: "copy toggle", type: "button", "data-row": each.row, title: "Take out, or put back", onclick: () => toggle(each.row) },
    thumb(each), h("span", { className: "stamp" })));
  return h("div", { className: "alike" }, ...cards);
}
function toggle(row) { if (!store.out.delete(row)) store.out.add(row); tell({ decided: true }); }

export function choose(item, row) { store.kept.set(item.number, row); tell({ decided: true }); }

function panel(item) {
  const first = item.pictures[0];
  const near = Object.entries(item.nearest).filter(([, some]) => some.length).map(([name, some]) => h("div", { className: "near" },
    name === "all" ? h("h3", { textContent: "Nearest pictures" }) : h("h3", {}, "Nearest of ", h("b", { textContent: name === "given" ? first.label ?? "" : item.likely ?? "" })),
    h("div", { className: "strip" }, ...some.map((each) => thumb(each)))));
  const labels = item.group || (item.row && !item.likely) ? null : h("dl", { className: "pair" },
    item.row ? null : h("div", {}, h("dt", { textContent: "Label" }), h("dd", { textContent: first.label ?? "none" })),
    item.likely ? h("div", {}, h("dt", { textContent: item.kind === "random-pick" ? "Next likely" : "The probe says" }), h("dd", { className: "likely", textContent: item.likely })) : null);
  return h("aside", {},
    h("p", { className: "step" }, h("button", { type: "button", onclick: () => tell({ step: -1 }), "aria-label": "Previous" }, "‹"), h("span", { className: "place" }), h("button", { type: "button", onclick: () => tell({ step: 1 }), "aria-label": "Next" }, "›"), h("button", { type: "button", className: "back", onclick: () => tell({ close: true }) }, "Grid")),
    h("h2", { textContent: item.title }), labels,
    h("p", { className: "verdict" }),
    h("p", { className: "evidence", textContent: item.evidence }),
    item.advice ? h("p", { className: "soft", textContent: item.advice }) : null,
    ...near,
    item.group ? h("p", { className: "soft", textContent: "Click the one to keep, or choose it by ↑ and ↓: A keeps it and deletes the others." }) : h("p", { className: "id", textContent: item.pictures.length > 1 ? `${item.pictures.length} pictures` : first.id }),
    item.row && store.labeling ? h("p", { className: "soft", textContent: store.labeling }) : null,
    item.row && store.labeling ? h("p", {}, h("button", { type: "button", "aria-pressed": String(store.finishing), onclick: () => tell({ rows: true, finish: !store.finishing }), title: "Rows of which a classifier is sure come first" }, "Label all in rows")) : null,
    item.group || item.row ? null : h("p", { className: "soft facts", textContent: facts(first) }));
}

function facts(picture) {
  const size = picture.width ? `${picture.width} × ${picture.height} px` : "";
  const bytes = picture.bytes ? (picture.bytes < 1e6 ? `${Math.max(1, Math.round(picture.bytes / 1e3))} kB` : `${(picture.bytes / 1e6).toFixed(1)} MB`) : "";
  return [size, bytes, picture.split].filter(Boolean).join(" · ");
}

const WORDS = { keep: "Kept as it is", delete: "Deleted", "not-sure": "Not sure" };
const words = (decided) => (decided.label ? `Its class is ${decided.label}` : WORDS[decided.kind] ?? decided.kind);

function mark(item) {
  single.querySelector(".place").textContent = `${(store.at + 1).toLocaleString("en")} of ${store.view.length.toLocaleString("en")}`;
  const state = stateOf(item);
  single.dataset.state = state;
  single.classList.toggle("pending", isPending(item));
  const verdict = single.querySelector(".verdict");
  const said = item.group ? null : decisionOf(item.pictures[0].row);
  verdict.textContent = said ? `${words(said)}${isPending(item) ? " …" : ""}` : "";
  verdict.dataset.kind = said?.kind ?? "";
  const keeper = keeperOf(item);
  single.querySelectorAll(".copy").forEach((card) => {
    const row = Number(card.dataset.row), decided = decisionOf(row);
    if (item.row) {
      const out = store.out.has(row);
      card.classList.toggle("out", out);
      card.dataset.kind = decided?.kind ?? "";
      card.setAttribute("aria-pressed", out);
      card.querySelector(".stamp").textContent = decided ? words(decided) : out ? "taken out" : "";
      return;
    }
    card.classList.toggle("keeper", row === keeper);
    card.dataset.kind = decided?.kind ?? "";
    card.setAttribute("aria-pressed", row === keeper);
    card.querySelector(".stamp").textContent = decided ? words(decided) : row === keeper ? "keep this one" : "";
  });
  const stamp = single.querySelector(".stage .stamp");
  if (stamp) { stamp.textContent = said ? words(said) : ""; stamp.dataset.kind = said?.kind ?? ""; }
}

let from = null;
single.addEventListener("touchstart", (event) => { from = event.touches.length === 1 ? event.touches[0] : null; }, { passive: true });
single.addEventListener("touchend", (event) => {
  if (!from) return;
  const to = event.changedTouches[0], x = to.clientX - from.clientX, y = to.clientY - from.clientY;
  if (Math.abs(x) > 60 && Math.abs(x) > 2 * Math.abs(y)) tell({ step: x < 0 ? 1 : -1 });
  from = null;
}, { passive: true });
listen(() => draw());
