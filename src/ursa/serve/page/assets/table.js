// Answers -> a table in CSV (RFC 4180), for a spreadsheet.

const MARK = "\ufeff"; // without it Excel does not take it for UTF-8

/* entries with { name, answer } or { name, problem } -> text. One row each, in this order. */
export function table(entries, task, classes) {
  const columns = {
    "single-label": ["label", "probability", "unsure", ...classes],
    "multi-label": ["labels", ...classes],
    regression: classes,
  }[task];
  const rows = entries.map(({ name, answer, problem }) => [name, ...(answer ? cells(answer, task, classes) : columns.map(() => "")), problem ? `${problem.kind} ${problem.detail}`.trim() : ""]);
  return MARK + [["picture", ...columns, "problem"], ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function cells(answer, task, classes) {
  if (task === "regression") return classes.map((name) => answer.values[name]);
  const shares = classes.map((name) => answer.probabilities[name]);
  return task === "multi-label" ? [answer.labels.join("; "), ...shares] : [answer.label, answer.probability, answer.unsure ?? "", ...shares];
}

function cell(value) {
  if (typeof value !== "string") return String(value ?? "");
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value; // a spreadsheet would take such a name for a formula
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
