// A JPEG at n/8 of its size, as libjpeg-turbo decodes it: of each block of 8 x 8 means (1/8, 1/4, 1/2), or the n x n lowest
// frequencies as n x n pixels. Browsers decode at full size only; the same is done to their pixels. Python decodes large
// JPEGs so (`core/decoding`), and what a model says may hang on it: up to 0.023 of a probability (docs/decisions.md).

/* As `scaled` and `halvings` in core/decoding/jpeg.py: n of n/8 that is enough for a view. */
export function eighths(width, height, { size, fit }, components) {
  const least = 2 * size, wide = fit !== "pad" || width >= height, high = fit !== "pad" || height > width;
  const enough = (n) => (!wide || Math.ceil(width * n / 8) >= Math.min(width, least)) && (!high || Math.ceil(height * n / 8) >= Math.min(height, least));
  if (components === 4) { // by Pillow's draft
    const most = Math.min(wide ? Math.floor(width / least) : width, high ? Math.floor(height / least) : height);
    return 8 / ([8, 4, 2].find((by) => by <= most) ?? 1);
  }
  return [1, 2, 3, 4, 5, 6, 7].find(enough) ?? 8;
}

/* -> { picture, add(pixels RGBA, top, rows) }: rows come in multiples of 8, but for the last. */
export function scaler(width, height, n) {
  const w = Math.ceil(width * n / 8), h = Math.ceil(height * n / 8);
  const picture = { width: w, height: h, data: new Uint8ClampedArray(3 * w * h) };
  const matrix = lowest(n), columns = Math.ceil(width / 8);
  const half = new Float64Array(3 * columns * 8 * n); // eight rows of the picture as n of the new one
  const add = (pixels, top, rows) => {
    for (let at = 0; at < rows; at += 8) {
      squeezeRows(pixels, at, rows, width, columns, matrix, n, half);
      squeezeColumns(half, columns, matrix, n, picture, (top + at) / 8 * n);
    }
  };
  return { picture, add };
}

function squeezeRows(pixels, at, rows, width, columns, matrix, n, half) {
  half.fill(0);
  for (let y = 0; y < 8; y++) {
    const row = 4 * width * Math.min(at + y, rows - 1); // beyond the edge the last pixels go on
    for (let x = 0; x < columns * 8; x++) {
      const from = row + 4 * Math.min(x, width - 1);
      for (let i = 0; i < n; i++) {
        const weight = matrix[8 * i + y], to = 3 * (columns * 8 * i + x);
        half[to] += weight * pixels[from];
        half[to + 1] += weight * pixels[from + 1];
        half[to + 2] += weight * pixels[from + 2];
      }
    }
  }
}

function squeezeColumns(half, columns, matrix, n, { width, height, data }, top) {
  for (let i = 0; i < n && top + i < height; i++) {
    for (let x = 0; x < width; x++) {
      const block = Math.floor(x / n), weights = 8 * (x % n), from = 3 * (columns * 8 * i + 8 * block), to = 3 * ((top + i) * width + x);
      for (let color = 0; color < 3; color++) {
        let sum = 0;
        for (let k = 0; k < 8; k++) sum += matrix[weights + k] * half[from + 3 * k + color];
        data[to + color] = sum; // rounded and cut to 0..255 by the array
      }
    }
  }
}

/* [n * 8]: means of neighbors; or the cosine transform of 8, the n lowest, back as n. */
function lowest(n) {
  if (8 % n === 0) return Float64Array.from({ length: 8 * n }, (_, at) => (Math.floor(at % 8 * n / 8) === Math.floor(at / 8) ? n / 8 : 0));
  const wave = (length, k, x) => Math.sqrt((k ? 2 : 1) / length) * Math.cos(Math.PI * (2 * x + 1) * k / (2 * length));
  return Float64Array.from({ length: 8 * n }, (_, at) => {
    const [i, x] = [Math.floor(at / 8), at % 8];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += wave(n, k, i) * wave(8, k, x);
    return Math.sqrt(n / 8) * sum;
  });
}
