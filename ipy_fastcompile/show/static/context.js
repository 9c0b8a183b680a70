// @ts-check
// What the panes of a program share: what is known, what is chosen, and what choosing does.

import { makeStore } from "./store.js";

/**
 * What Python sends once; see `overview.py`. `Own` is of one program, the rest of the whole.
 * @typedef {{
 *   profiled: boolean, slowest: number, peak: number, peakLine: number, firstCall: number,
 *   submodules: {name: string[], module: string[], role: string[], kernel: number[], graph: number[],
 *     nodes: number[], bytes: number[], seconds: (number | null)[], twins: number[],
 *     refused: string[], reason: number[], first: number[], last: number[]},
 *   reasons: string[],
 *   folds: {first: number, period: number, count: number, label: string}[],
 *   kernels: {label: string, shape: string, slot: number, native: boolean, why: string, near: string,
 *     also: string, size: number, seconds: number, count: number,
 *     calls: {output: number, native: number}, sources: [string, string][]}[],
 * }} Own
 * @typedef {Own & {
 *   model: string, facts: string[], summary: [string, string][], lost: boolean, key: string, cache: string,
 *   why: string[], notes: string[], window: number, canRerun: boolean, weightsNote: string,
 *   cold: {seconds: number, stages: {name: string, seconds: number, detail: string, fill: string}[]},
 *   artifact: [string, string][], start: Record<string, any>,
 *   programs: {label: string, title: string, facts: string[], own: Partial<Own>}[],
 * }} Data
 * @typedef {{files: string[], file: number[], line: number[], function: string[], text: string[],
 *   graphs: number[][]}} SourceTable
 * @typedef {ReturnType<typeof makeContext>} Context
 */

/**
 * What every pane of a program gets: its data, its state, and the ways to choose.
 * @param {import("./host.js").Model} model
 * @param {import("./host.js").Host} host
 * @param {Data} data
 * @param {{say: (text: string) => void, focusList: () => void, focusMiddle: () => void}} act
 */
export function makeContext(model, host, data, act) {
  const store = makeStore();
  const subs = data.submodules;

  /** @param {number} s */
  function badge(s) {
    const kernel = subs.kernel[s];
    return kernel < 0 ? { label: "inline", shape: "○", slot: -1, also: "" } : data.kernels[kernel];
  }

  /** @param {number} s */
  function describe(s) {
    const shared = subs.twins[s] > 1 ? `, ${subs.twins[s]} twins` : "";
    const plain = subs.refused[s] ? "not compiled" : "inlined";
    const runs = subs.kernel[s] < 0 ? plain : `kernel ${badge(s).label}`;
    const also = badge(s).also && `, ${badge(s).also}`;
    return `${subs.name[s]}, ${subs.role[s]}, ${runs}, ${subs.nodes[s]} nodes${shared}${also}`;
  }

  /** Shows the source lines once they are here; without a kernel they may never come.
   * @param {(table: SourceTable) => void} act */
  function whenSources(act) {
    const here = host.peek("sources:");
    if (here) act(here);
    else host.ask("sources:").then(act, () => undefined);
  }

  // Counts what the reader chose: an answer that comes late must not take back a later choice.
  let choices = 0;

  /** @param {number} submodule */
  function chooseSubmodule(submodule) {
    choices++;
    store.change({ submodule, node: -1, source: -1, line: -1 });
    act.say(describe(submodule));
  }

  /** A node of the chosen submodule's graph. @param {number} node */
  function chooseNode(node) {
    const { submodule } = store.get();
    const key = `graph:${subs.graph[submodule]}`;
    const choice = ++choices;
    /** @param {import("./nodes.js").GraphContent} graph */
    const choose = (graph) => {
      if (choice !== choices) return;
      store.change({ node, source: graph.source[node] });
      act.say(`${subs.name[submodule]} › ${graph.name[node]}: ${graph.target[node]} ${graph.value[node]}`);
    };
    const here = host.peek(key);
    if (here) choose(here);
    else host.ask(key).then(choose, () => undefined);
  }

  return {
    data,
    host,
    store,
    model,
    badge,
    describe,
    whenSources,
    chooseSubmodule,
    chooseNode,
    say: act.say,
    focusList: act.focusList,
    /** @param {number} submodule */
    openSubmodule(submodule) {
      chooseSubmodule(submodule);
      act.focusMiddle();
      store.change({ view: store.get().view === "nodes" ? "nodes" : "graph" });
    },
    /** @param {number} source */
    chooseSource(source) {
      const choice = ++choices;
      store.change({ source, node: -1 });
      whenSources((table) => {
        if (choice === choices) act.say(sourceText(table, source));
      });
    },
    sourceText,
    /**
     * A line of the execution code leads to its submodule, its node and its source line.
     * @param {number} line @param {number} submodule @param {string} node @param {number} source
     * @param {boolean} open whether to open the graph as well
     */
    chooseLine(line, submodule, node, source, open) {
      const choice = ++choices;
      store.change({ line, source, node: -1, ...(submodule >= 0 ? { submodule } : {}) });
      if (open && submodule >= 0) {
        act.focusMiddle();
        store.change({ view: "graph" });
      }
      act.say(`Line ${line}${submodule >= 0 ? `: ${describe(submodule)}` : ""}`);
      if (submodule < 0 || !node) return;
      host.ask(`graph:${subs.graph[submodule]}`).then(
        (/** @type {import("./nodes.js").GraphContent} */ graph) => {
          const at = graph.name.indexOf(node);
          if (at >= 0 && choice === choices) store.change({ node: at });
        },
        () => undefined,
      );
    },
    /** Whether a submodule holds nodes of the chosen source line. @param {number} s */
    isEcho(s) {
      const { source } = store.get();
      if (source < 0) return false;
      return host.peek("sources:")?.graphs[source]?.includes(subs.graph[s]) ?? false;
    },
    /**
     * The source line of a line of code.
     * @param {string} document @param {import("./code.js").CodeWindow} part @param {number} n
     */
    sourceOf(document, part, n) {
      if (part.source) return part.source[n];
      if (!document.startsWith("fx:") || !part.node || part.node[n] < 0) return -1;
      return host.peek(`graph:${document.slice(3)}`)?.source[part.node[n]] ?? -1;
    },
  };
}

/** @param {SourceTable} table @param {number} source */
function sourceText(table, source) {
  const file = table.files[table.file[source]].split("/").pop();
  return `${file}:${table.line[source]}  ${table.text[source]}`;
}
