// Why a picture got no answer: a kind, for which every language has words, and what was found, as the server says it.

const KINDS = [ // how the server's sentences begin
  ["not a picture", "not-a-picture"], ["truncated", "truncated"], ["unreadable", "damaged"], ["crashes its decoder", "damaged"],
  ["needs a decoder", "format"], ["too large", "too-large"], ["takes too long", "too-slow"], ["busy", "busy"], ["too many", "limited"], ["not looked at", "limited"],
];
const AGAIN = new Set(["offline", "busy", "limited", "server"]); // the same picture may well be answered later

export class Problem extends Error {
  constructor(kind, detail = "") {
    super(detail || kind);
    this.kind = kind;
    this.detail = detail;
    this.again = AGAIN.has(kind);
  }
}

/* "truncated: the JPEG file ends too early" -> a Problem of kind "truncated" whose detail is the rest. */
export function problemOf(sentence, otherwise = "refused") {
  const text = String(sentence || "").slice(0, 300);
  const known = KINDS.find(([start]) => text.toLowerCase().startsWith(start));
  if (!known) return new Problem(otherwise, text);
  return new Problem(known[1], text.slice(known[0].length).replace(/^\s*:\s*/, ""));
}
