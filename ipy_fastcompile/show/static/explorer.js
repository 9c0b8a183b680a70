// @ts-check
// The explorer: one view of a report. `render` draws all of it from the model and returns what
// takes it away again; nothing outlives a view, so any number of them can be open.

import { makeBar } from "./bar.js";
import { makeDetail } from "./detail.js";
import { button, face, fill, h } from "./dom.js";
import { makeHost } from "./host.js";
import { makeList } from "./list.js";
import { makeMiddle } from "./middle.js";
import { makeHelp, makeReload, makeStages } from "./reload.js";
import { makeStore } from "./store.js";

/**
 * What Python sends once; see `overview.py`.
 * @typedef {{
 *   model: string, facts: string[], summary: [string, string][], key: string, cache: string,
 *   why: string[], notes: string[], window: number, profiled: boolean, slowest: number, peak: number,
 *   peakLine: number, firstCall: number, canRerun: boolean, weightsNote: string,
 *   cold: {seconds: number, stages: {name: string, seconds: number, detail: string, fill: string}[]},
 *   colors: Record<string, string>, artifact: [string, string][],
 *   submodules: {name: string[], module: string[], role: string[], kernel: number[], graph: number[],
 *     nodes: number[], bytes: number[], seconds: (number | null)[], twins: number[],
 *     refused: string[], reason: number[], first: number[], last: number[]},
 *   reasons: string[],
 *   folds: {first: number, period: number, count: number, label: string}[],
 *   kernels: {label: string, shape: string, slot: number, native: boolean, why: string, near: string,
 *     size: number, seconds: number, count: number, sources: [string, string][]}[],
 *   start: Record<string, any>,
 * }} Data
 * @typedef {{files: string[], file: number[], line: number[], function: string[], text: string[],
 *   graphs: number[][]}} SourceTable
 * @typedef {ReturnType<typeof makeContext>} Context
 */

/**
 * What every pane gets: the data, the state, and the ways to choose.
 * @param {import("./host.js").Model} model
 * @param {{say: (text: string) => void, focusList: () => void, focusMiddle: () => void}} act
 */
