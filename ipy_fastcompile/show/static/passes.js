// @ts-check
// The passes that a kernel's graph went through: those that changed it, each with what it changed;
// those that did not are one row, which unfolds.

import { makeCode } from "./code.js";
import { button, count, face, fill, h, seconds } from "./dom.js";
import { makeGrid } from "./grid.js";
import { makeRecorded } from "./slot.js";

/**
 * What `passes_content.py` answers for `passes:`. A pass is its name and stage, the
 * lines of the graph that it added and removed, its seconds, and what of it is not kept.
 * @typedef {{name: string, stage: string, added: number, removed: number, seconds: number,
 *   more: string}} Pass
 * @typedef {{why: string, note: string, changed: Pass[], unchanged: Pass[]}} PassesContent
 * @typedef {import("./detail.js").Part} Part
 */

/**
 * @param {import("./context.js").Context} ctx
 * @param {number} kernel
 * @returns {Part}
 */
export function makePasses(ctx, kernel) {
  return makeRecorded(ctx, "passes", `passes:${kernel}`, (/** @type {PassesContent} */ content) => drawPasses(ctx, kernel, content));
}

/**
 * @param {import("./context.js").Context} ctx
 * @param {number} kernel
 * @param {PassesContent} content
 */
function drawPasses(ctx, kernel, { note, changed, unchanged }) {
  const list = h("div", { class: "fc-upper" });
  const difference = h("div", { class: "fc-fill" });
  /** @type {ReturnType<typeof makeGrid> | undefined} */
  let grid;
  /** @type {ReturnType<typeof makeCode> | undefined} */
  let code;
  let shown = -1;
  let isOpen = false;
  const heads = ["pass", "stage", "lines", "time"];
  const foldRow = changed.length;

  /** @param {Pass} pass */
  const cells = ({ name, stage, added, removed, seconds: time, more }) => [
    name,
    stage,
    added || removed ? `+${added} −${removed}${more}` : more,
    seconds(time),
  ];

  function build() {
    const total = unchanged.reduce((sum, pass) => sum + pass.seconds, 0);
    const words = `${count(unchanged.length, "pass", "passes")} changed nothing, ${seconds(total)}`;
    const twist = button(`${isOpen ? "▾" : "▸"} ${words}`, toggle, { class: "fc-codefold", tabindex: -1, "aria-expanded": String(isOpen) });
    /** @type {(string | HTMLElement)[][]} */
    const rows = changed.map(cells);
    if (unchanged.length) rows.push([twist]);
    if (isOpen) rows.push(...unchanged.map(cells));
    grid?.close();
    grid = makeGrid({
      label: "Passes",
      heads,
      rows,
      choose,
      open,
      style: (index) => (index === shown ? "fc-on" : index === foldRow ? "fc-fold" : ""),
    });
    fill(list, grid.element);
  }

  /** @param {number} index */
  function choose(index) {
    if (index < changed.length) show(index);
    else if (index === foldRow) ctx.say("Enter folds and unfolds the passes that changed nothing.");
    else ctx.say(`${unchanged[index - foldRow - 1].name} changed nothing.`);
  }

  /** @param {number} index */
  function open(index) {
    if (index === foldRow) toggle();
    else choose(index);
  }

  function toggle() {
    isOpen = !isOpen;
    build();
    grid?.move(foldRow);
    ctx.say(isOpen ? "Unfolded" : "Folded");
  }

  /** @param {number} index */
  function show(index) {
    if (index === shown) return;
    shown = index;
    code?.close();
    code = makeCode(ctx, { document: `pass:${kernel}:${index}`, label: `What ${changed[index].name} changed` });
    fill(difference, code.element);
    grid?.redraw();
  }

  build();
  if (changed.length) show(0);
  else fill(difference, face("No pass changed the graph", "What was captured went to the scheduler as it was."));
  return {
    element: h("div", { class: "fc-codepane" }, h("p", { class: "fc-note" }, note), list, difference),
    focus: () => grid?.focus(),
    close() {
      grid?.close();
      code?.close();
    },
  };
}
