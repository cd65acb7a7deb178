// All classes by typing a part of their name; a name that there is not begins a class.

import { store, h, byId } from "./store.js";

const MOST = 60; // shown at once
const dialog = byId("palette"), typed = byId("typed"), choices = byId("choices");
let chosen = () => {}, found = [], at = 0;

export function openPalette(take) {
  if (!store.labeled) return;
  chosen = take;
  typed.value = "";
  list();
  dialog.showModal();
  typed.focus();
}

function list() {
  const word = typed.value.trim(), low = word.toLowerCase();
  const rank = (name) => { const where = name.toLowerCase().indexOf(low); return where < 0 ? 9 : where === 0 ? 0 : 1; };
  found = store.classes.filter((name) => rank(name) < 9).sort((a, b) => rank(a) - rank(b)).slice(0, MOST).map((name) => ({ name }));
  if (word && !store.classes.includes(word)) found.push({ name: word, fresh: true });
  at = 0;
  choices.replaceChildren(...found.map((each, index) => h("li", { role: "option", onclick: () => take(index) },
    each.fresh ? h("i", { textContent: "New class " }) : "", h("span", { textContent: each.name }),
    keyOf(each) ? h("kbd", { textContent: keyOf(each) }) : "")));
  if (!found.length) choices.replaceChildren(h("li", { className: "soft", textContent: "There is no class yet: type the name of the first one." }));
  mark();
}

const keyOf = (each) => { const place = store.classes.indexOf(each.name) + 1; return place > 0 && place <= 9 ? `${place}` : ""; };

function mark() {
  [...choices.children].forEach((each, index) => { each.setAttribute("aria-selected", index === at); if (index === at) each.scrollIntoView({ block: "nearest" }); });
}

function take(index) {
  const one = found[index];
  if (!one) return;
  dialog.close();
  chosen(one.name);
}

typed.addEventListener("input", list);
dialog.addEventListener("keydown", (event) => {
  event.stopPropagation();
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    at = (at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length);
    mark();
    event.preventDefault();
  } else if (event.key === "Enter" && !event.isComposing) { take(at); event.preventDefault(); }
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
