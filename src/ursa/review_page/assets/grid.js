// The grid: only the rows that are seen are there, however many items there are.

import { store, listen, tell, h, byId, decisionOf, stateOf, isPending, keeperOf } from "./store.js";
import { need } from "./api.js";
import { thumb, load } from "./pictures.js";

const grid = byId("grid"), rows = byId("rows");
const GAP = 10, CAPTION = 42, BEYOND = 2; // px, px, rows above and below
const tiles = new Map(); // place -> element
let size = { columns: 1, tile: 160, row: 212 };
const STILL = 150; // ms since the last scrolling
let settled = 0, scrolled = -STILL, selecting = false;

const WORDS = { keep: "kept", delete: "deleted", label: "relabelled", "not-sure": "not sure", decided: "decided", "one-kept": "one kept" };
const MARKS = { keep: "✓", delete: "×", label: "→", "not-sure": "?", decided: "✓", "one-kept": "✓" };

export function measure() {
  const width = grid.clientWidth - 2 * GAP;
  const wanted = width < 560 ? 112 : width < 1300 ? 168 : 196;
  const columns = Math.max(1, Math.floor((width + GAP) / (wanted + GAP)));
  const tile = Math.floor((width + GAP) / columns) - GAP;
  size = { columns, tile, row: tile + CAPTION + GAP };
  rows.style.height = `${Math.ceil(store.view.length / columns) * size.row + GAP}px`;
  clear();
  draw();
}

function clear() { tiles.forEach((tile) => drop(tile)); tiles.clear(); }
function drop(tile) { tile.querySelectorAll("img").forEach((image) => { image.removeAttribute("src"); }); tile.remove(); }

export function draw() {
  if (store.mode !== "grid" || !grid.clientHeight) return;
  const first = Math.max(0, Math.floor(grid.scrollTop / size.row) - BEYOND) * size.columns;
  const last = Math.min(store.view.length, (Math.ceil((grid.scrollTop + grid.clientHeight) / size.row) + BEYOND) * size.columns);
  for (const [place, tile] of tiles) if (place < first || place >= last) { drop(tile); tiles.delete(place); }
  const numbers = [];
  for (let place = first; place < last; place += 1) {
    numbers.push(store.view[place]);
    const item = store.items.get(store.view[place]);
    const known = tiles.get(place);
    if (known && known.full === Boolean(item)) continue;
    if (known) drop(known);
    const tile = item ? filled(item, place) : h("div", { className: "tile waiting" });
    tile.full = Boolean(item);
    put(tile, place);
    tiles.set(place, tile);
    rows.append(tile);
    mark(tile, item, place);
  }
  need(numbers);
  clearTimeout(settled);
  if (performance.now() - scrolled > STILL) tiles.forEach(load);
  else settled = setTimeout(() => tiles.forEach(load), 40); // ms: not while one scrolls past them
}

function put(tile, place) {
  const column = place % size.columns, row = Math.floor(place / size.columns);
  tile.style.transform = `translate(${GAP + column * (size.tile + GAP)}px, ${GAP + row * size.row}px)`;
  tile.style.width = `${size.tile}px`;
  tile.style.height = `${size.row - GAP}px`;
  tile.dataset.place = place;
}

function filled(item, place) {
  const shown = item.pictures.slice(0, 4);
  const first = item.pictures[0];
  const frame = h("div", { className: `frame of${shown.length}` }, ...shown.map((each) => thumb(each, true)));
  if (item.pictures.length > 1) frame.append(h("span", { className: "many", textContent: `${item.pictures.length}` }));
  frame.append(h("span", { className: "badge", "aria-hidden": "true" }));
  const words = item.likely && item.likely !== first.label && item.kind !== "random-pick"
    ? [h("span", { textContent: first.label ?? "no label" }), h("i", { textContent: " → " }), h("b", { textContent: item.likely })]
    : [h("span", { textContent: [...new Set(item.pictures.map((each) => each.label ?? "no label"))].join(" | ") })];
  const tile = h("div", { className: "tile", role: "option", id: `tile-${place}`, title: first.id }, frame,
    h("p", { className: "labels" }, ...words), h("p", { className: "why", textContent: item.title }));
  tile.setAttribute("aria-label", `${first.id}, ${first.label ?? "no label"}, ${item.title}`);
  return tile;
}

function mark(tile, item, place) {
  const number = store.view[place];
  tile.setAttribute("aria-selected", store.selected.has(number));
  tile.classList.toggle("at", place === store.at);
  if (!item) return;
  const state = stateOf(item);
  tile.dataset.state = state;
  tile.classList.toggle("pending", isPending(item));
  const badge = tile.querySelector(".badge");
  badge.textContent = MARKS[state] ?? "";
  badge.title = WORDS[state] ?? "";
  const decided = state === "label" ? item.pictures.map((each) => decisionOf(each.row)?.label)[0] : null;
  const why = tile.querySelector(".why");
  why.textContent = state === "undecided" ? item.title : decided ? `→ ${decided}` : WORDS[state];
  const keeper = keeperOf(item);
  tile.querySelectorAll(".thumb").forEach((frame, index) => {
    const row = item.pictures[index].row;
    frame.classList.toggle("keeper", item.group && row === keeper);
    frame.dataset.kind = decisionOf(row)?.kind ?? "";
  });
}

