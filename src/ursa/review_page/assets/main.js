// Start, filters, keys, the place in the address; what each part shows is its own.

import { store, listen, tell, h, byId, counted } from "./store.js";
import { ask, failed, find, follow, need, notice, take } from "./api.js";
import * as grid from "./grid.js";
import "./single.js";
import { decide, drawBar, nextKeeper, number, pick, undo } from "./actions.js";
import { openApply } from "./applying.js";

const filters = byId("filters");

async function start() {
  try {
    fromAddress();
    const finding = find();
    const told = await ask("api/start");
    store.about = told; store.kinds = told.kinds; store.splits = told.splits; store.labeled = told.labeled;
    take(told);
    document.title = `${told.folder}: review`;
    byId("folder").textContent = told.folder;
    byId("folder").title = told.path;
    drawFilters();
    byId("label-rows").hidden = !told.unlabeled;
    await search(store.wanted, finding);
    heard(told);
    follow(heard);
  } catch (problem) { failed(problem); empty("The page could not be loaded.", "Reload it, or start the server again."); }
}

let last = "";
function heard({ notice: words = "", others = 0 }) {
  const all = [words, others ? `${counted(others, "decision")} of another user of this workspace: not followed, see ursa decide --list.` : ""].filter(Boolean).join(" ");
  if (all && all !== last) notice(all);
  if (all) last = all;
}

// ---- filters ----

function drawFilters() {
  const counts = store.progress.kinds ?? {};
  fill("kind", [["", `everything (${store.progress.items.toLocaleString("en")})`], ...store.kinds.map((kind) => [kind.name, `${kind.title} (${left(counts[kind.name])})`])]);
  fill("class", [["", "all"], ...store.classes.map((name) => [name, name])]);
  fill("split", [["", "all"], ...store.splits.map((name) => [name, name])]);
  filters.elements.split.parentElement.hidden = store.splits.length < 2;
  filters.elements.class.parentElement.hidden = store.classes.length < 2;
  filters.elements.state.value = store.filter.state;
}
const left = (counts) => (counts ? `${(counts[1] - counts[0]).toLocaleString("en")} of ${counts[1].toLocaleString("en")} left` : "0");

function fill(name, pairs) {
  const select = filters.elements[name];
  const key = JSON.stringify(pairs);
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    select.replaceChildren(...pairs.map(([value, words]) => h("option", { value, textContent: words })));
  }
  select.value = pairs.some(([value]) => value === store.filter[name]) ? store.filter[name] : "";
}

let pointed = false; // a filter was chosen by the mouse: keys are for the pictures again
filters.addEventListener("pointerdown", () => { pointed = true; });
filters.addEventListener("keydown", () => { pointed = false; });
filters.addEventListener("change", async (event) => {
  store.filter[event.target.name] = event.target.value;
  if (pointed) event.target.blur();
  await search();
});
filters.addEventListener("submit", (event) => event.preventDefault());

async function search(wanted, finding = find()) {
  try { await finding; } catch (problem) { failed(problem); return; }
  store.selected.clear();
  const at = store.view.indexOf(wanted);
  store.at = at >= 0 ? at : 0;
  store.anchor = store.at;
  if (at < 0) store.mode = "grid";
  byId("count").textContent = store.view.length === store.progress.items ? "" : `${store.view.length.toLocaleString("en")} shown`;
  need(store.view.slice(Math.max(0, store.at - 20), store.at + 60));
  show();
  grid.measure();
  grid.reveal();
  if (!store.view.length) nothing();
  else byId("empty").hidden = true;
  byId("bar").hidden = !store.view.length;
  tell({ place: true });
}

function nothing() {
  const filtered = Object.values(store.filter).some(Boolean);
  if (!store.progress.items) empty("Nothing to review", "The check found no doubtful label, no copy and no broken file. Train a model next:", store.about.train_command);
  else if (filtered) empty("Nothing passes these filters", "Choose others above.", null, () => { Object.keys(store.filter).forEach((name) => { store.filter[name] = ""; }); drawFilters(); search(); });
}

