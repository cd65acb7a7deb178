// Entries -> what stands below the drop area: progress, filters, cards, and one box for what could not be read.

import { byId, icon, make, named } from "./dom.js";
import { list, number, say } from "./words.js";
import { reading } from "./answers.js";
import { picture } from "./picture.js";
import { again, clear, entries, settled } from "./queue.js";
import { describe, open } from "./detail.js";
import { table } from "./table.js";

const CHIPS = 8; // classes to filter by; those of fewer pictures are found among all
const NAMED = 3; // files named for each reason
const UNSURE = "\0unsure"; // no class has this name

let model = null, filter = null, frame = 0;
const cards = new Map(); // entry -> its <li>
const readings = new WeakMap(); // entry -> what was answered, in the words that are shown now
const stale = new Set(); // entries whose card is to be drawn anew

/* known: the model document. From here on `changed` may be called. */
export function begin(known) { model = known; }

/* entry: whose state changed; null: all. Drawn once a frame, however often that is. */
export function changed(entry) {
  if (entry) stale.add(entry);
  else entries.forEach((each) => stale.add(each));
  frame ||= requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  const shown = entries.filter((entry) => entry.state !== "failed");
  const lone = shown.length === 1;
  document.body.classList.toggle("some", entries.length > 0);
  byId("list").classList.toggle("lone", lone);
  if (lone !== draw.lone) entries.forEach((entry) => stale.add(entry));
  draw.lone = lone;
  const standing = new Set(shown);
  for (const entry of [...cards.keys()]) if (!standing.has(entry)) { cards.get(entry).remove(); cards.delete(entry); }
  for (const entry of shown) if (stale.has(entry) || !cards.has(entry)) redraw(entry, lone);
  stale.clear();
  const groups = counted(shown);
  if (filter !== null && !groups.has(filter)) filter = null;
  place(shown);
  drawTools(shown, groups);
  drawFailed();
  tell(shown, groups);
}

function redraw(entry, lone) {
  const item = cards.get(entry) ?? make("li");
  cards.set(entry, item);
  item.className = entry.state;
  if (entry.state === "done") readings.set(entry, reading(entry.answer, model.classes));
  if (entry.state === "done") item.replaceChildren(lone ? describe(entry, model) : tile(entry));
  else if (item.dataset.waiting) wait(item, entry);
  else { item.replaceChildren(waiting(entry)); wait(item, entry); }
  item.dataset.waiting = entry.state === "done" ? "" : "yes";
}

function tile(entry) {
  const button = make("button", { type: "button", className: `tile${told(entry).unsure ? " unsure" : ""}` },
    make("span", { className: "stage" }, picture(entry, model.preparation.fit)), ...said(told(entry)),
    make("span", { className: "name", title: entry.name }, named(entry.name)));
  button.addEventListener("click", () => open(entry, ordered(done()).filter(passes), model));
  return button;
}

/* What a small card says below its picture. */
function said({ heading, short, note, unsure, numbers }) {
  if (numbers.length) return numbers.map(([name, value]) => make("span", { className: "line" }, make("span", { className: "what" }, named(name)), make("b", {}, number(value))));
  const line = make("span", { className: "line" }, unsure ? icon("question") : "", make("b", {}, named(heading)), short ? make("span", { className: "percent" }, short) : "");
  return unsure ? [line, make("span", { className: "note" }, note)] : [line];
}

function waiting(entry) {
  const progress = make("progress", { max: 1, value: 0, ariaLabel: say("sending-file", { name: entry.name }) });
  return make("div", { className: "tile" }, make("span", { className: "stage" }, picture(entry, model?.preparation.fit)), make("span", { className: "state" }), progress, make("span", { className: "name" }, named(entry.name)));
}

function wait(item, { state, share }) {
  const progress = item.querySelector("progress");
  item.querySelector(".state").textContent = say(`state-${state}`);
  if (state === "looking" || state === "busy") progress.removeAttribute("value"); // how long that takes is not known
  else progress.value = share;
}

// ---- order and filters ----

const done = () => entries.filter((entry) => entry.state === "done");
const told = (entry) => readings.get(entry);
const passes = (entry) => filter === null || (filter === UNSURE ? told(entry).unsure : told(entry).groups.includes(filter));

