// Picture -> what the model sees, as `core/prepare.py`: resized as Pillow does it (bilinear with antialiasing, 22 bits
// behind the point), to the same gray level.

const FILL = 114; // gray of the bars
const BITS = 22;  // of Pillow's weights

/* { width, height, data: RGB } -> Uint8Array [size * size * 3]. */
export function view(picture, { size, fit }) {
  const out = new Uint8Array(size * size * 3).fill(FILL);
  if (fit !== "pad") {
    out.set(resized(fit === "crop" ? square(picture) : picture, size, size).data);
    return out;
  }
  const scale = size / Math.max(picture.width, picture.height);
  const [w, h] = [picture.width, picture.height].map((side) => Math.max(1, halfEven(side * scale)));
  const shown = resized(picture, w, h).data;
  const top = (size - h) >> 1, left = (size - w) >> 1;
  for (let y = 0; y < h; y++) out.set(shown.subarray(3 * w * y, 3 * w * (y + 1)), 3 * ((top + y) * size + left));
  return out;
}

/* Between both passes there are whole gray levels, so their order counts: it is that of Pillow 13, found by trying. */
export function resized({ width, height, data }, w, h) {
  const [columns, rows] = [weights(width, w), weights(height, h)];
  const rowsFirst = h < height && 2 * (width - w) < height - h;
  const passes = rowsFirst ? [[down, rows, h !== height], [across, columns, w !== width]] : [[across, columns, w !== width], [down, rows, h !== height]];
  return passes.reduce((picture, [pass, by, needed]) => (needed ? pass(picture, by) : picture), { width, height, data });
}

/* As Python rounds: 0.5 to the even neighbor. */
function halfEven(value) {
  const low = Math.floor(value), part = value - low;
  return part > 0.5 || (part === 0.5 && low % 2 === 1) ? low + 1 : low;
}

function square({ width, height, data }) {
  const side = Math.min(width, height), top = (height - side) >> 1, left = (width - side) >> 1;
  const out = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) out.set(data.subarray(3 * ((top + y) * width + left), 3 * ((top + y) * width + left + side)), 3 * side * y);
  return { width: side, height: side, data: out };
}

/* For each place of the new side: the first place of the old one, and whole weights of those from there on. */
function weights(from, to) {
  const scale = from / to, reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, at) => {
    const center = (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const count = Math.min(from, Math.trunc(center + reach + 0.5)) - first;
    const raw = Array.from({ length: count }, (_, x) => Math.max(0, 1 - Math.abs((x + first - center + 0.5) * (1 / reach))));
    const share = 1 / raw.reduce((a, b) => a + b, 0);
    return { first, each: Int32Array.from(raw, (weight) => Math.round(weight * share * (1 << BITS))) };
  });
}

function across({ width, height, data }, columns) {
  const out = new Uint8ClampedArray(3 * columns.length * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (const { first, each } of columns) {
      let from = 3 * (y * width + first), r = 1 << (BITS - 1), g = r, b = r;
      for (let k = 0; k < each.length; k++, from += 3) {
        const weight = each[k];
        r += data[from] * weight;
        g += data[from + 1] * weight;
        b += data[from + 2] * weight;
      }
      out[to++] = r >> BITS;
      out[to++] = g >> BITS;
      out[to++] = b >> BITS;
    }
  }
  return { width: columns.length, height, data: out };
}

function down({ width, data }, rows) {
  const long = 3 * width, out = new Uint8ClampedArray(long * rows.length);
  rows.forEach(({ first, each }, y) => {
    for (let x = 0; x < long; x++) {
      let sum = 1 << (BITS - 1);
      for (let k = 0, from = first * long + x; k < each.length; k++, from += long) sum += data[from] * each[k];
      out[y * long + x] = sum >> BITS;
    }
  });
  return { width, height: rows.length, data: out };
}