function makeContext(model, act) {
  /** @type {Data} */
  const data = model.get("data");
  const host = makeHost(model, data.start);
  const store = makeStore();
  const subs = data.submodules;

  /** @param {number} s */
  function badge(s) {
    const kernel = subs.kernel[s];
    return kernel < 0 ? { label: "inline", shape: "○", slot: -1 } : data.kernels[kernel];
  }

  /** @param {number} s */
  function describe(s) {
    const shared = subs.twins[s] > 1 ? `, ${subs.twins[s]} twins` : "";
    const plain = subs.refused[s] ? "not compiled" : "inlined";
    const runs = subs.kernel[s] < 0 ? plain : `kernel ${badge(s).label}`;
    return `${subs.name[s]}, ${subs.role[s]}, ${runs}, ${subs.nodes[s]} nodes${shared}`;
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

/**
 * Whether the host shows light text on dark ground.
 * @param {Element} element
 */
function isDark(element) {
  const told = document.body.dataset.jpThemeLight;
  if (told) return told === "false";
  // VS Code, Colab and marimo, in this order.
  if (document.body.matches(".vscode-dark, .vscode-high-contrast:not(.vscode-high-contrast-light)")) return true;
  if (document.documentElement.matches("[theme=dark], [data-theme=dark]")) return true;
  for (let at = /** @type {Element | null} */ (element.parentElement); at; at = at.parentElement) {
    const [r, g, b, a = 1] = getComputedStyle(at).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    if (a > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 110;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * AFM's entry: https://anywidget.dev/en/afm/
 * @param {{model: import("./host.js").Model, el: HTMLElement}} view
 */
function render({ model, el }) {
  const status = h("div", { class: "fc-status", role: "status", "aria-live": "polite" });
  const root = h("div", {
    class: "fc-root",
    role: "group",
    "aria-label": `Explorer of ${model.get("data").model}`,
    "data-lm-suppress-shortcuts": "true",
  });
  const ctx = makeContext(model, {
    say: (text) => fill(status, text),
    focusList: () => list.focus(),
    focusMiddle: () => middle.focusNext(),
  });
  const { data, store, host } = ctx;
  const banner = h("div", { class: "fc-banner", role: "status", hidden: true });
  const drawer = h("div", { class: "fc-drawers" });
  const bar = makeBar(ctx, { toggle: (panel) => store.change({ panel: store.get().panel === panel ? "" : panel }) });
  const list = makeList(ctx);
  const middle = makeMiddle(ctx);
  const detail = makeDetail(ctx);
  const reload = makeReload(ctx);
  const panels = /** @type {Record<string, HTMLElement>} */ ({ reload: reload.element, stages: makeStages(ctx), help: makeHelp() });
  const panes = h("div", { class: "fc-panes" }, list.element, middle.element, detail.element);
  const nothing = face("Nothing was compiled", "The graph has no submodules: it computes nothing that could be compiled.");
  fill(root, bar.element, banner, drawer, data.submodules.name.length ? panes : nothing, status);

  store.listen((state, changed) => {
    if (!changed.has("panel")) return;
    bar.mark(state.panel);
    fill(drawer, panels[state.panel]);
  });

  host.watchConnection((connected) => {
    banner.hidden = connected;
    fill(banner, "Kernel not connected, or busy – showing the saved view. ", button("Try again", hello));
  });

  function hello() {
    host.ask(`hello:${Math.random()}`).catch(() => undefined);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const target = /** @type {Element} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = target.matches("input, select, textarea");
    const inMiddle = middle.element.contains(target);
    if (event.key === "Escape") up(inMiddle);
    else if (isTyping) return;
    else if (event.key === "/") {
      if (inMiddle && store.get().view !== "split") middle.focusSearch();
      else list.focusFilter();
    }
    else if (event.key === "?") store.change({ panel: store.get().panel === "help" ? "" : "help" });
    else if (event.key === "[") step(-1);
    else if (event.key === "]") step(1);
    else if (event.key === "f") middle.fit();
    else if (event.key === "0") middle.zoom(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {boolean} inMiddle */
  function up(inMiddle) {
    const { panel, view } = store.get();
    if (panel) store.change({ panel: "" });
    else if (inMiddle && view !== "split") {
      middle.focusNext();
      store.change({ view: "split" });
    } else list.focus();
  }

  /** @param {number} by */
  function step(by) {
    const size = data.submodules.name.length;
    if (size) ctx.chooseSubmodule(Math.min(size - 1, Math.max(0, store.get().submodule + by)));
  }

  function theme() {
    root.dataset.theme = isDark(el) ? "dark" : "light";
  }

  /**
   * Keeps plain keys from JupyterLab, whose "d d" would delete the cell. Its shortcuts match the
   * focused element before they look further up, so that one must carry the attribute; and keys
   * with Ctrl, such as saving, stay JupyterLab's. It listens on the document, so this must be
   * asked earlier, on the window.
   * @param {KeyboardEvent} event
   */
  function guard(event) {
    const target = event.target;
    if (!(target instanceof Element) || !root.contains(target)) return;
    const ours = !event.ctrlKey && !event.metaKey && !event.altKey;
    for (const element of [root, target]) {
      if (ours) element.setAttribute("data-lm-suppress-shortcuts", "true");
      else element.removeAttribute("data-lm-suppress-shortcuts");
    }
  }

  window.addEventListener("keydown", guard, true);
  root.addEventListener("keydown", onKey);
  el.append(root);
  theme();
  const later = () => setTimeout(theme, 400);
  const observer = new MutationObserver(() => {
    theme();
    // A theme's style sheet may arrive after the attribute that names it.
    later();
  });
  for (const watched of [document.documentElement, document.body]) {
    observer.observe(watched, { attributes: true });
  }
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", theme);
  ctx.whenSources(() => {
    list.redraw();
    middle.redraw();
  });
  hello();

  return () => {
    observer.disconnect();
    window.removeEventListener("keydown", guard, true);
    scheme.removeEventListener("change", theme);
    for (const part of [bar, list, middle, detail, reload]) part.close();
    host.close();
    root.remove();
  };
}

export default { render };
