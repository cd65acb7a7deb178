// Keys and buttons -> decisions about what is selected, the next item, undo.

import { store, listen, tell, h, byId, current, stateOf, keeperOf, counted } from "./store.js";
import { need, notice, save } from "./api.js";
import { openPalette } from "./palette.js";

const bar = byId("bar");
const KEYED = 9; // classes that have a key; all others are typed
const REMEMBERED = 100; // steps that undo goes back
const MANY = 1000; // items whose details take a moment to come
const SAID = { keep: "keep", delete: "delete", "not-sure": "not sure", undo: "undo" };

// ---- undo ----

const place = `ursa-undo ${location.pathname}`;
let past = [];
try { past = JSON.parse(sessionStorage.getItem(place) || "[]"); } catch { /* no storage: undo ends with the page */ }
const remember = () => { try { sessionStorage.setItem(place, JSON.stringify(past.slice(-REMEMBERED))); } catch { /* as above */ } };

let waiting = false; // an undo that waits for what is being saved
export function undo() {
  waiting = store.pending.size > 0;
  if (waiting) return;
  const last = past.pop();
  remember();
  if (!last) { notice("Nothing to undo on this page. A decision that stands is replaced by another one."); return; }
  const wishes = last.rows.filter(([, key]) => key).map(([row, key]) => ({ row, kind: "undo", key }));
  const at = store.view.indexOf(last.number);
  if (at >= 0) store.at = at;
  store.selected.clear();
  if (wishes.length) save(wishes, null, `undo of ${counted(wishes.length, "decision")}`);
  tell({ place: true });
}

listen((what) => { if (what.decided && waiting && !store.pending.size) queueMicrotask(undo); });

// ---- deciding ----

export function targets() {
  if (store.mode === "single") return current() ? [current()] : [];
  const numbers = store.selected.size ? [...store.selected] : store.view.length ? [store.view[store.at]] : [];
  return numbers.map((number) => store.items.get(number) ?? number);
}

let awaited = ""; // "saving", then "drawing": keys wait for the next picture that is drawn, and do not meet this one again
listen((what) => { if (what.place || (what.decided && awaited === "saving" && !store.pending.size)) awaited = ""; });

export async function decide(kind, label) {
  if (!store.view.length || awaited) return;
  const some = targets();
  if (some.length > MANY) notice(`Deciding about ${some.length.toLocaleString("en")} items …`);
  await need(some.filter((each) => typeof each === "number"));
  const items = some.map((each) => (typeof each === "number" ? store.items.get(each) : each)).filter(Boolean);
  const wishes = new Map();
  for (const item of items) for (const wish of wanted(item, kind, label)) wishes.set(wish.row, wish);
  if (!wishes.size) {
    notice(kind === "accept" ? "There is no suggestion here: choose a class, keep or delete." : "Nothing to decide here.");
    return;
  }
  const all = [...wishes.values()];
  const words = `“${label ?? SAID[kind] ?? "as suggested"}” for ${counted(all.length, "picture")}`;
  const number = items[0].number;
  const drawn = store.mode === "single" && store.filter.kind === "random-pick"; // the next one is drawn once this is saved
  if (drawn) awaited = "saving";
  save(all, () => {
    past.push({ number, rows: all.map((wish) => [wish.row, store.decided.get(wish.row)?.key]) });
    remember();
    if (drawn) afterDraw();
    else if (labeling() && !store.pending.size && rowsDone()) tell({ rows: true });
  }, words);
  if (!drawn) next(new Set(items.map((item) => item.number)));
}

const labeling = () => store.mode === "single" && store.filter.kind === "row-to-label";
const rowsDone = () => store.view.every((each) => { const item = store.items.get(each); return item && stateOf(item) !== "undecided"; });

function afterDraw() {
  awaited = "drawing";
  if (store.progress.stop) { tell({ close: true }); notice(store.progress.left, "good"); }
  else tell({ draw: true });
}

