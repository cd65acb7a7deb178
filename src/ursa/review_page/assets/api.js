// The server: what is asked of it, and decisions on their way to it, one after the other, until it says that they are saved.

import { store, tell, say, counted, byId } from "./store.js";

const BLOCK = 100; // items asked for at once; the server takes 200
const TOGETHER = 1000; // decisions at once; the server takes 2,000
const OFTEN = 2000; // ms between two looks at what others decided

class Refused extends Error {
  constructor(status, told) {
    super(told.error || `the server answered ${status}`);
    Object.assign(this, { status, found: told.found, fix: told.fix });
  }
}

export async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, { cache: "no-store", ...options });
  let told = {};
  try { told = await answer.json(); } catch { /* no JSON: the status says enough */ }
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}

export const pictureUrl = (picture, size) => (picture.sha256 ? `pictures/${picture.sha256}/${size}` : null);

const asked = new Set();
export async function need(numbers) {
  const missing = numbers.filter((number) => number !== undefined && !store.items.has(number) && !asked.has(number));
  if (!missing.length) return;
  missing.forEach((number) => asked.add(number));
  try {
    for (let first = 0; first < missing.length; first += BLOCK) {
      const { items } = await ask(`api/items?numbers=${missing.slice(first, first + BLOCK).join(",")}`);
      items.forEach((item) => store.items.set(item.number, item));
      tell({ items: true });
    }
  } catch (problem) { failed(problem); }
  finally { missing.forEach((number) => asked.delete(number)); }
}

export async function find() {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(store.filter)) if (value) words.append(name, value);
  const { runs } = await ask(`api/view?${words}`);
  store.view = runs.flatMap(([first, count]) => Array.from({ length: count }, (_, step) => first + step));
}

export function take(told) {
  if (told.anew) store.decided.clear();
  for (const [row, decided] of Object.entries(told.pictures)) {
    if (decided) store.decided.set(Number(row), decided); else store.decided.delete(Number(row));
  }
  store.version = told.version;
  if (told.progress) store.progress = told.progress;
  if (told.classes) store.classes = told.classes;
}

// ---- saving ----

const queue = []; // batches: {wishes, done, words}
let busy = false;

export function save(wishes, done, words) {
  for (let first = 0; first < wishes.length; first += TOGETHER) {
    queue.push({ wishes: wishes.slice(first, first + TOGETHER), done, words });
  }
  wishes.forEach((wish) => store.pending.set(wish.row, wish));
  tell({ decided: true });
  send();
}

async function send() {
  if (busy) return;
  busy = true;
  while (queue.length) {
    const batch = queue[0];
    let told;
    try { told = await ask("api/decide", { decisions: batch.wishes }); } catch (problem) {
      if (!(problem instanceof Refused) || problem.status === 503) { // nobody is there: it may come back
        offline();
        await new Promise((wake) => setTimeout(wake, OFTEN));
        continue;
      }
      queue.shift();
      settle(batch);
      notice(`Not saved: ${batch.words}. ${sentence(problem)}`, "bad");
      tell({ decided: true });
      continue;
    }
    queue.shift();
    settle(batch);
    take(told);
    online();
    if (batch.done) batch.done(told);
    say(`Saved: ${batch.words}`);
    tell({ decided: true });
  }
  busy = false;
}

function settle(batch) {
  const later = new Set(queue.flatMap((each) => each.wishes.map((wish) => wish.row)));
  batch.wishes.forEach((wish) => { if (!later.has(wish.row)) store.pending.delete(wish.row); });
}

window.addEventListener("beforeunload", (event) => { if (queue.length) event.preventDefault(); });

// ---- what others decide ----

export function follow(heard) {
  setInterval(async () => {
    if (document.hidden || busy) return;
    try {
      const told = await ask(`api/changes?since=${store.version}`);
      online();
      heard(told);
      if (told.version !== store.version || told.anew) { take(told); tell({ decided: true }); }
    } catch (problem) {
      if (problem instanceof Refused && problem.status === 404) stale(); else offline();
    }
  }, OFTEN);
}

// ---- notices ----

let down = false;
function offline() {
  down = true;
  const left = store.pending.size;
  const unsaved = left ? ` ${counted(left, "decision is", "decisions are")} not saved yet.` : "";
  notice(`The server does not answer.${unsaved} ${store.about.notebook ? "Run the cell again" : `Start it again with ${store.about.command || "ursa review"}`}; what was saved is kept.`, "bad", true);
}
function online() { if (down) { down = false; notice(""); } }
function stale() {
  down = true;
  notice(`The server was started anew, under another address: ${store.about.notebook ? "run the cell again" : `open the one that ${store.about.command || "ursa review"} printed last`}. What was saved is kept.`, "bad", true);
}
export function failed(problem) {
  if (problem instanceof Refused) { if (problem.status === 404) stale(); else notice(sentence(problem), "bad"); } else offline();
}
export const sentence = (problem) => {
  const words = [problem.message, problem.found].filter(Boolean).join(": ");
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.${problem.fix ? ` To mend it: ${problem.fix}.` : ""}`;
};
export function notice(words, tone = "note", stays = false) {
  const place = byId("notice");
  place.hidden = !words;
  place.className = tone;
  place.replaceChildren(document.createTextNode(words));
  if (words && !stays) {
    const close = document.createElement("button");
    close.type = "button"; close.textContent = "Close";
    close.addEventListener("click", () => notice(""));
    place.append(close);
  }
}
