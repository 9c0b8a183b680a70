// @ts-check
// The panes of a program; and, where an artifact holds several, the chooser above them.

import { makeContext } from "./context.js";
import { makeDetail } from "./detail.js";
import { count, face, fill, h } from "./dom.js";
import { hostOf } from "./host.js";
import { makeList } from "./list.js";
import { makeMiddle } from "./middle.js";
import { makeTabs } from "./tabs.js";

/** @typedef {ReturnType<typeof makeProgram>} Program */

/**
 * List, graph and details of one program.
 * @param {import("./host.js").Model} model
 * @param {import("./host.js").Host} host
 * @param {import("./context.js").Data} data
 * @param {(text: string) => void} say
 */
function makeProgram(model, host, data, say) {
  const ctx = makeContext(model, host, data, {
    say,
    focusList: () => list.focus(),
    focusMiddle: () => middle.focusNext(),
  });
  const list = makeList(ctx);
  const middle = makeMiddle(ctx);
  const detail = makeDetail(ctx);
  const panes = h("div", { class: "fc-panes" }, list.element, middle.element, detail.element);
  const nothing = face("Nothing was compiled", "The graph has no submodules: it computes nothing that could be compiled.");
  ctx.whenSources(() => {
    list.redraw();
    middle.redraw();
  });
  return {
    ctx,
    list,
    middle,
    element: data.submodules.name.length ? panes : nothing,
    close() {
      for (const part of [list, middle, detail]) part.close();
    },
  };
}

/**
 * All programs; each is drawn when it is chosen first, and then kept.
 * @param {import("./host.js").Model} model
 * @param {import("./host.js").Host} host
 * @param {(text: string) => void} say
 */
export function makePrograms(model, host, say) {
  /** @type {import("./context.js").Data} */
  const data = model.get("data");
  const { programs } = data;
  /** @type {Map<number, Program>} */
  const made = new Map();
  const lines = h("div", { class: "fc-program" });
  const box = h("div");
  const tabs = makeTabs({
    label: "Programs",
    tabs: programs.map(({ label }, number) => [String(number), label]),
    choose: (key) => choose(Number(key)),
  });
  tabs.panel.append(lines, box);
  let chosen = 0;

  /** @param {number} number */
  function open(number) {
    const here = made.get(number);
    if (here) return here;
    const own = { ...data, ...programs[number]?.own };
    const program = makeProgram(model, hostOf(host, number), own, say);
    made.set(number, program);
    box.append(program.element);
    return program;
  }

  /** @param {number} number */
  function choose(number) {
    const before = open(chosen).element;
    const held = before.contains(document.activeElement);
    chosen = number;
    const program = open(number);
    for (const { element } of made.values()) element.hidden = element !== program.element;
    if (!programs.length) return;
    tabs.mark(String(number));
    const { title, facts } = programs[number];
    fill(lines, h("div", {}, title), ...[extent(program.ctx.data), ...facts].map((line) => h("div", { class: "fc-fine" }, line)));
    if (held && before !== program.element) program.list.focus();
    say(title);
  }

  choose(0);
  if (programs.length) say("");
  return {
    element: programs.length ? h("div", { class: "fc-programs" }, tabs.element) : box,
    first: open(0).ctx,
    /** The program that is shown. */
    now: () => open(chosen),
    /** @param {number} by */
    step(by) {
      if (programs.length) choose(Math.min(programs.length - 1, Math.max(0, chosen + by)));
    },
    close() {
      for (const program of made.values()) program.close();
    },
  };
}

/** How much there is of a program, and how much of that it shares. @param {import("./context.js").Data} data */
function extent({ submodules, kernels }) {
  const shared = kernels.filter(({ also }) => also).length;
  const words = [count(submodules.name.length, "submodule"), count(kernels.length, "kernel")];
  if (shared) words.push(`${shared} of them shared with other programs (∩)`);
  return words.join(" · ");
}
