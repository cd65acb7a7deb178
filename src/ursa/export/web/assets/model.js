// The model, run by the visitor's browser: takes the place of the page's `model.js`, with the same functions. A worker
// decodes pictures and runs the network, so that the page stays free; here its outputs become answers.

import { Problem } from "./problems.js";
import { answered } from "./decisions.js";

const LONGEST = 60_000; // ms for a picture: a hundred times what a slow phone takes for a small model

let known = null;   // model.json
let running = null; // a promise of the worker, once it has loaded the model
let loaded = 0;     // share of what has to be downloaded
let last = Promise.resolve(); // the picture before: they take turns
const waiting = new Set();    // told(state, share) of pictures that wait for the model

export async function load() {
  known = await (await get("model.json")).json();
  begin().then(keep, () => { /* the first picture says why */ });
  return known;
}

export const example = (number) => `examples/${number}.jpg`;

export const card = async () => (await get("card.md")).text();

export const address = () => ""; // programs ask `ursa serve`

export function predict(file, name, { signal, told }) {
  const turn = last.then(() => answer(file, signal, told));
  last = turn.catch(() => {});
  if (loaded < 1) wait(told);
  return turn;
}

async function answer(file, signal, told) {
  const most = known.limits.max_bytes;
  if (file.size > most) throw new Problem("too-large", `${Math.ceil(file.size / 1e6)} MB, ≤ ${most / 1e6} MB`);
  const worker = await begin();
  if (signal.aborted) throw new Problem("cancelled");
  waiting.delete(told);
  told("looking", 1);
  return answered(await asked(worker, file), known);
}

function wait(told) {
  waiting.add(told);
  told("sending", loaded); // in this page's words: the model is being loaded
}

/* A worker that has loaded the model; a new one where the last one failed. */
function begin() {
  if (running) return running;
  loaded = 0;
  running = new Promise((resolve, reject) => {
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => {
      if (data.problem) reject(new Problem(...data.problem));
      else if (data.ready) resolve(worker);
      else progress(data.loaded);
    };
    worker.onerror = ({ message }) => reject(new Problem(message ? "server" : "offline", message)); // none: it did not come
    worker.postMessage({ base: document.baseURI, known });
  });
  running.catch(() => { running = null; });
  return running;
}

function progress(share) {
  loaded = share;
  for (const told of waiting) told("sending", share);
}

/* One picture at a time -> outputs of the network. */
function asked(worker, file) {
  return new Promise((resolve, reject) => {
    const clock = setTimeout(() => stop(new Problem("too-slow")), LONGEST);
    const stop = (problem) => {
      clearTimeout(clock);
      worker.terminate();
      running = null;
      reject(problem);
    };
    worker.onerror = ({ message }) => stop(new Problem("server", message));
    worker.onmessage = ({ data }) => {
      clearTimeout(clock);
      if (data.problem) reject(new Problem(...data.problem));
      else resolve(data.outputs);
    };
    worker.postMessage({ file });
  });
}

/* All files in the browser, for when there is no network. Pages that are not served by https have no such place. */
async function keep() {
  try { await navigator.serviceWorker?.register("service-worker.js"); } catch { /* not allowed here: works online */ }
}

async function get(path) {
  let answer;
  try { answer = await fetch(path); } catch { throw new Problem("offline"); }
  if (!answer.ok) throw new Problem("offline", `${path}: ${answer.status}`);
  return answer;
}
