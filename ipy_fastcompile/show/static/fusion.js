// @ts-check
// What the scheduler made of a kernel's nodes: which are in one group, which are calls of a
// library; and of any two that the reader chooses, why they are not fused.

import { count, fill, h } from "./dom.js";
import { makeGrid } from "./grid.js";
import { relate } from "./relate.js";
import { makeRecorded } from "./slot.js";
import { makeTabs } from "./tabs.js";

/**
 * What `fusion_content.py` answers for `fusion:`. Nodes are the scheduler's, made `from` those of
 * the submodule's graph; `group` is what each is fused into, and `groups` the functions that these are in. A refusal is of two lists of nodes, and
 * a number of `reasons`: Inductor's words and what they mean.
 * @typedef {{why: string, note: string,
 *   nodes: {name: string[], what: string[], from: string[][], isCall: boolean[], group: number[],
 *     place: string[], source: number[]},
 *   groups: string[],
 *   refusals: [first: number[], second: number[], reason: number][],
 *   reasons: [words: string, meaning: string][],
 *   tables: {title: string, heads: string[], rows: string[][]}[]}} FusionContent
 * @typedef {import("./detail.js").Part} Part
 */

/**
 * @param {import("./context.js").Context} ctx
 * @param {number} kernel
 * @returns {Part}
 */
export function makeFusion(ctx, kernel) {
  return makeRecorded(ctx, "fusions", `fusion:${kernel}`, (/** @type {FusionContent} */ content) => drawFusion(ctx, content));
}

/**
 * @param {import("./context.js").Context} ctx
 * @param {FusionContent} content
 */