function wanted(item, kind, label) {
  if (kind === "accept") {
    const keeper = keeperOf(item);
    if (item.group) return keeper == null ? [] : item.pictures.filter((each) => each.row !== keeper).map((each) => ({ row: each.row, kind: "delete" }));
    if (!item.likely || item.kind === "random-pick") return [];
    const some = item.row ? item.pictures.filter((each) => !store.out.has(each.row)) : [item.pictures[0]];
    return some.map((each) => labelled(each, item.likely));
  }
  const some = item.row ? item.pictures.filter((each) => !store.out.has(each.row)) : item.pictures;
  return some.map((each) => (kind === "label" ? labelled(each, label) : { row: each.row, kind }));
}

function labelled(picture, label) {
  if (picture.label === label) return { row: picture.row, kind: "keep" };
  return { row: picture.row, kind: store.classes.includes(label) ? "label" : "new-label", label };
}

// The next item without a decision, after those just decided; the next one at all where all others are decided.
function next(done) {
  store.selected.clear();
  const open = (number) => { const item = store.items.get(number); return !done.has(number) && (!item || stateOf(item) === "undecided"); };
  const from = store.mode === "single" ? store.at : Math.max(store.at, ...[...done].map((number) => (done.size < 500 ? store.view.indexOf(number) : -1)));
  let to = -1;
  for (let step = 1; step < store.view.length && to < 0; step += 1) {
    const at = (from + step) % store.view.length;
    if (open(store.view[at])) to = at;
  }
  if (to >= 0) { store.at = to; store.anchor = to; }
  else if (labeling()) return; // once this is saved, more rows come
  else if (store.mode === "single") { tell({ close: true }); notice("Everything shown here is decided. “Apply …” carries it out; other filters may show more.", "good"); }
  tell({ place: true, next: true });
}

export const pick = () => openPalette((label) => decide("label", label));

// ---- buttons ----

const button = (words, key, act, kind = "") => h("button", { type: "button", className: kind, onclick: act, title: words }, h("span", { textContent: words }), h("kbd", { textContent: key }));
let drawn = "";

export function drawBar() {
  const item = store.mode === "single" ? current() : store.selected.size === 1 ? store.items.get([...store.selected][0]) : store.items.get(store.view[store.at]);
  const suggested = !item ? "" : item.group ? (keeperOf(item) == null ? "" : "Keep one, delete the others") : item.likely && item.kind !== "random-pick" ? `→ ${item.likely}` : "";
  const several = store.mode === "grid" && store.selected.size > 1 ? `${store.selected.size.toLocaleString("en")} selected` : "";
  const key = JSON.stringify([item?.row, suggested, several, store.classes.slice(0, KEYED), store.classes.length, store.mode, store.labeled]);
  if (key === drawn) return;
  drawn = key;
  const some = store.labeled ? store.classes.slice(0, KEYED) : [];
  bar.replaceChildren(
    several ? h("span", { className: "several", textContent: several }) : "",
    h("span", { className: "acts" },
      suggested ? button(several ? "As suggested" : suggested, "A", () => decide("accept"), "main") : "",
      item?.row ? "" : button("Keep", "K", () => decide("keep")), button("Delete", "D", () => decide("delete")), button("Not sure", "N", () => decide("not-sure")), button("Undo", "U", undo)),
    store.labeled ? h("span", { className: "classes" },
      ...some.map((name, index) => button(name, `${index + 1}`, () => decide("label", name), "class")),
      button(store.classes.length > KEYED ? `All ${store.classes.length} …` : "New …", "L", pick)) : "");
}

export function number(digit) {
  const name = store.classes[digit - 1];
  if (store.labeled && name !== undefined && digit <= KEYED) decide("label", name);
}

export function nextKeeper(by) {
  const item = current();
  if (!item?.group) return false;
  const rows = item.pictures.map((each) => each.row);
  const at = rows.indexOf(keeperOf(item));
  store.kept.set(item.number, rows[(at + by + rows.length) % rows.length]);
  tell({ decided: true });
  return true;
}
