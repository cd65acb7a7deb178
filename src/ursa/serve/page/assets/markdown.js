// A subset of Markdown -> elements: headings, paragraphs, lists, tables, quotes, code, bold, emphasis. HTML and links are
// shown as the text that they are: a card may come from a stranger. Time grows with the length of the text, and no faster.

import { make } from "./dom.js";

const MOST = 2000; // blocks, and entries of lists
const ROWS = 500; // of a table, each of up to 50 cells
const DEEPEST = 4; // bold in emphasis in bold ...

/* text -> DocumentFragment. level: of the card's first heading. */
export function markdown(text, level = 2) {
  const out = document.createDocumentFragment();
  const lines = withoutComments(text).split(/\r\n|\r|\n/);
  let made = 0;
  for (let at = 0; at < lines.length && made < MOST; made++) {
    const [next, block] = blockAt(lines, at, level, MOST - made);
    if (block) out.append(block);
    made += block?.childElementCount ?? 0;
    at = next;
  }
  return out;
}

function blockAt(lines, at, level, most) {
  const line = lines[at];
  if (!line.trim()) return [at + 1, null];
  const heading = /^(#{1,6})\s+(.*)/.exec(line);
  if (heading) return [at + 1, make(`h${Math.min(6, heading[1].length + level - 1)}`, {}, ...inline(heading[2].replace(/\s#+\s*$/, "")))];
  if (/^(```|~~~)/.test(line)) return code(lines, at);
  if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) return [at + 1, make("hr")];
  if (ITEM.test(line)) return listAt(lines, at, most);
  if (line.startsWith(">")) return run(lines, at, (each) => each.startsWith(">"), (some) => make("blockquote", {}, ...inline(some.map((each) => each.replace(/^>\s?/, "")).join("\n"))));
  if (line.startsWith("|") && /^\|?[\s:|-]+$/.test(lines[at + 1] ?? "x")) return run(lines, at, (each) => each.startsWith("|"), (some) => tableOf(some.slice(0, ROWS)));
  return run(lines, at, (each, number) => number === at || (each.trim() && !/^(#{1,6}\s|```|~~~|>|\|)/.test(each) && !ITEM.test(each)), (some) => make("p", {}, ...inline(some.join("\n"))));
}

const ITEM = /^\s{0,8}([-*+]|\d{1,9}[.)])\s+/;

function run(lines, at, belongs, block) {
  let end = at;
  while (end < lines.length && belongs(lines[end], end)) end++;
  return [end, block(lines.slice(at, end))];
}

function code(lines, at) {
  const fence = lines[at].slice(0, 3);
  let end = at + 1;
  while (end < lines.length && !lines[end].startsWith(fence)) end++;
  return [end + 1, make("pre", { tabIndex: 0 }, make("code", {}, lines.slice(at + 1, end).join("\n")))];
}

function listAt(lines, at, most) {
  const numbered = /^\s*\d/.test(lines[at]), texts = [];
  let end = at;
  for (; end < lines.length && texts.length < most && lines[end].trim(); end++) {
    if (ITEM.test(lines[end])) texts.push(lines[end].replace(ITEM, ""));
    else if (/^\s/.test(lines[end])) texts[texts.length - 1] += `\n${lines[end].trim()}`; // goes on in the next line
    else break;
  }
  return [end, make(numbered ? "ol" : "ul", {}, ...texts.map((text) => make("li", {}, ...inline(text))))];
}

function tableOf([head, , ...rows]) {
  const row = (line, tag) => make("tr", {}, ...cells(line).map((text) => make(tag, {}, ...inline(text))));
  return make("div", { className: "wide" }, make("table", {}, make("thead", {}, row(head, "th")), make("tbody", {}, ...rows.map((line) => row(line, "td")))));
}

const cells = (line) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split(/(?<!\\)\|/).slice(0, 50).map((text) => text.trim());

// ---- within a line ----

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'" };
const MARKS = [["`", "code"], ["**", "strong"], ["__", "strong"], ["*", "em"], ["_", "em"]];

/* text -> text and elements. A mark that is not closed is text, and not looked for again. */
function inline(text, depth = 0) {
  const out = [], open = new Set();
  let plain = "";
  for (let at = 0; at < text.length;) {
    const [length, found] = special(text, at, depth, open);
    if (typeof found === "string") plain += found;
    else { out.push(plain, found); plain = ""; }
    at += length;
  }
  return [...out, plain].filter((part) => part !== "");
}

/* What begins at a place: its length there, and the text or element that it is. */
function special(text, at, depth, open) {
  const letter = text[at];
  if (letter === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) return [2, text[at + 1]];
  if (letter === "&") {
    const entity = Object.keys(ENTITIES).find((name) => text.startsWith(name, at));
    if (entity) return [entity.length, ENTITIES[entity]];
  }
  const [mark, tag] = MARKS.find(([each]) => text.startsWith(each, at)) ?? [];
  if (!mark || open.has(mark) || depth === DEEPEST || (letter === "_" && /\w/.test(text[at - 1] ?? " "))) return [mark?.length ?? 1, mark ?? letter];
  const end = closing(text, at + mark.length, mark);
  if (end < 0) { open.add(mark); return [mark.length, mark]; }
  const inner = text.slice(at + mark.length, end);
  return [end + mark.length - at, make(tag, {}, ...(tag === "code" ? [inner] : inline(inner, depth + 1)))];
}

function closing(text, from, mark) {
  for (let end = text.indexOf(mark, from); end >= 0; end = text.indexOf(mark, end + 1)) {
    if (end > from && text[end - 1] !== "\\") return end;
  }
  return -1;
}

/* <!-- notes to whoever edits the card --> */
function withoutComments(text) {
  const out = [];
  for (let at = 0; ;) {
    const start = text.indexOf("<!--", at), end = start < 0 ? -1 : text.indexOf("-->", start);
    if (end < 0) return [...out, text.slice(at)].join("");
    out.push(text.slice(at, start));
    at = end + 3;
  }
}
