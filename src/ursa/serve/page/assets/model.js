// The model, asked over HTTP. The only file that knows where answers come from: with another file of this name and these
// functions in its place, the same page asks another model, such as one that runs in the browser.
//
//   load()                       -> what `v1/model` says: task, classes, preparation, limits, examples ...
//   predict(file, name, options) -> one answer, as `Prediction.to_json()` in Python. options: signal, told(state, share)
//   example(number)              -> address of a picture to try
//   card()                       -> the model card, Markdown
//   address()                    -> where programs may ask, or "" where they cannot
//
// What cannot be answered is thrown as a Problem.

import { Problem, problemOf } from "./problems.js";

const TRIES = 6;   // when the server is busy, or asks to wait
const FORM = 1000; // bytes that the form around a picture takes, at most

let most = Infinity; // bytes of a request

export async function load() {
  const model = await json(await get("v1/model"));
  most = model.limits.max_bytes;
  return model;
}

export const example = (number) => `examples/${number}.jpg`;

export const card = async () => (await get("card")).text();

export const address = () => new URL("v1/predict", document.baseURI).href;

export async function predict(file, name, { signal, told }) {
  if (file.size > most - FORM) throw new Problem("too-large", `${megabytes(file.size)}, ≤ ${megabytes(most)}`);
  for (let number = 1; ; number++) {
    const { status, answer, wait } = await post(file, name, signal, told);
    if (status === 200) return picked(answer);
    const busy = status === 503 || status === 429;
    if (!busy || number === TRIES) throw problemOf(answer.error, busy ? "busy" : status >= 500 ? "server" : "refused");
    told("busy", 0);
    await pause(1000 * wait, signal);
  }
}

function picked(answer) {
  const one = Array.isArray(answer) ? answer[0] : answer;
  if (!one || typeof one !== "object") throw new Problem("server");
  if (one.problem) throw problemOf(one.problem);
  return one;
}

function post(file, name, signal, told) {
  const form = new FormData();
  form.append("picture", file, name);
  const request = new XMLHttpRequest(); // fetch cannot say how much has been sent
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => request.abort());
    if (signal.aborted) return reject(new Problem("cancelled"));
    request.open("POST", "v1/predict");
    request.upload.onprogress = ({ loaded, total }) => (loaded < total ? told("sending", loaded / total) : told("looking", 1));
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* a proxy's own page: the status has to do */ }
      resolve({ status: request.status, answer, wait: Math.min(60, Number(request.getResponseHeader("retry-after")) || 2) });
    };
    request.onerror = () => reject(new Problem("offline"));
    request.onabort = () => reject(new Problem("cancelled"));
    request.send(form);
  });
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const clock = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(clock); reject(new Problem("cancelled")); });
  });
}

async function get(path) {
  let answer;
  try { answer = await fetch(path); } catch { throw new Problem("offline"); }
  if (!answer.ok) throw new Problem(answer.status >= 500 ? "server" : "refused", `${answer.status}`);
  return answer;
}

async function json(answer) {
  try { return await answer.json(); } catch { throw new Problem("server"); }
}

const megabytes = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
