// File -> RGB as it is to be seen, by the browser's own decoders, with what `core/decoding` settles: turned upright,
// transparency on white, in sRGB, and large JPEGs at 1/8 to 7/8 of their size.

import { Problem } from "./problems.js";
import { described, MAX_PIXELS } from "./described.js";
import { eighths, scaler } from "./scaled.js";

const BAND = 1 << 20; // pixels that are read from the canvas at a time

/* Blob, { size, fit } -> { width, height, data: RGB }. Throws a Problem for what cannot be read whole. */
export async function decoded(file, preparation) {
  const told = described(new Uint8Array(await file.arrayBuffer()));
  const bitmap = await read(told);
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) throw new Problem("too-large", `${width} × ${height}`);
    const by = told.kind === "JPEG" ? eighths(width, height, preparation, told.components) : 8;
    return upright(by < 8 ? scaled(bitmap, by) : whole(bitmap), told.turn);
  } finally {
    bitmap.close();
  }
}

async function read({ data, kind }) {
  const type = kind === "JPEG" ? "image/jpeg" : ""; // of the others the browser sees it by itself
  try {
    return await createImageBitmap(new Blob([data], { type }), { premultiplyAlpha: "none", colorSpaceConversion: "default" });
  } catch {
    throw new Problem(["JPEG", "PNG", "GIF", "BMP", "WEBP"].includes(kind) ? "damaged" : "format", kind);
  }
}

function whole(bitmap) {
  const { width, height } = bitmap, data = new Uint8Array(3 * width * height);
  for (const { top, pixels } of bands(bitmap, 1)) {
    for (let from = 0, to = 3 * width * top; from < pixels.length; from += 4, to += 3) {
      data[to] = pixels[from];
      data[to + 1] = pixels[from + 1];
      data[to + 2] = pixels[from + 2];
    }
  }
  return { width, height, data };
}

function scaled(bitmap, by) {
  const scale = scaler(bitmap.width, bitmap.height, by);
  for (const { top, rows, pixels } of bands(bitmap, 8)) scale.add(pixels, top, rows);
  return scale.picture;
}

/* Some rows at a time, RGBA on white; of: their number is a multiple of this but for the last ones. */
function* bands(bitmap, of) {
  const { width, height } = bitmap, rows = Math.min(Math.ceil(height / of) * of, of * Math.max(1, Math.floor(BAND / width / of)));
  const pen = new OffscreenCanvas(width, rows).getContext("2d", { alpha: false, willReadFrequently: true, colorSpace: "srgb" });
  for (let top = 0; top < height; top += rows) {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, width, rows);
    pen.drawImage(bitmap, 0, -top);
    const here = Math.min(rows, height - top);
    yield { top, rows: here, pixels: pen.getImageData(0, 0, width, here).data };
  }
}

/* As stored -> as the camera was held: turn 1 to 8 as in EXIF. */
function upright(picture, turn) {
  if (turn === 1) return picture;
  const { width, height, data } = picture, swapped = turn >= 5;
  const [w, h] = swapped ? [height, width] : [width, height];
  const flipRows = [3, 4, 7, 8].includes(turn), flipColumns = [2, 3, 6, 7].includes(turn);
  const out = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < h; y++) {
    for (let x = 0; x < w; x++, to += 3) {
      const row = flipRows ? h - 1 - y : y, column = flipColumns ? w - 1 - x : x;
      const from = 3 * (swapped ? column * width + row : row * width + column);
      out[to] = data[from];
      out[to + 1] = data[from + 1];
      out[to + 2] = data[from + 2];
    }
  }
  return { width: w, height: h, data: out };
}
