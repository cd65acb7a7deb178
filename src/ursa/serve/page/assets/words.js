// Words, numbers and lists in the visitor's language, from `languages/*.json`. Names of classes and files stay as they are.

export const LANGUAGES = { en: "English", es: "Español", de: "Deutsch", zh: "中文" };
const KEPT = "language"; // in localStorage: what the visitor chose

let language = "en", words = {}, counting = new Intl.PluralRules("en");
const formats = new Map(); // of this language: making one takes longer than using it a hundred times
const listeners = [];

export const current = () => language;
export const changed = (listener) => listeners.push(listener);

/* The first of the visitor's languages that there are words for. */
export async function start() {
  await speak(wanted());
}

export async function choose(name) {
  try { localStorage.setItem(KEPT, name); } catch { /* not allowed to keep anything: good for this visit */ }
  await speak(name);
}

/* say("pictures", { count: 3 }) -> "3 pictures". Values are set as they are; numbers as the language writes them. */
export function say(key, values = {}) {
  const found = words[key] ?? key;
  const text = typeof found === "string" ? found : (found[counting.select(values.count)] ?? found.other);
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : value;
  });
}

export const number = (value) => format("number", () => new Intl.NumberFormat(language, { maximumSignificantDigits: 4 })).format(value);

export const list = (names, type = "conjunction") => format(type, () => new Intl.ListFormat(language, { type })).format(names);

/* Whole percents: the intervals of accuracies are wider than their decimals. Certainty is never rounded up to. */
export function percent(share) {
  const whole = format("percent", () => new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }));
  if (share > 0.99 && share < 1) return `> ${whole.format(0.99)}`;
  if (share < 0.01 && share > 0) return `< ${whole.format(0.01)}`;
  return whole.format(share);
}

function format(name, make) {
  if (!formats.has(name)) formats.set(name, make());
  return formats.get(name);
}

/* Elements with data-say="key" get its words; data-label="key" is for those who hear the page. */
export function put(root = document) {
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
}

function wanted() {
  let chosen = null;
  try { chosen = localStorage.getItem(KEPT); } catch { /* as above */ }
  const asked = [chosen, ...navigator.languages].filter(Boolean).map((name) => name.toLowerCase().split("-")[0]);
  return asked.find((name) => Object.hasOwn(LANGUAGES, name)) ?? "en";
}

async function speak(name) {
  const answer = await fetch(new URL(`languages/${name}.json`, import.meta.url));
  words = await answer.json();
  language = name;
  formats.clear();
  counting = new Intl.PluralRules(name);
  document.documentElement.lang = name;
  put();
  listeners.forEach((listener) => listener());
}
