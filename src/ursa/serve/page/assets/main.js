// Begins: words, then the model, then pictures.

import { byId, make } from "./dom.js";
import * as words from "./words.js";
import { load } from "./model.js";
import * as queue from "./queue.js";
import * as results from "./results.js";
import * as adding from "./adding.js";
import * as about from "./about.js";

const notice = (text) => { byId("notice").textContent = text; byId("notice").hidden = !text; };

async function begin() {
  const ready = start();
  queue.begin((entry) => {
    notice("");
    if (!entry && location.hash === "#about") location.hash = ""; // pasted or dropped there: show what comes of it
    results.changed(entry);
  }, ready);
  adding.begin(notice);
  try {
    const model = await ready;
    const route = about.begin(model);
    const show = () => {
      title(model);
      about.knows(model);
      byId("accuracy").textContent = about.accuracy(model);
      adding.offer(model.examples, notice);
      results.changed(null);
      route();
    };
    words.changed(show);
    show();
  } catch (problem) {
    byId("no-server").hidden = false;
    if (!problem.kind) console.error(problem);
  }
}

/* The model document, once everything that shows an answer is there. */
async function start() {
  const asked = load();
  try {
    await words.start();
    languages();
  } finally {
    document.documentElement.classList.add("ready");
  }
  const model = await asked;
  results.begin(model);
  return model;
}

function title(known) {
  byId("title").textContent = document.title = known.title ?? words.say("title");
}

function languages() {
  const select = byId("language");
  select.replaceChildren(...Object.entries(words.LANGUAGES).map(([name, called]) => make("option", { value: name, lang: name }, called)));
  select.value = words.current();
  select.addEventListener("change", () => words.choose(select.value));
}

begin();
