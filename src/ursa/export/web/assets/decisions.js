// Outputs of the network -> an answer, as `serve/prediction.py` and `core/decisions.py` give it.

/* outputs: one number a class. -> what `Prediction.to_json()` gives. */
export function answered(outputs, { task, classes, temperature, abstain, costs }) {
  if (task === "regression") return { values: named(classes, outputs) };
  const logits = outputs.map((value) => value / temperature);
  if (task === "multi-label") {
    const shares = logits.map((value) => 1 / (1 + Math.exp(-value)));
    const labels = classes.filter((_, at) => shares[at] >= (costs[at] ? threshold(costs[at]) : 0.5));
    return { labels, probabilities: named(classes, shares) };
  }
  const shares = softmax(logits), best = chosen(shares, costs);
  const answer = { label: classes[best], probability: shares[best], probabilities: named(classes, shares) };
  return abstain === null ? answer : { ...answer, unsure: Math.max(...shares) < abstain };
}

/* A class may be called __proto__: as an own property. */
const named = (names, values) => Object.fromEntries(names.map((name, at) => [name, values[at]]));

const threshold = ([miss, alarm]) => alarm / (alarm + miss);

function softmax(logits) {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((value) => value / sum);
}

/* The cheapest class; classes without costs by their probability. costs: [miss, false alarm] or null, one a class. */
function chosen(shares, costs) {
  const any = costs.some(Boolean);
  const gain = shares.map((share, at) => {
    const [miss, alarm] = costs[at] ?? [0, 0];
    return any ? share * (miss + alarm) - alarm + 1e-12 * share : share;
  });
  return gain.reduce((best, value, at) => (value > gain[best] ? at : best), 0);
}
