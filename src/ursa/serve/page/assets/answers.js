// What a model answered, whatever its task, in the form in which the page shows it. Nothing here touches the page.

import { list, number, percent, say } from "./words.js";

const LIKELY = 0.5; // less likely right than wrong: not sure, where the bundle has no threshold of its own

/* answer -> { heading, short, note, unsure, groups, bars: [[name, share]], numbers: [[name, value]] }
   groups: what it can be filtered by. short: what stands beside the heading on a small card. */
export function reading(answer, classes) {
  if (answer.values) return ofNumbers(answer);
  if (Array.isArray(answer.labels)) return ofSeveral(answer, classes);
  return ofOne(answer, classes);
}

function ofOne({ label, probability, probabilities, unsure: doubtful }, classes) {
  const bars = Object.entries(probabilities).sort((a, b) => (b[0] === label) - (a[0] === label) || b[1] - a[1]);
  const preferred = bars.some(([, share]) => share > probability); // over a likelier class, by what mistakes cost
  const unsure = doubtful ?? (!preferred && probability < LIKELY);
  const told = { unsure, bars, numbers: [], groups: unsure ? [] : [label] };
  if (!unsure) return { ...told, heading: label, short: percent(probability), note: say(preferred ? "preferred" : "best-match", { count: classes.length, percent: percent(probability) }) };
  const perhaps = list(bars.slice(0, 2).map(([name, share]) => `${name} (${percent(share)})`), "disjunction");
  return { ...told, heading: say("not-sure"), short: "", note: say("perhaps", { names: perhaps }) };
}

function ofSeveral({ labels, probabilities, unsure = false }, classes) {
  const has = new Set(labels);
  const bars = Object.entries(probabilities).sort((a, b) => has.has(b[0]) - has.has(a[0]) || b[1] - a[1]);
  return {
    unsure, bars, numbers: [], groups: labels, several: has.size,
    heading: labels.length ? list(labels) : say("no-label"),
    short: "",
    note: say("of-labels", { count: classes.length }),
  };
}

function ofNumbers({ values, unsure = false }) {
  const numbers = Object.entries(values);
  const heading = numbers.length === 1 ? number(numbers[0][1]) : numbers.map(([name, value]) => `${name} ${number(value)}`).join(" · ");
  return { unsure, bars: [], numbers, groups: [], heading, short: "", note: numbers.length === 1 ? numbers[0][0] : say("estimate") };
}
