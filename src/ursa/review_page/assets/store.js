// What the page knows: items, decisions, filter, place. Others change it and call `tell`; views listen.

export const store = {
  about: {}, classes: [], kinds: [], splits: [], labeled: true,
  items: new Map(), // number -> item
  decided: new Map(), // row -> {kind, label, key, who}, saved
  pending: new Map(), // row -> {kind, label}, not saved yet
  version: 0, progress: { decided: 0, items: 0, kinds: {}, left: "" },
  view: [], // numbers of items that pass the filter
  at: 0, // place in the view
  anchor: 0, // of a selection by shift
  selected: new Set(), // numbers of items
  out: new Set(), // rows of pictures that were taken out of a row to label
  labeling: "", // how far the labeling is
  finishing: false, // all pictures are to get a label: rows of which a classifier is sure come first
  kept: new Map(), // number of a group -> row to keep, where it was chosen
  mode: "grid",
  filter: { kind: "", class: "", split: "", state: "" },
};

const listeners = [];
export const listen = (heard) => listeners.push(heard);
export const tell = (what = {}) => listeners.forEach((heard) => heard(what));

export const current = () => store.items.get(store.view[store.at]);
export const decisionOf = (row) => {
  const pending = store.pending.get(row);
  if (pending) return pending.kind === "undo" ? undefined : pending;
  return store.decided.get(row);
};
export const keeperOf = (item) => store.kept.get(item.number) ?? item.keep;

// "undecided", "one-kept" of copies, or the kind that all of its decisions have in common, else "decided"
export function stateOf(item) {
  const said = item.pictures.map((each) => decisionOf(each.row)).filter(Boolean);
  if (!said.length || (!item.row && said.length < item.pictures.length - (item.group ? 1 : 0))) return "undecided";
  const kinds = new Set(said.map((each) => (each.kind === "new-label" ? "label" : each.kind)));
  if (kinds.size > 1) return "decided";
  return item.group && said.length < item.pictures.length && kinds.has("delete") ? "one-kept" : [...kinds][0];
}
export const isPending = (item) => item.pictures.some((each) => store.pending.has(each.row));

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "role") element[name] = value;
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
export const byId = (id) => document.getElementById(id);
export const say = (words) => { byId("said").textContent = words; };
export const counted = (count, one, several = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : several}`;
