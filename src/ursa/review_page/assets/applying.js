// "Apply": first what would change, then the change, then what it came to; and back.

import { store, tell, h, byId, counted } from "./store.js";
import { ask, sentence } from "./api.js";

const dialog = byId("applying");
const LISTED = 12;

export async function openApply() {
  if (store.pending.size) return;
  show([h("p", { className: "soft", textContent: "Looking at what would change …" })], []);
  dialog.showModal();
  try { plan(await ask("api/apply", { dry_run: true })); } catch (problem) { refused(problem); }
}

function plan(told) {
  const move = h("input", { type: "checkbox", id: "move" });
  const nothing = !told.relabeled.length && !told.removed.length && !told.moved_back.length;
  const parts = [
    h("p", { className: "sum" }, h("b", { textContent: counted(told.relabeled.length, "label") }), " corrected, ", h("b", { textContent: counted(told.removed.length, "picture") }), " left out"),
    list(told.relabeled.map((each) => [each.picture, `${each.given ?? "no label"} → ${each.label}`])),
    list(told.removed.map((id) => [id, "left out"])),
    told.new_classes.length ? h("p", { textContent: `New: ${told.new_classes.join(", ")}.` }) : "",
    told.left_out.length ? h("p", { className: "warn", textContent: `${counted(told.left_out.length, "decision")} cannot be carried out:` }) : "",
    list(told.left_out.map((each) => [each.picture, each.reason])),
    h("p", { className: "soft", textContent: nothing ? "Nothing that was decided so far changes a label or leaves a picture out." : "Files stay where they are: from now on check and train use these labels. “Take back” brings the old ones back." }),
    nothing ? "" : h("label", { className: "check" }, move, " Also move the files into the folders of their classes, and deleted ones into .ursa/removed"),
  ];
  show(parts, [
    nothing ? "" : h("button", { type: "button", className: "main", onclick: () => carryOut(move.checked) }, "Apply"),
    h("button", { type: "button", onclick: takeBack }, "Take back what was applied"),
    h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
  ]);
}

async function carryOut(move) {
  show([h("p", { className: "soft", textContent: "Applying, and measuring what it changes …" })], []);
  try {
    const told = await ask("api/apply", { dry_run: false, move });
    show([
      h("p", { className: "sum" }, "Done: ", h("b", { textContent: counted(told.relabeled.length, "label") }), " corrected, ", h("b", { textContent: counted(told.removed.length, "picture") }), " left out", move ? `, ${counted(told.moved.length, "file")} moved` : ""),
      told.effect_words ? h("p", { textContent: `What it did to the probe: ${told.effect_words}` }) : "",
      told.problems.length ? h("p", { className: "warn", textContent: "Could not be done:" }) : "", list(told.problems.map((words) => [words, ""])),
      h("p", { className: "soft", textContent: "The next check starts from here:" }), h("code", { textContent: store.about.check_command ?? "ursa check" }),
    ], [h("button", { type: "button", onclick: takeBack }, "Take back"), h("button", { type: "button", className: "main", onclick: () => dialog.close() }, "Go on")]);
    tell({ decided: true });
  } catch (problem) { refused(problem); }
}

async function takeBack() {
  show([h("p", { className: "soft", textContent: "Taking back …" })], []);
  try {
    const told = await ask("api/revert", {});
    const files = told.moved_back.length ? `, ${counted(told.moved_back.length, "file")} brought back` : "";
    show([
      h("p", { className: "sum", textContent: told.reverted || told.moved_back.length ? `${counted(told.reverted, "decision")} taken back${files}.` : "Nothing was applied: nothing to take back." }),
      list(told.problems.map((words) => [words, ""])),
      h("p", { className: "soft", textContent: "The decisions stay, and can be applied again." }),
    ], [h("button", { type: "button", className: "main", onclick: () => dialog.close() }, "Close")]);
  } catch (problem) { refused(problem); }
}

function refused(problem) {
  show([h("p", { className: "warn", textContent: problem.status ? sentence(problem) : "The server does not answer." })], [h("button", { type: "button", onclick: () => dialog.close() }, "Close")]);
}

function list(pairs) {
  if (!pairs.length) return "";
  const rows = pairs.slice(0, LISTED).map(([name, words]) => h("li", {}, h("span", { textContent: name }), h("b", { textContent: words })));
  if (pairs.length > LISTED) rows.push(h("li", { className: "soft", textContent: `and ${(pairs.length - LISTED).toLocaleString("en")} more` }));
  return h("ul", {}, ...rows);
}

function show(parts, buttons) {
  dialog.replaceChildren(h("h2", { id: "applying-title", textContent: "Apply" }), h("div", { className: "body" }, ...parts), h("p", { className: "buttons" }, ...buttons));
}
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
