// @ts-check
// Middle: the split graph, the graph of the chosen submodule, its nodes as a table; below them what
// is chosen, in words, with the ways that lead on.

import { button, bytes, count, face, fill, h, kernelBadge, seconds } from "./dom.js";
import { KINDS, makeNodes, readEdges } from "./nodes.js";
import { makePicture } from "./picture.js";
import { makeSlot } from "./slot.js";
import { makeTabs } from "./tabs.js";

/**
 * What `graph_content.py` answers for `split:`: the items of the picture, folds among them.
 * @typedef {{first: number[], period: number[], count: number[], svg: string, why: string}} SplitContent
 */

// A larger graph opens on what is near its first node; nobody reads all of it at once.
const FOCUS_FROM = 120;

/** @param {import("./context.js").Context} ctx */
export function makeMiddle(ctx) {
  const { data, store } = ctx;
  const slot = makeSlot(ctx, "graph");
  const inspector = h("div", { class: "fc-inspector" });
  const tabs = makeTabs({
    label: "View of the graph",
    tabs: [["split", "Split graph"], ["graph", "Graph"], ["nodes", "Nodes"]],
    choose: (key) => store.change({ view: /** @type {"split"} */ (key) }),
  });
  tabs.panel.append(slot.element);
  const element = h("section", { class: "fc-pane fc-middle", "aria-label": "Graph" }, tabs.element, inspector);
  /** @type {ReturnType<typeof makePicture> | undefined} */
  let picture;
  /** @type {ReturnType<typeof makeNodes> | undefined} */
  let table;
  /** @type {SplitContent | undefined} */
  let items;
  /** @type {Element | null | undefined} where the focus was when something was opened */
  let opener;
  let isComing = false;
  let shown = "";

  const graphOf = () => {
    const { submodule } = store.get();
    return submodule < 0 ? -1 : data.submodules.graph[submodule];
  };

  function draw() {
    const { view, opened, weights } = store.get();
    tabs.mark(view);
    const graph = graphOf();
    const key = view === "split" ? `split:${opened}` : `${view}:${graph}:${weights}`;
    if (key === shown) {
      mark();
      return;
    }
    shown = key;
    isComing = true;
    table?.close();
    picture?.close();
    picture = table = items = undefined;
    if (view === "split") drawSplit(opened);
    else if (graph < 0) {
      slot.put(face("No submodule chosen", "Choose one in the list or in the split graph; Enter opens it."));
    } else drawGraph(graph, view === "nodes", weights);
  }

  // --- split graph -----------------------------------------------------------------------------

  /** @param {string} opened */
  function drawSplit(opened) {
    const folds = data.folds.filter((fold) => fold.count > 1);
    const foldButton = opened
      ? button("Fold repeats", () => store.change({ opened: "" }))
      : folds.length > 1
        ? button("Unfold all", () => store.change({ opened: "all" }))
        : null;
    slot.show(`split:${opened}`, (/** @type {SplitContent} */ content) => {
      items = content;
      if (!content.svg) {
        return face("No drawing", content.why, button("Fold repeats", () => store.change({ opened: "" })));
      }
      picture = makePicture({
        label: "Split graph",
        describe: (first) => describeItem(content, first),
        choose: (first) => chooseItem(content, first),
        open: (first) => openItem(content, first),
        up: () => (opened ? store.change({ opened: "" }) : ctx.focusList()),
        canFocus: content.first.length > 12,
        extras: [foldButton],
      });
      const drawn = picture;
      queueMicrotask(() => {
        drawn.load(content.svg, content.first);
        mark();
        takeFocus(drawn);
      });
      return picture.element;
    });
  }

  /** @param {SplitContent} content @param {number} first */
  function describeItem(content, first) {
    const n = content.first.indexOf(first);
    const size = content.period[n] * content.count[n];
    if (size > 1) {
      const fold = data.folds.find((f) => f.first === first);
      return `${fold?.label ?? ""}: ${count(size, "submodule")}, Enter unfolds`;
    }
    return ctx.describe(first);
  }

  /** @param {SplitContent} content @param {number} first */
  function chooseItem(content, first) {
    if (content.count[content.first.indexOf(first)] > 1) {
      picture?.mark(first, () => false);
      ctx.say(describeItem(content, first));
    } else ctx.chooseSubmodule(first);
  }

  /** @param {SplitContent} content @param {number} first */
  function openItem(content, first) {
    if (content.count[content.first.indexOf(first)] > 1) {
      focusNext();
      store.change({ opened: String(first) });
    } else ctx.openSubmodule(first);
  }

  // --- graph of a submodule --------------------------------------------------------------------

  /** @param {number} graph @param {boolean} asTable @param {boolean} weights */
  function drawGraph(graph, asTable, weights) {
    const toggle = button("Weights", () => store.change({ weights: !weights }), {
      "aria-pressed": String(weights),
      title: "Draw parameters, buffers and sizes, too",
    });
    slot.show(`graph:${graph}`, (content) => {
      inspect();
      if (asTable) {
        const made = makeNodes(ctx, content);
        table = made;
        queueMicrotask(() => {
          made.follow();
          takeFocus(made);
        });
        return made.element;
      }
      drawPicture(graph, content, weights ? `svg:${graph}:all` : `svg:${graph}`, [toggle]);
      return undefined;
    });
  }

  /** @param {number} graph */
  function sharedNote(graph) {
    const owner = data.submodules.graph.indexOf(graph);
    const { submodule } = store.get();
    if (owner < 0 || owner === submodule) return null;
    return h("span", { class: "fc-fine", title: "Twins share one graph, written with the names of the first" }, `names as in ${data.submodules.name[owner]}`);
  }

  /**
   * @param {number} graph
   * @param {import("./nodes.js").GraphContent} content
   * @param {string} key
   * @param {(Node | null)[]} extras more for the toolbar
   */
  function drawPicture(graph, content, key, extras) {
    const { reads, users } = readEdges(content);
    slot.show(key, (drawing) => {
      if (!drawing.svg) {
        const flags = key.endsWith(":all") ? "all+anyway" : "anyway";
        return face(
          drawing.anyway ? "Too large for a quick drawing" : "No drawing",
          drawing.why,
          button("Show the table", () => store.change({ view: "nodes" })),
          drawing.anyway ? button("Draw anyway", () => drawPicture(graph, content, `svg:${graph}:${flags}`, extras)) : null,
        );
      }
      picture = makePicture({
        label: `Graph of ${data.submodules.name[store.get().submodule] ?? "the submodule"}`,
        describe: (n) =>
          `${content.name[n]}, ${KINDS[content.kind[n]] ?? ""}, ${content.target[n]}, ${content.value[n]}, ` +
          `reads ${reads[n].length}, used by ${users[n].length}`,
        choose: (n) => ctx.chooseNode(n),
        open: (n) => {
          ctx.chooseNode(n);
          store.change({ tab: "source" });
        },
        up: () => {
          focusNext();
          store.change({ view: "split" });
        },
        canFocus: drawing.nodes.length > 12,
        extras,
      });
      const drawn = picture;
      queueMicrotask(() => {
        drawn.load(drawing.svg, drawing.nodes);
        if (drawing.nodes.length > FOCUS_FROM) drawn.setFocus(true);
        mark();
        takeFocus(drawn);
      });
      return picture.element;
    });
  }

  // --- focus -----------------------------------------------------------------------------------

  function focused() {
    return /** @type {Document | ShadowRoot} */ (element.getRootNode()).activeElement;
  }

  /** Takes the focus once what is being opened is there, which it may be already. */
  function focusNext() {
    opener = focused();
    queueMicrotask(() => {
      if (!isComing) takeFocus(picture ?? table);
    });
  }

  /**
   * Nobody who has gone on meanwhile is brought back: the focus is taken from where something was
   * opened, or from nowhere.
   * @param {{focus: () => void} | undefined} part
   */
  function takeFocus(part) {
    isComing = false;
    const now = focused();
    const isLost = now === null || now === document.body;
    if (opener !== undefined && (now === opener || isLost)) part?.focus();
    opener = undefined;
  }

  // --- what is chosen --------------------------------------------------------------------------

  function mark() {
    const { view, submodule, node, source } = store.get();
    if (view === "split") {
      const at = items?.first.filter((first) => first <= submodule).at(-1) ?? -1;
      picture?.mark(submodule < 0 ? -1 : at, (first) => ctx.isEcho(first));
    } else {
      const graph = ctx.host.peek(`graph:${graphOf()}`);
      picture?.mark(node, (n) => source >= 0 && graph?.source[n] === source);
    }
  }

  function inspect() {
    const { submodule, node } = store.get();
    const graph = ctx.host.peek(`graph:${graphOf()}`);
    if (submodule < 0) fill(inspector, h("p", { class: "fc-fine" }, "Nothing chosen. Press ? for the keys."));
    else if (node >= 0 && graph) fill(inspector, ...nodeFacts(graph, node));
    else fill(inspector, ...submoduleFacts(submodule));
  }

  /** @param {number} s */
  function submoduleFacts(s) {
    const subs = data.submodules;
    const twins = subs.twins[s];
    const time = seconds(subs.seconds[s]);
    const words = [
      subs.module[s] || "top level",
      count(subs.nodes[s], "node"),
      `${bytes(subs.bytes[s])} out`,
      time,
      twins > 1 ? `${twins} twins` : "no twin",
      ctx.badge(s).also,
    ].filter(Boolean);
    return [
      h("div", { class: "fc-line" }, kernelBadge(ctx.badge(s)), h("strong", {}, subs.name[s]), h("span", {}, words.join(" · "))),
      h("div", { class: "fc-line fc-fine" }, `Starts here: ${data.reasons[subs.reason[s]]}`),
      h(
        "div",
        { class: "fc-line" },
        store.get().view === "split" ? button("Open its graph", () => ctx.openSubmodule(s)) : null,
        twins > 1 ? button("Next twin", () => ctx.chooseSubmodule(nextTwin(s))) : null,
        button("Its lines", () => store.change({ tab: "code", line: subs.first[s] })),
      ),
    ];
  }

  /** @param {number} s */
  function nextTwin(s) {
    const subs = data.submodules;
    const same = (/** @type {number} */ t) =>
      subs.kernel[t] === subs.kernel[s] && (subs.kernel[s] >= 0 || subs.graph[t] === subs.graph[s]);
    const n = subs.name.length;
    for (let step = 1; step < n; step++) if (same((s + step) % n)) return (s + step) % n;
    return s;
  }

  /** @param {import("./nodes.js").GraphContent} graph @param {number} n */
  function nodeFacts(graph, n) {
    const { reads, users } = readEdges(graph);
    const chips = (/** @type {string} */ title, /** @type {number[]} */ list) =>
      h(
        "span",
        { class: "fc-line" },
        h("span", { class: "fc-fine" }, list.length ? title : `${title} nothing`),
        ...list.slice(0, 8).map((m) => button(graph.name[m], () => ctx.chooseNode(m), { class: "fc-chip", title: graph.value[m] })),
        list.length > 8 ? h("span", { class: "fc-fine" }, `and ${list.length - 8} more`) : null,
      );
    const source = graph.source[n];
    const where = h("span", { class: "fc-fine" });
    if (source >= 0) ctx.whenSources((table) => fill(where, ctx.sourceText(table, source)));
    return [
      h("div", { class: "fc-line" }, h("strong", {}, graph.name[n]), h("code", {}, graph.target[n]), sharedNote(graphOf())),
      h("div", { class: "fc-line fc-fine" }, `${KINDS[graph.kind[n]] ?? graph.op[n]} · ${graph.value[n] || "no value"}${graph.bytes[n] ? ` · ${bytes(graph.bytes[n])}` : ""}${graph.module[n] ? ` · ${graph.module[n]}` : ""}`),
      h("div", { class: "fc-line" }, chips("reads", reads[n]), chips("used by", users[n]), fusionButton(graph, n)),
      source >= 0 ? h("div", { class: "fc-where" }, button("Source line", () => store.change({ tab: "source" }), { class: "fc-chip" }), where) : null,
    ];
  }

  /** Asks the Fusion tab about a node of a graph that has a kernel. @param {import("./nodes.js").GraphContent} graph @param {number} n */
  function fusionButton(graph, n) {
    if (graph.op[n] !== "call_function" || data.submodules.kernel[store.get().submodule] < 0) return null;
    const ask = () => store.change({ tab: "fusion", fusing: graph.name[n] });
    return button("Fused with …?", ask, { class: "fc-chip", title: "Choose it in the Fusion tab; of two nodes it says whether they are fused, and if not, why" });
  }

  const unlisten = store.listen((_, changed) => {
    if (["view", "opened", "weights", "submodule"].some((name) => changed.has(name))) draw();
    else if (changed.has("node") || changed.has("source")) mark();
    if (changed.has("view") || changed.has("submodule") || changed.has("node")) inspect();
  });
  draw();
  inspect();
  return {
    element,
    redraw: mark,
    focusNext,
    focus: () => (picture ?? table)?.focus(),
    focusSearch: () => (picture ?? table)?.focusSearch(),
    fit: () => picture?.fit(),
    zoom: (/** @type {number} */ to) => picture?.zoom(to),
    close() {
      unlisten();
      slot.close();
      table?.close();
      picture?.close();
    },
  };
}