function empty(title, words, command, all) {
  byId("empty").hidden = false;
  byId("grid").hidden = byId("single").hidden = true;
  byId("empty").replaceChildren(h("h2", { textContent: title }), h("p", { className: "soft", textContent: words }), command ? h("code", { textContent: command }) : "", all ? h("button", { type: "button", onclick: all }, "Show everything") : "");
}

// ---- what is shown ----

function show() {
  document.body.dataset.mode = store.mode;
  byId("grid").hidden = store.mode !== "grid" || !store.view.length;
  byId("single").hidden = store.mode !== "single";
  byId("select").hidden = store.mode !== "grid";
}

function open() { if (store.view.length) { store.mode = "single"; store.selected.clear(); show(); tell({ place: true }); } }
function close() { store.mode = "grid"; show(); grid.measure(); tell({ place: true }); byId("grid").focus({ preventScroll: true }); }

// ---- pictures drawn at random, one after the other, by the server ----

// ---- rows of alike pictures without a label, chosen by the server ----

async function rows() {
  const button = byId("label-rows");
  button.disabled = true; // the first time pictures are compared, which takes seconds
  button.textContent = "One moment …";
  try {
    const { numbers, words, progress: known } = await ask("api/rows", { finish: store.finishing });
    store.labeling = words;
    store.progress = known;
    store.out.clear();
    if (!numbers.length) { tell({ close: true }); notice(`Every picture was looked at. ${words}`, "good"); return; }
    Object.assign(store.filter, { kind: "row-to-label", class: "", split: "", state: "" });
    store.mode = "single";
    await search(numbers[0]);
    drawFilters();
    progress();
  } catch (problem) { failed(problem); } finally { button.disabled = false; button.textContent = "Label rows"; }
}

const drawing = () => store.filter.kind === "random-pick";

async function draw() {
  try {
    const { number: drawn } = await ask("api/draw", {});
    if (drawn === null) { tell({ close: true }); notice("Every label was looked at.", "good"); return; }
    Object.assign(store.filter, { kind: "random-pick", class: "", split: "", state: "" });
    store.mode = "single";
    await search(drawn);
    drawFilters();
  } catch (problem) { failed(problem); tell({ place: true }); }
}

function progress() {
  const { decided, items, left: words, proving, stop } = store.progress;
  byId("decided").textContent = items ? `${decided.toLocaleString("en")} of ${items.toLocaleString("en")} decided` : "";
  byId("progress").max = items || 1;
  byId("progress").value = decided;
  const all = decided === items; // only random pictures can tell more of the labels
  const done = [items ? "All of these are decided." : "", words ? "Random pictures tell what nobody suspects." : ""].filter(Boolean).join(" ");
  const said = !all || stop ? words : done;
  byId("left").textContent = said;
  byId("left").title = said;
  byId("random").hidden = !(proving || (all && words)) || stop || drawing();
  const waiting = store.pending.size;
  byId("saving").textContent = waiting ? `saving ${waiting.toLocaleString("en")} …` : decided ? "all saved" : "";
  byId("saving").className = waiting ? "unsaved" : "";
}

listen((what) => {
  if (what.open) return open();
  if (what.close) return close();
  if (what.step) return step(what.step);
  if (what.draw) { draw(); return undefined; }
  if (what.rows) { store.finishing = what.finish ?? store.finishing; rows(); return undefined; }
  if (what.place) { if (store.mode === "grid") grid.reveal(); toAddress(); }
  if (what.decided) drawFilters();
  progress();
  drawBar();
  return undefined;
});

function step(by) {
  const to = store.at + by;
  if (to < 0 || to >= store.view.length) return;
  store.at = store.anchor = to;
  tell({ place: true });
}

// ---- the place in the address: a reload comes back to it ----