/* {group: pictures}, those that are not sure first, then by size. */
function counted(shown) {
  const counts = new Map();
  let unsure = 0;
  for (const entry of shown) {
    if (entry.state !== "done") continue;
    unsure += told(entry).unsure ? 1 : 0;
    for (const group of told(entry).groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  return new Map(unsure ? [[UNSURE, unsure], ...sorted] : sorted);
}

/* As the visitor wants them; pictures come as they were added until all are answered, so that nothing jumps. */
function ordered(shown) {
  const by = byId("order").value, added = [...shown].sort((a, b) => a.order - b.order);
  if (by === "added" || !entries.every(settled)) return added;
  const key = by === "unsure" ? sureness : (entry) => told(entry).heading;
  const keys = new Map(added.map((entry) => [entry, key(entry)]));
  return added.sort((a, b) => (by === "unsure" ? keys.get(a) - keys.get(b) : keys.get(a).localeCompare(keys.get(b))));
}

/* 0 to 100, in whole percents as they are shown; below that what is not sure. Numbers have none. */
function sureness(entry) {
  const { unsure, bars } = told(entry), percents = Math.floor(100 * (bars[0]?.[1] ?? 1));
  return unsure ? percents - 101 : percents;
}

function place(shown) {
  const wanted = ordered(shown).map((entry) => cards.get(entry)), place = byId("list");
  wanted.forEach((item, number) => { if (place.children[number] !== item) place.insertBefore(item, place.children[number] ?? null); });
  for (const entry of shown) cards.get(entry).hidden = entry.state === "done" && !passes(entry);
}

function drawTools(shown, groups) {
  const many = shown.length > 1, answered = shown.some((entry) => entry.state === "done");
  byId("tools").hidden = !many || !answered;
  byId("order").parentElement.hidden = groups.size === 0;
  byId("clear").hidden = entries.length === 0;
  const all = shown.filter((entry) => entry.state === "done").length;
  const chips = many && groups.size > 1 ? [[null, all], ...[...groups].slice(0, CHIPS)] : [];
  const focused = document.activeElement?.dataset?.group;
  byId("chips").replaceChildren(...chips.map(([group, count]) => chip(group, count)));
  if (focused !== undefined) [...byId("chips").children].find((each) => each.dataset.group === focused)?.focus();
}

function chip(group, count) {
  const words = group === null ? say("all") : group === UNSURE ? say("not-sure") : group;
  const button = make("button", { type: "button", className: "chip", ariaPressed: String(filter === group) }, named(words), " ", make("span", { className: "count" }, number(count)));
  button.dataset.group = group ?? "\0all";
  button.addEventListener("click", () => { filter = group; changed({}); });
  return button;
}

// ---- what could not be read: one box, one line for each reason ----

function drawFailed() {
  const failed = entries.filter((entry) => entry.state === "failed"), box = byId("failed");
  box.hidden = failed.length === 0;
  if (!failed.length) return;
  const reasons = Map.groupBy ? Map.groupBy(failed, (entry) => entry.problem.kind) : grouped(failed);
  const lines = [...reasons].map(([kind, some]) => make("li", {}, make("strong", {}, say(`problem-${kind}`)), " ", say(`help-${kind}`), files(some)));
  const retry = failed.some((entry) => entry.problem.again) ? make("button", { type: "button", className: "button small" }, say("try-again")) : "";
  if (retry) retry.addEventListener("click", () => { again(); byId("choose").focus(); });
  box.replaceChildren(make("h2", {}, icon("alert"), say("not-read", { count: failed.length })), make("ul", {}, ...lines), retry);
}

function files(some) {
  const shown = some.slice(0, NAMED).map(({ name, problem }) => make("li", { title: name }, named(name), problem.detail ? make("span", { lang: "en", className: "why" }, ` · ${problem.detail}`) : ""));
  const more = some.slice(NAMED);
  const rest = make("details", {}, make("summary", {}, say("more-files", { count: more.length })), make("ul", {}, ...more.map(({ name }) => make("li", {}, named(name)))));
  return make("div", { className: "files" }, make("ul", {}, ...shown), more.length ? rest : "");
}

function grouped(failed) {
  const groups = new Map();
  for (const entry of failed) groups.set(entry.problem.kind, [...(groups.get(entry.problem.kind) ?? []), entry]);
  return groups;
}

// ---- one line for all, heard by those who do not see the cards ----

function tell(shown, groups) {
  const finished = entries.filter(settled).length, failed = entries.length - shown.length;
  byId("progress").textContent = finished < entries.length ? say("progress", { done: finished, count: entries.length }) : shown.length > 1 ? say("pictures", { count: shown.length }) : "";
  if (finished < entries.length) return hear(say("looking", { count: entries.length }));
  const parts = [...groups].slice(0, CHIPS).map(([group, count]) => `${group === UNSURE ? say("not-sure") : group}: ${number(count)}`);
  if (shown.length === 1) parts.splice(0, Infinity, `${shown[0].name}: ${told(shown[0]).heading}. ${told(shown[0]).note}`);
  if (shown.length > 1) parts.unshift(say("pictures", { count: shown.length }));
  if (failed) parts.push(say("not-read", { count: failed }));
  return hear(parts.length ? list(parts, "unit") : "");
}

/* Into the live region, unless it says so already. */
export function hear(words) {
  if (byId("status").textContent !== words) byId("status").textContent = words;
}

// ---- buttons ----

byId("order").addEventListener("change", () => changed({}));
byId("clear").addEventListener("click", () => { filter = null; clear(); byId("choose").focus(); });
byId("csv").addEventListener("click", () => {
  const text = table(ordered(done()).filter(passes).concat(filter === null ? entries.filter((entry) => entry.problem) : []), model.task, model.classes);
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", { href: url, download: "results.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
});
