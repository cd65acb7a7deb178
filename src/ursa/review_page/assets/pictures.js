// Images that are loaded before they are shown, so that the next picture is there when a key is pressed.

import { h } from "./store.js";
import { pictureUrl } from "./api.js";

const MOST = 48; // images held ready
const ready = new Map(); // url -> Image, the one used last at the end

export function preload(url) {
  if (!url) return null;
  let image = ready.get(url);
  if (image) ready.delete(url);
  else {
    image = new Image();
    image.src = url;
    image.decode().catch(() => {}); // one that cannot be had is told where it is shown
  }
  ready.set(url, image);
  while (ready.size > MOST) ready.delete(ready.keys().next().value);
  return image;
}

export const loaded = (url) => { const image = ready.get(url); return Boolean(image && image.complete && image.naturalWidth); };

// A small picture in its frame; words in place of one that cannot be shown.
export function thumb(picture, wait = false) {
  const frame = h("span", { className: "thumb" });
  const url = pictureUrl(picture, "small");
  if (!url) return gone(frame, picture.problem || "cannot be shown");
  const image = h("img", { alt: "", draggable: false, decoding: "async" });
  image.addEventListener("error", () => { if (image.getAttribute("src")) gone(frame, "gone or changed since the check"); });
  if (wait) frame.dataset.src = url; else image.src = url;
  frame.append(image);
  return frame;
}

// Thumbs made with `wait` begin to load: not while one scrolls past them.
export function load(element) {
  element.querySelectorAll(".thumb[data-src]").forEach((frame) => {
    frame.firstChild.src = frame.dataset.src;
    delete frame.dataset.src;
  });
}

// The large picture: the small one at once, the large one when it is there. Each place has an element of its own, since
// copies have one address; what was loaded ahead comes from the browser's memory.
export function large(picture) {
  const frame = h("div", { className: "large" });
  const small = pictureUrl(picture, "small"), big = pictureUrl(picture, "large");
  if (!small) return gone(frame, picture.problem || "cannot be shown");
  const image = h("img", { alt: `${picture.id}, ${picture.label ?? "no label"}`, draggable: false, decoding: "sync" });
  image.addEventListener("error", () => gone(frame, "This file is gone, or was changed since the check."), { once: true });
  image.src = loaded(big) ? big : small;
  if (!loaded(big)) preload(big).decode().then(() => { image.src = big; }, () => {});
  frame.append(image);
  return frame;
}

function gone(frame, words) {
  frame.classList.add("gone");
  frame.replaceChildren(h("span", { textContent: words }));
  return frame;
}
