// Beside the page: { base, known } -> loads onnxruntime and the model, says { loaded: share } and at last { ready };
// then each { file } -> { outputs } or { problem: [kind, detail] }.

import * as ort from "../runtime/ort.js";
import { Problem } from "./problems.js";
import { decoded } from "./decoded.js";
import { view } from "./prepare.js";

let session = null, known = null;

onmessage = async ({ data }) => {
  try {
    if (data.file) postMessage({ outputs: await outputs(data.file) });
    else await load(data);
  } catch (problem) {
    const told = problem instanceof Problem ? problem : seen(problem);
    postMessage({ problem: [told.kind, told.detail] });
  }
};

/* Memory ran out, or the browser lacks something. */
function seen(problem) {
  return problem instanceof RangeError ? new Problem("too-large") : new Problem("server", String(problem).slice(0, 200));
}

async function load({ base, known: facts }) {
  known = facts;
  const total = known.downloads.reduce((sum, [, bytes]) => sum + bytes, 0);
  let come = 0;
  const parts = await Promise.all(known.downloads.map(([path]) => bytes(new URL(path, base), (count) => {
    come += count;
    postMessage({ loaded: Math.min(0.99, come / total) });
  })));
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: await unpacked(parts[0]) }); // threads need headers that plain hosts do not send
  ort.env.logLevel = "fatal";
  session = await ort.InferenceSession.create(parts[1], { executionProviders: ["wasm"] });
  postMessage({ loaded: 1 });
  postMessage({ ready: true });
}

async function outputs(file) {
  const { size } = known.preparation;
  const pictures = new ort.Tensor("uint8", view(await decoded(file, known.preparation), known.preparation), [1, size, size, 3]);
  const { [session.outputNames[0]]: found } = await session.run({ [session.inputNames[0]]: pictures });
  const numbers = Array.from(found.data);
  if (numbers.length !== known.classes.length || !numbers.every(Number.isFinite)) throw new Problem("server", "NaN");
  return numbers;
}

/* told(bytes) as they come. */
async function bytes(address, told) {
  let answer;
  try { answer = await fetch(address); } catch { throw new Problem("offline"); }
  if (!answer.ok) throw new Problem("offline", `${answer.status}`);
  const chunks = [];
  const reader = answer.body.getReader();
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      chunks.push(value);
      told(value.length);
    }
  } catch { throw new Problem("offline"); }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/* gzip -> what is in it; anything else as it is: some hosts unpack it on the way. */
async function unpacked(data) {
  if (data[0] !== 0x1f || data[1] !== 0x8b) return data;
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
