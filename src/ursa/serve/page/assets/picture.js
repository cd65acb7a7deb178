// A picture whole, with a mark around what the model sees of it; and that view itself, drawn as `core/prepare.py` does it.

import { icon, make } from "./dom.js";
import { say } from "./words.js";

const GRAY = "rgb(114 114 114)"; // of the bars, as `FILL` in core/prepare.py

/* The picture, whole. fit: "crop" marks the middle square, which is all that the model sees. */
export function picture(entry, fit) {
  const image = make("img", { alt: "", decoding: "async" });
  const frame = make("span", { className: "picture" }, image);
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    frame.style.aspectRatio = `${width} / ${height}`;
    frame.style.setProperty("--ratio", width / height);
    if (fit === "crop" && width !== height) {
      frame.classList.add("cropped");
      frame.style.setProperty("--x", `${50 * Math.max(0, 1 - height / width)}%`);
      frame.style.setProperty("--y", `${50 * Math.max(0, 1 - width / height)}%`);
    }
  });
  image.addEventListener("error", () => frame.replaceChildren(icon("picture"))); // such as TIFF: the server reads more kinds than a browser
  image.src = entry.url;
  return frame;
}

/* <details> that draws what the model sees when it is opened. Nothing for a picture that the browser cannot show. */
export function modelView(entry, { size, fit }) {
  const canvas = make("canvas", { width: size, height: size, className: "view" });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", say("view"));
  const note = make("p", { className: "small" }, say(`view-${fit}`, { size }));
  const details = make("details", { className: "seen-by-model" }, make("summary", {}, say("view")), make("div", {}, canvas, note));
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    const image = new Image();
    image.src = entry.url;
    try { await image.decode(); } catch { details.hidden = true; return; }
    draw(canvas.getContext("2d"), image, size, fit);
  });
  return details;
}

function draw(pen, image, size, fit) {
  const { naturalWidth: width, naturalHeight: height } = image;
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = GRAY;
  pen.fillRect(0, 0, size, size);
  if (fit === "squash") return pen.drawImage(image, 0, 0, size, size);
  if (fit === "crop") {
    const side = Math.min(width, height);
    return pen.drawImage(image, (width - side) / 2, (height - side) / 2, side, side, 0, 0, size, size);
  }
  const scale = size / Math.max(width, height);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  return pen.drawImage(image, Math.floor((size - w) / 2), Math.floor((size - h) / 2), w, h);
}
