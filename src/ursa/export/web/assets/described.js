// Bytes -> what kind of file it is, judged from its header before a decoder sees it: a few bytes may unpack to gigabytes.

import { Problem } from "./problems.js";

export const MAX_PIXELS = 80_000_000; // as in core/decoding/image.py

/* -> { kind, data, jpeg: { components, turn } or undefined }. data of a JPEG come without EXIF and XMP: the turn is ours. */
export function described(data) {
  const kind = sniffed(data);
  if (!kind) throw new Problem("not-a-picture");
  const found = kind === "JPEG" ? jpeg(data) : { size: SIZES[kind]?.(data) };
  const [width, height] = found.size ?? [0, 0];
  if (width * height > MAX_PIXELS) throw new Problem("too-large", `${width} × ${height}, ≤ ${MAX_PIXELS / 1e6} MP`);
  if (isCut(data, kind, found.scan)) throw new Problem("truncated", kind);
  if (kind === "PNG" && data[24] === 16 && data[25] === 0) throw new Problem("format", "PNG, 16 bit"); // browsers show it as it is, Ursa by its depth
  return { kind, data: found.data ?? data, jpeg: kind === "JPEG" ? found : undefined };
}

const text = (data, from, to) => String.fromCharCode(...data.subarray(from, to));
const at = (data) => new DataView(data.buffer, data.byteOffset, data.byteLength);

function sniffed(data) {
  const start = text(data, 0, 12), brand = start.slice(4, 12);
  if (start.startsWith("\xff\xd8\xff")) return "JPEG";
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (/^GIF8[79]a/.test(start)) return "GIF";
  if (/^RIFF....WEBP/s.test(start)) return "WEBP";
  if (/^BM/.test(start)) return "BMP";
  if (/^ftypavi[fs]/.test(brand)) return "AVIF";
  if (/^ftyp(hei|hev|mif|msf)/.test(brand)) return "HEIC";
  if (/^(II\*\0|MM\0\*)/.test(start)) return "TIFF";
  if (/^\0\0\x01\0/.test(start)) return "ICO";
  if (/^(\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/.test(start)) return "JPEG 2000";
  return /^P[1-6]\s/.test(start) ? "PPM" : "";
}

const SIZES = {
  PNG: (data) => (data.length < 24 ? null : [at(data).getUint32(16), at(data).getUint32(20)]),
  GIF: (data) => (data.length < 10 ? null : [at(data).getUint16(6, true), at(data).getUint16(8, true)]),
  BMP: (data) => (data.length < 26 ? null : [Math.abs(at(data).getInt32(18, true)), Math.abs(at(data).getInt32(22, true))]),
  WEBP: (data) => {
    if (data.length < 30) return null;
    const kind = text(data, 12, 16), view = at(data), of24 = (place) => view.getUint16(place, true) | data[place + 2] << 16;
    if (kind === "VP8X") return [1 + of24(24), 1 + of24(27)];
    if (kind === "VP8L") return [1 + (view.getUint32(21, true) & 0x3fff), 1 + (view.getUint32(21, true) >>> 14 & 0x3fff)];
    return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  },
};

/* Browsers fill up with gray what is missing. */
function isCut(data, kind, scan) {
  if (kind === "JPEG") { // its end may be followed by other things, such as a film
    for (let place = data.indexOf(0xff, scan); place >= 0; place = data.indexOf(0xff, place + 1)) if (data[place + 1] === 0xd9) return false;
    return true;
  }
  if (kind !== "PNG") return false;
  for (let place = 8; place + 12 <= data.length; place += 12 + at(data).getUint32(place)) {
    if (text(data, place + 4, place + 8) === "IEND") return false;
  }
  return true;
}

/* -> { size, components, turn, scan, data }: data is the file without the segments that say how it was held. */
function jpeg(data) {
  const view = at(data), kept = [];
  let place = 2, from = 0, size = null, components = 3, exif = 0, xmp = 0;
  while (place + 4 <= data.length && data[place] === 0xff && data[place + 1] !== 0xda) {
    const marker = data[place + 1], length = view.getUint16(place + 2);
    if (marker === 0xff) { place++; continue; } // fill bytes are allowed
    const end = place + 2 + length;
    if (length < 2 || end > data.length) break;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker) && length >= 8) {
      size = [view.getUint16(place + 7), view.getUint16(place + 5)];
      components = data[place + 9];
    }
    if (marker === 0xe1) {
      exif ||= exifTurn(data.subarray(place + 4, end));
      xmp ||= xmpTurn(data.subarray(place + 4, end));
      kept.push(data.subarray(from, place));
      from = end;
    }
    place = end;
  }
  kept.push(data.subarray(from));
  return { size, components, turn: exif || xmp || 1, scan: place, data: new Blob(kept) };
}

/* 1 to 8, or 0 where nothing sound is said. */
function exifTurn(segment) {
  if (text(segment, 0, 6) !== "Exif\0\0") return 0;
  const tiff = segment.subarray(6), view = at(tiff), little = tiff[0] === 0x49;
  try {
    const first = view.getUint32(4, little), count = view.getUint16(first, little);
    for (let entry = first + 2; entry < first + 2 + 12 * count; entry += 12) {
      if (view.getUint16(entry, little) !== 0x0112) continue;
      const value = view.getUint16(entry + 2, little) === 4 ? view.getUint32(entry + 8, little) : view.getUint16(entry + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  } catch { /* it ends too early */ }
  return 0;
}

function xmpTurn(segment) {
  if (text(segment, 0, 29) !== "http://ns.adobe.com/xap/1.0/\0") return 0;
  return Number(/tiff:Orientation(?:="|>)([1-8])/.exec(new TextDecoder().decode(segment))?.[1] ?? 0);
}
