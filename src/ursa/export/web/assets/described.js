// Bytes -> what kind of file it is, judged from its header before a decoder sees it: a few bytes may unpack to gigabytes.

import { Problem } from "./problems.js";

export const MAX_PIXELS = 80_000_000; // as in core/decoding/image.py

/* -> { kind, data, turn, components }. turn: 1 to 8 as in EXIF. data: without what says so, because browsers differ in which
   kinds of files they turn. components: of a JPEG. */
export function described(data) {
  const kind = sniffed(data);
  if (!kind) throw new Problem("not-a-picture");
  const found = { JPEG: jpeg, PNG: png, WEBP: webp }[kind]?.(data) ?? { size: SIZES[kind]?.(data) };
  const [width, height] = found.size ?? [0, 0];
  if (width * height > MAX_PIXELS) throw new Problem("too-large", `${width} × ${height}, ≤ ${MAX_PIXELS / 1e6} MP`);
  if (found.cut) throw new Problem("truncated", kind);
  if (kind === "PNG" && data[24] === 16 && data[25] === 0) throw new Problem("format", "PNG, 16 bit"); // browsers show it as it is, Ursa by its depth
  return { kind, data: found.data ?? new Blob([data]), turn: found.turn ?? 1, components: found.components };
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
  GIF: (data) => (data.length < 10 ? null : [at(data).getUint16(6, true), at(data).getUint16(8, true)]),
  BMP: (data) => (data.length < 26 ? null : [Math.abs(at(data).getInt32(18, true)), Math.abs(at(data).getInt32(22, true))]),
};

function png(data) {
  const view = at(data), kept = [];
  const size = data.length < 24 ? null : [view.getUint32(16), view.getUint32(20)];
  let place = 8, from = 0, turn = 0, xmp = 0, ended = false;
  while (place + 12 <= data.length && !ended) {
    const end = place + 12 + view.getUint32(place), kind = text(data, place + 4, place + 8);
    ended = kind === "IEND";
    if (kind === "iTXt" && text(data, place + 8, place + 25) === "XML:com.adobe.xmp") xmp ||= xmpTurn(data.subarray(place, end));
    if (kind === "eXIf" && end <= data.length) {
      turn ||= tiffTurn(data.subarray(place + 8, end));
      kept.push(data.subarray(from, place));
      from = end;
    }
    place = end;
  }
  kept.push(data.subarray(from));
  return { size, turn: turn || xmp || 1, cut: !ended, data: new Blob(kept) };
}

function webp(data) {
  if (data.length < 30) return { cut: true };
  const view = at(data), kind = text(data, 12, 16), of24 = (place) => view.getUint16(place, true) | data[place + 2] << 16;
  if (kind === "VP8L") return { size: [1 + (view.getUint32(21, true) & 0x3fff), 1 + (view.getUint32(21, true) >>> 14 & 0x3fff)] };
  if (kind !== "VP8X") return { size: [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff] };
  const other = data.slice();
  let turn = 0, xmp = 0;
  for (let place = 12; place + 8 <= data.length;) {
    const length = view.getUint32(place + 4, true);
    if (text(data, place, place + 4) === "XMP ") xmp ||= xmpTurn(data.subarray(place + 8, place + 8 + length));
    if (text(data, place, place + 4) === "EXIF") {
      const exif = data.subarray(place + 8, place + 8 + length);
      turn ||= exifTurn(exif) || tiffTurn(exif);
      other.set([0x4a, 0x55, 0x4e, 0x4b], place); // a name that no decoder knows
    }
    place += 8 + length + length % 2;
  }
  return { size: [1 + of24(24), 1 + of24(27)], turn: turn || xmp || 1, data: new Blob([other]) };
}

/* Its end may be followed by other things, such as a film. */
function endsAfter(data, scan) {
  for (let place = data.indexOf(0xff, scan); place >= 0; place = data.indexOf(0xff, place + 1)) if (data[place + 1] === 0xd9) return true;
  return false;
}

function jpeg(data) {
  const view = at(data), kept = [];
  let place = 2, from = 0, size = null, components = 3, exif = 0, xmp = 0;
  while (place + 4 <= data.length && data[place] === 0xff && data[place + 1] !== 0xda) {
    const marker = data[place + 1], length = view.getUint16(place + 2);
    if (marker === 0xff) { place++; continue; } // fill bytes are allowed
    const end = place + 2 + length;
    if (length < 2 || end > data.length) break;
    if (!size && marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker) && length >= 8) {
      size = [view.getUint16(place + 7), view.getUint16(place + 5)];
      components = data[place + 9];
    }
    if (marker === 0xe1) {
      exif ||= exifTurn(data.subarray(place + 4, end));
      if (text(data, place + 4, place + 33) === "http://ns.adobe.com/xap/1.0/\0") xmp ||= xmpTurn(data.subarray(place + 4, end));
      kept.push(data.subarray(from, place));
      from = end;
    }
    place = end;
  }
  kept.push(data.subarray(from));
  return { size, components, turn: exif || xmp || 1, cut: !endsAfter(data, place), data: new Blob(kept) };
}

/* 1 to 8, or 0 where nothing sound is said. */
function exifTurn(segment) {
  return text(segment, 0, 6) === "Exif\0\0" ? tiffTurn(segment.subarray(6)) : 0;
}

function tiffTurn(tiff) {
  const view = at(tiff), little = tiff[0] === 0x49;
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
  return Number(/tiff:Orientation(?:="|>)([1-8])/.exec(new TextDecoder().decode(segment))?.[1] ?? 0);
}
