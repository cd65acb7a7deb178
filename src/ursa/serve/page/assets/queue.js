// The visitor's pictures, each with its state, and what asks the model about them. Knows nothing of the page.
//
//   entry: { file, name, url, order, state, share, answer, problem }
//   state: waiting, sending, looking, busy, done, failed

import { predict } from "./model.js";
import { Problem } from "./problems.js";

const AT_ONCE = 2; // in flight: keeps the progress honest on slow lines
const MOST = 1e6;  // files at once; those that came last stand first, in the order in which they were chosen

export const entries = [];
let running = 0, batch = 0;
let told = () => {};
let ready = Promise.resolve();

/* listener(entry) after each change, listener(null) when entries came or went; model: settled when it can be asked. */
export function begin(listener, model) {
  told = listener;
  ready = model;
}

/* Files -> entries that wait for their turn. */
export function add(files, called = "") {
  batch++;
  for (const [number, file] of files.entries()) {
    entries.push({ file, name: called || file.name || "picture", url: URL.createObjectURL(file), order: number - MOST * batch, state: "waiting", share: 0, answer: null, problem: null, stop: new AbortController() });
  }
  told(null);
  pump();
}

/* Those that failed and may yet be answered. */
export function again() {
  for (const entry of entries) if (entry.problem?.again) Object.assign(entry, { state: "waiting", share: 0, problem: null });
  told(null);
  pump();
}

export function clear() {
  for (const entry of entries.splice(0)) {
    entry.stop.abort();
    URL.revokeObjectURL(entry.url);
  }
  told(null);
}

export const settled = (entry) => entry.state === "done" || entry.state === "failed";

function pump() {
  while (running < AT_ONCE) {
    const next = entries.find((entry) => entry.state === "waiting");
    if (!next) return;
    running++;
    next.state = "looking";
    ask(next).finally(() => {
      running--;
      if (!next.stop.signal.aborted) told(next);
      pump();
    });
  }
}

async function ask(entry) {
  try {
    await ready;
    entry.answer = await predict(entry.file, entry.name, {
      signal: entry.stop.signal,
      told: (state, share) => { Object.assign(entry, { state, share }); told(entry); },
    });
    entry.state = "done";
  } catch (problem) {
    if (!(problem instanceof Problem)) console.error(problem);
    entry.problem = problem instanceof Problem ? problem : new Problem("server", String(problem));
    entry.state = "failed";
  }
}
