// The ways in: chosen, photographed, pasted, dropped, or one of the examples. They all end in `add`.

import { byId, make } from "./dom.js";
import { say } from "./words.js";
import { add } from "./queue.js";
import { example } from "./model.js";

/* complain(words): says what was wrong with what came. */
export function begin(complain) {
  for (const input of [byId("choose"), byId("photo")]) {
    input.addEventListener("change", () => { add([...input.files]); input.value = ""; }); // so that the same file can be chosen again
  }
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (!files.length) return complain(say("nothing-pasted"));
    event.preventDefault();
    return add(files, files.length === 1 && files[0].name === "image.png" ? say("pasted") : "");
  });
  dropping(complain);
  if (/Mac|iP/.test(navigator.platform)) byId("paste").textContent = "⌘V";
}

function dropping(complain) {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const over = (count) => { depth = Math.max(0, count); document.body.classList.toggle("over", depth > 0); };
  document.addEventListener("dragenter", (event) => { event.preventDefault(); over(depth + 1); });
  document.addEventListener("dragleave", () => over(depth - 1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(0);
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const folder = (item) => Boolean(item.webkitGetAsEntry?.()?.isDirectory);
    const folders = items.filter(folder).length;
    const files = folders ? items.filter((item) => !folder(item)).map((item) => item.getAsFile()) : [...event.dataTransfer.files];
    if (files.length) add(files);
    else complain(say(folders ? "folder-dropped" : "nothing-dropped"));
  });
}

/* So many pictures to try, from the bundle. */
export function offer(count, complain) {
  byId("examples").hidden = count === 0;
  byId("try").replaceChildren(...Array.from({ length: count }, (_, number) => {
    const name = say("example", { number: number + 1 });
    const button = make("button", { type: "button", ariaLabel: name }, make("img", { src: example(number), alt: "", decoding: "async" }));
    button.addEventListener("click", async () => {
      try { add([await (await fetch(example(number))).blob()], name); } catch { complain(say("problem-offline")); }
    });
    return make("li", {}, button);
  }));
}