export function refresh() {
  tiles.forEach((tile, place) => mark(tile, store.items.get(store.view[place]), place));
  if (store.view.length) grid.setAttribute("aria-activedescendant", `tile-${store.at}`);
}

export function reveal() {
  const top = Math.floor(store.at / size.columns) * size.row;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top + size.row + GAP > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + size.row + GAP - grid.clientHeight;
  draw();
}

export function move(by, { extend = false } = {}) {
  const to = Math.max(0, Math.min(store.view.length - 1, store.at + by));
  if (extend) { range(store.anchor, to); } else { store.anchor = to; }
  store.at = to;
  tell({ place: true });
}
export const columns = () => size.columns;
export const page = () => Math.max(1, Math.floor(grid.clientHeight / size.row)) * size.columns;

function range(a, b, keep = false) {
  if (!keep) store.selected.clear();
  for (let place = Math.min(a, b); place <= Math.max(a, b); place += 1) store.selected.add(store.view[place]);
}
export function toggle(place) {
  const number = store.view[place];
  if (store.selected.has(number)) store.selected.delete(number); else store.selected.add(number);
  store.anchor = place;
}

// ---- mouse and touch ----

export function setSelecting(on) {
  selecting = on;
  byId("select").setAttribute("aria-pressed", on);
  if (!on) store.selected.clear();
  tell({ place: true });
}
export const isSelecting = () => selecting;

const placeOf = (event) => { const tile = event.target.closest(".tile"); return tile ? Number(tile.dataset.place) : null; };
let touch = null, band = null, suppress = false;

grid.addEventListener("click", (event) => {
  if (suppress) { suppress = false; return; }
  const place = placeOf(event);
  if (place === null) { if (!event.shiftKey && !event.ctrlKey) store.selected.clear(); tell({ place: true }); return; }
  const touched = event.pointerType === "touch";
  if (event.shiftKey) range(store.anchor, place, event.ctrlKey || event.metaKey);
  else if (event.ctrlKey || event.metaKey || selecting) toggle(place);
  else if (touched) { store.at = place; tell({ open: true }); return; }
  else { store.selected.clear(); store.selected.add(store.view[place]); store.anchor = place; }
  store.at = place;
  tell({ place: true });
});
grid.addEventListener("dblclick", (event) => {
  const place = placeOf(event);
  if (place !== null && !selecting) { store.selected.clear(); store.at = place; tell({ open: true }); }
});
grid.addEventListener("contextmenu", (event) => { if (touch) event.preventDefault(); });
grid.addEventListener("pointerdown", (event) => {
  suppress = false;
  if (event.pointerType === "touch") {
    const place = placeOf(event);
    if (place === null) return;
    touch = setTimeout(() => { touch = null; suppress = true; store.at = place; toggle(place); setSelecting(true); }, 450);
  } else if (event.button === 0 && event.offsetX < grid.clientWidth) {
    const box = grid.getBoundingClientRect();
    band = { x: event.clientX - box.left, y: event.clientY - box.top + grid.scrollTop, id: event.pointerId, keep: new Set(event.ctrlKey || event.metaKey ? store.selected : []) };
  }
});
grid.addEventListener("pointermove", (event) => {
  if (touch && Math.hypot(event.movementX, event.movementY) > 4) { clearTimeout(touch); touch = null; }
  if (!band || event.shiftKey) return;
  const box = grid.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top + grid.scrollTop;
  if (!band.element) {
    if (Math.hypot(x - band.x, y - band.y) < 8) return;
    grid.setPointerCapture(band.id);
    band.element = h("div", { className: "band" });
    rows.append(band.element);
  }
  const [left, right] = [Math.min(x, band.x), Math.max(x, band.x)], [top, bottom] = [Math.min(y, band.y), Math.max(y, band.y)];
  Object.assign(band.element.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
  store.selected = new Set(band.keep);
  const cell = size.tile + GAP;
  const [c0, c1] = [Math.max(0, Math.floor((left - GAP) / cell)), Math.min(size.columns - 1, Math.floor((right - GAP) / cell))];
  const [r0, r1] = [Math.max(0, Math.floor((top - GAP) / size.row)), Math.floor((bottom - GAP) / size.row)];
  for (let row = r0; row <= r1; row += 1) for (let column = c0; column <= c1; column += 1) {
    const number = store.view[row * size.columns + column];
    if (number !== undefined) store.selected.add(number);
  }
  tell({ place: true });
});
for (const end of ["pointerup", "pointercancel"]) grid.addEventListener(end, () => {
  clearTimeout(touch); touch = null;
  if (band?.element) { band.element.remove(); suppress = end === "pointerup"; }
  band = null;
});
grid.addEventListener("scroll", () => { scrolled = performance.now(); requestAnimationFrame(draw); }, { passive: true });
new ResizeObserver(() => { if (store.mode === "grid") { measure(); reveal(); } }).observe(grid);
listen((what) => { if (what.items) draw(); refresh(); });