function toAddress() {
  const words = new URLSearchParams(Object.entries(store.filter).filter(([, value]) => value));
  if (store.view.length) words.set("item", store.view[store.at]);
  if (store.mode === "single") words.set("mode", "single");
  history.replaceState(null, "", `#${words}`);
}
function fromAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(store.filter)) store.filter[name] = words.get(name) ?? "";
  if (words.has("item")) store.wanted = Number(words.get("item"));
  if (words.get("mode") === "single" && store.wanted !== undefined) store.mode = "single";
}

// ---- keys ----

const KEYS = [
  ["A", "as suggested: the likely class, or keep one copy and delete the others"],
  ["K", "keep: its label is right"], ["D", "delete: it does not belong here"], ["N", "not sure"],
  ["1 … 9", "its class"], ["L or /", "any class by typing, or a new one"], ["U", "undo the last step"],
  ["→ J, ← P", "next, previous"], ["↑ ↓", "of copies, which one to keep; in the grid, a row up or down"],
  ["Enter", "one picture, or back to the grid"], ["X", "select; Shift and arrows: several"], ["Ctrl+A", "select all that are shown"], ["Esc", "select nothing; back to the grid"], ["?", "these keys"],
];
function openKeys() {
  byId("keys").replaceChildren(h("h2", { id: "keys-title", textContent: "Keys" }), h("dl", {}, ...KEYS.flatMap(([key, words]) => [h("dt", {}, h("kbd", { textContent: key })), h("dd", { textContent: words })])),
    h("p", { className: "soft", textContent: "Mouse: click, Shift, Ctrl and dragging select; a double click opens. Touch: tap opens, a long press selects, swipe goes on." }),
    h("p", { className: "buttons" }, h("button", { type: "button", className: "main", onclick: () => byId("keys").close() }, "Close")));
  byId("keys").showModal();
}

const PLAIN = { a: () => decide("accept"), k: () => decide("keep"), d: () => decide("delete"), Delete: () => decide("delete"), n: () => decide("not-sure"), u: undo, l: pick, "/": pick, "?": openKeys };

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.isComposing || event.altKey) return;
  if (/^(SELECT|INPUT|TEXTAREA)$/.test(event.target.tagName)) { if (event.key === "Escape") event.target.blur(); return; }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") undo();
    else if (key === "a" && store.mode === "grid") { store.view.forEach((each) => store.selected.add(each)); tell({ place: true }); }
    else return;
    event.preventDefault();
    return;
  }
  if (key in PLAIN) PLAIN[key]();
  else if (/^[1-9]$/.test(key)) number(Number(key));
  else if (!(store.mode === "single" ? singleKey(key, event) : gridKey(key, event))) return;
  event.preventDefault();
});

function singleKey(key, event) {
  if (key === "ArrowRight" || key === "j") step(1);
  else if (key === "ArrowLeft" || key === "p") step(-1);
  else if (key === "Escape" || key === "g" || (key === "Enter" && event.target.tagName !== "BUTTON")) close();
  else if (key === "ArrowDown") return nextKeeper(1);
  else if (key === "ArrowUp") return nextKeeper(-1);
  else return false;
  return true;
}

function gridKey(key, event) {
  const by = { ArrowRight: 1, j: 1, ArrowLeft: -1, p: -1, ArrowDown: grid.columns(), ArrowUp: -grid.columns(), PageDown: grid.page(), PageUp: -grid.page(), Home: -store.view.length, End: store.view.length }[key];
  if (by !== undefined) grid.move(by, { extend: event.shiftKey });
  else if (key === "Enter" && event.target.tagName !== "BUTTON") open();
  else if (key === "x" || (key === " " && event.target.tagName !== "BUTTON")) { grid.toggle(store.at); tell({ place: true }); }
  else if (key === "Escape") grid.setSelecting(false);
  else return false;
  return true;
}

byId("random").addEventListener("click", draw);
byId("label-rows").addEventListener("click", () => tell({ rows: true }));
byId("apply").addEventListener("click", openApply);
byId("help").addEventListener("click", openKeys);
byId("select").addEventListener("click", () => grid.setSelecting(!grid.isSelecting()));
byId("keys").addEventListener("click", (event) => { if (event.target === byId("keys")) byId("keys").close(); });

start();