function drawFusion(ctx, content) {
  const { nodes, groups, refusals, reasons } = content;
  const chosen = [-1, -1];
  // Which of the two a click on a node sets.
  let next = 0;
  /** @param {number} n */
  const nameOf = (n) => `${nodes.name[n]}  ${nodes.what[n]}`;
  /** @param {number[]} list */
  const namesOf = (list) => list.map((n) => nodes.name[n]).join("+");

  const choosers = ["First node", "Second node"].map((label, which) => {
    const none = h("option", { value: "-1" }, `${label} …`);
    const options = nodes.name.map((_, n) => h("option", { value: n }, nameOf(n)));
    const select = h("select", { class: "fc-input", "aria-label": label, onchange: () => choose(which, Number(chooser.value)) }, none, ...options);
    const chooser = /** @type {HTMLSelectElement} */ (select);
    return chooser;
  });
  const answer = h("div", { class: "fc-answer", role: "status" });
  const tables = [makeGroups(), makeRefusals(), ...content.tables.map(makeTextTable)];
  let shown = 0;
  const tabs = makeTabs({
    label: "Fusion",
    tabs: tables.map(({ title }, number) => [String(number), title]),
    choose: (key) => open(Number(key)),
  });

  /** @param {number} number */
  function open(number) {
    shown = number;
    tabs.mark(String(number));
    const { grid, title } = tables[number];
    fill(tabs.panel, grid?.element ?? h("p", { class: "fc-none" }, `${title}.`));
  }

  /** Nodes below the function that they run in, loops after loops. */
  function makeGroups() {
    /** @type {{name: string, node: number}[]} */
    const rows = [];
    const order = nodes.name.map((_, n) => n).sort((a, b) => nodes.group[a] - nodes.group[b] || a - b);
    for (const [at, node] of order.entries()) {
      const before = order[at - 1];
      const name = groups[nodes.group[node]];
      if (before === undefined || name !== groups[nodes.group[before]]) rows.push({ name: name || "no function", node: -1 });
      rows.push({ name, node });
    }
    /** @param {number} index */
    const loops = (index) => {
      const [{ node }, above] = [rows[index], rows[index - 1].node];
      if (above >= 0 && nodes.group[above] === nodes.group[node]) return "";
      return nodes.isCall[node] ? "call" : "loops";
    };
    const grid = makeGrid({
      label: "Groups",
      heads: ["as", "node", "computes"],
      rows: rows.map(({ name, node }, index) => (node < 0 ? [name] : [loops(index), nodes.name[node], nodes.what[node]])),
      choose: (index, how) => {
        const { name, node } = rows[index];
        if (node < 0) ctx.say(name);
        else if (how === "pointer") chooseNext(node);
        else ctx.say(`${nameOf(node)}: Enter chooses it`);
      },
      open: (index) => chooseNext(rows[index].node),
      style: (index) => styleOf(rows[index].node),
    });
    return { title: count(new Set(nodes.group).size, "group"), grid };
  }

  /** @param {number} node -1 for a heading */
  function styleOf(node) {
    if (node < 0) return "fc-fold";
    const { source } = ctx.store.get();
    return `${chosen.includes(node) ? "fc-on" : ""}${source >= 0 && nodes.source[node] === source ? " fc-echo" : ""}`;
  }

  function makeRefusals() {
    const title = count(refusals.length, "refusal");
    if (!refusals.length) return { title, grid: undefined };
    const grid = makeGrid({
      label: "Refusals",
      heads: ["first", "second", "why not fused, as Inductor says"],
      rows: refusals.map(([first, second, reason]) => [namesOf(first), namesOf(second), reasons[reason][0]]),
      choose: (index) => chooseBoth(refusals[index][0][0] ?? -1, refusals[index][1][0] ?? -1),
    });
    return { title, grid };
  }

  /** @param {FusionContent["tables"][number]} table */
  function makeTextTable({ title, heads, rows }) {
    const choose = (/** @type {number} */ index) => ctx.say(rows[index].join(" "));
    return { title, grid: rows.length ? makeGrid({ label: title, heads, rows, choose }) : undefined };
  }

  /** @param {number} which @param {number} node */
  function choose(which, node) {
    chosen[which] = node;
    next = 1 - which;
    tell();
  }

  /** The second of two clicks chooses no node twice. @param {number} node */
  function chooseNext(node) {
    if (node >= 0 && !chosen.includes(node)) choose(next, node);
  }

  /** @param {number} first @param {number} second */
  function chooseBoth(first, second) {
    chosen.splice(0, 2, first, second);
    tell();
  }

  function tell() {
    chosen.forEach((node, which) => {
      choosers[which].value = String(node);
    });
    const known = chosen.filter((node, which) => node >= 0 && chosen.indexOf(node) === which);
    const both = chosen.every((node) => node >= 0);
    const words = both
      ? relate(content, chosen[0], chosen[1]).map((line, at) => h(at ? "p" : "strong", {}, line))
      : [h("span", { class: "fc-fine" }, `Choose ${known.length ? "another node" : "two nodes"}, here or in the table: whether they are fused, and if not, why.`)];
    fill(answer, ...words, ...known.map(lineOf));
    tables[shown].grid?.redraw();
  }

  /** A node and the line of the model that it stems from. @param {number} node */
  function lineOf(node) {
    const [place, source] = [nodes.place[node], nodes.source[node]];
    const line = h("code", { class: "fc-code" }, place || "No line of the model is known.");
    // A text cuts what is long; here it is read in full.
    if (source >= 0) ctx.whenSources((table) => fill(line, ctx.sourceText(table, source)));
    const where = source < 0 ? h("div", {}, line) : h("button", { type: "button", class: "fc-sourceline", onclick: () => ctx.chooseSource(source) }, line);
    return h("div", {}, h("div", { class: "fc-line" }, h("code", {}, nameOf(node))), where);
  }

  /** Chooses what a node of the graph became: what gives its result, or the first that computes it. */
  function takeFusing() {
    const { fusing } = ctx.store.get();
    if (!fusing) return;
    ctx.store.change({ fusing: "" });
    const result = nodes.from.map((names) => names.at(-1)).lastIndexOf(fusing);
    const node = result < 0 ? nodes.from.findIndex((names) => names.includes(fusing)) : result;
    if (node < 0) ctx.say(`${fusing} is no node of its own in Inductor's scheduler.`);
    else if (!chosen.includes(node)) chooseNext(node);
    else ctx.say(`${fusing} is chosen already, in ${nodes.name[node]}.`);
  }

  const unlisten = ctx.store.listen((_, changed) => {
    if (changed.has("fusing")) takeFusing();
    if (changed.has("source")) tables[shown].grid?.redraw();
  });
  open(0);
  tell();
  takeFusing();
  return {
    element: h(
      "div",
      { class: "fc-codepane" },
      h("p", { class: "fc-note" }, content.note),
      h("div", { class: "fc-tools" }, ...choosers),
      answer,
      tabs.element,
    ),
    focus: () => tables[shown].grid?.focus(),
    close() {
      unlisten();
      for (const { grid } of tables) grid?.close();
    },
  };
}
