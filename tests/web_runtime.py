"""A stand-in for onnxruntime-web that needs no npm: it knows one model, the tiny one of `fuzz/tiny.py`.

FAKE: {file of the package: bytes}; npm_package(path, files=FAKE) -> path: as `npm pack` writes it.
with known_runtime(): ...        it is the one that Ursa takes
"""

import contextlib
import hashlib
import io
import tarfile

import pytest

from ursa.export.web import web_runtime

SCRIPT = b"""
export const env = { wasm: {} };
export class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
const mean = ({ data }, channel) => {
  let sum = 0;
  for (let at = channel; at < data.length; at += 3) sum += data[at];
  return 3 * sum / data.length;
};
export const InferenceSession = {
  async create(model) {
    const wasm = new TextDecoder().decode(env.wasm.wasmBinary);
    if (wasm !== "wasm" || !model.length) throw new Error("not what was exported");
    const logits = (pictures) => Float32Array.from([2, 1, 0], (channel) => 12 / 255 * mean(pictures, channel));
    const run = async ({ pictures }) => ({ logits: { data: logits(pictures) } });
    return { inputNames: ["pictures"], outputNames: ["logits"], run };
  },
};
"""
FAKE = {"ort.wasm.bundle.min.mjs": SCRIPT, "ort-wasm-simd-threaded.wasm": b"wasm"}


def npm_package(path, files=None):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (FAKE if files is None else files).items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@contextlib.contextmanager
def known_runtime():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web_runtime, "SHA256", {name: hashlib.sha256(data).hexdigest() for name, data in FAKE.items()})
        yield
