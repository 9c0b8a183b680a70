// @ts-check
// The nodes of a graph as a table: all that the drawing can do, for every reader.

import { button, bytes, count, fill, h, matcher } from "./dom.js";
import { makeRows } from "./rows.js";

/**
 * Columns of an FX graph; edges are (from, to) pairs, flat.
 * @typedef {{name: string[], op: string[], target: string[], kind: string[], value: string[],
 *   bytes: number[], arguments: string[], module: string[], source: number[], edges: number[],
 *   owner: number}} GraphContent
 */

// Shape and word for what a node is; colour comes on top.
export const KINDS = /** @type {Record<string, string>} */ ({
  input: "▷ input",
  weight: "◇ weight",
  output: "◁ output",
  number: "# number",
  view: "▱ view",
  heavy: "■ matmul-like",
  reduce: "▼ reduction",
  point: "● pointwise",
});

/** @param {GraphContent} graph */
export function readEdges(graph) {
  /** @type {number[][]} */
  const reads = graph.name.map(() => []);
  /** @type {number[][]} */
  const users = graph.name.map(() => []);
  for (let n = 0; n < graph.edges.length; n += 2) {
    users[graph.edges[n]].push(graph.edges[n + 1]);
    reads[graph.edges[n + 1]].push(graph.edges[n]);
  }
  return { reads, users };
}

/**
 * @param {import("./context.js").Context} ctx
 * @param {GraphContent} graph
 */
export function makeNodes(ctx, graph) {
  const { store } = ctx;
  const { reads, users } = readEdges(graph);
  /** @type {Record<string, (n: number) => string | number>} */
  const values = {
    order: (n) => n,
    name: (n) => graph.name[n],
    kind: (n) => graph.kind[n],
    target: (n) => graph.target[n],
    value: (n) => graph.bytes[n],
    users: (n) => users[n].length,
  };
  const titles = { order: "#", name: "Name", kind: "Kind", value: "Value", target: "Target", users: "Edges" };
  let sort = "order";
  let descending = false;
  /** @type {number[]} */
  let rows = [];
  const search = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "search",
      class: "fc-input",
      placeholder: "Search",
      "aria-label": "Search nodes by name, target, kind or module",
      oninput: () => build(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "ArrowDown" && event.key !== "Enter") return;
        view.focus();
        event.preventDefault();
        event.stopPropagation();
      },
    })
  );
  const found = h("span", { class: "fc-fine" });
  const heads = Object.entries(titles).map(([key, title]) =>
    h(
      "div",
      { role: "columnheader", class: `fc-cell fc-n-${key}`, "aria-sort": "none" },
      button(title, () => sortBy(key), { class: "fc-sort", "data-key": key, title: `Sort by ${key}` }),
    ),
  );
  const header = h("div", { class: "fc-header", role: "rowgroup" }, h("div", { role: "row", class: "fc-headrow", "aria-rowindex": 1 }, ...heads));
  const view = makeRows({
    role: "grid",
    label: "Nodes",
    count: 0,
    header,
    draw,
    choose: (index) => ctx.chooseNode(rows[index]),
    key: onKey,
  });
  view.element.classList.add("fc-nodes");
  const none = h("p", { class: "fc-none" }, "No node matches the search.");
  const element = h("div", { class: "fc-picture" }, h("div", { class: "fc-tools" }, search, found), none, view.element);

  /** @param {string} key */
  function sortBy(key) {
    descending = sort === key ? !descending : false;
    sort = key;
    build();
  }

  function build() {
    const query = matcher(search.value);
    rows = graph.name.map((_, n) => n).filter((n) =>
      query.matches(`${graph.name[n]} ${graph.target[n]} ${KINDS[graph.kind[n]]} ${graph.module[n]} ${graph.value[n]}`),
    );
    const sign = descending ? -1 : 1;
    rows.sort((a, b) => {
      const [x, y] = [values[sort](a), values[sort](b)];
      return sign * (x < y ? -1 : x > y ? 1 : 0) || a - b;
    });
    for (const head of heads) {
      const key = head.firstElementChild?.getAttribute("data-key");
      head.setAttribute("aria-sort", key !== sort ? "none" : descending ? "descending" : "ascending");
    }
    none.hidden = rows.length > 0;
    view.element.hidden = rows.length === 0;
    fill(found, query.isEmpty ? count(rows.length, "node") : count(rows.length, "match", "matches"));
    view.setCount(rows.length);
    follow();
  }

  /**
   * @param {number} index
   * @param {HTMLElement} row
   */
  function draw(index, row) {
    const n = rows[index];
    const state = store.get();
    const isEcho = state.source >= 0 && graph.source[n] === state.source;
    row.className = `fc-row${n === state.node ? " fc-on" : ""}${isEcho ? " fc-echo" : ""}`;
    row.setAttribute("aria-selected", String(n === state.node));
    const cell = (/** @type {string} */ key, /** @type {string} */ text, title = text) =>
      h("div", { role: "gridcell", class: `fc-cell fc-n-${key}`, title }, text);
    const size = graph.bytes[n] ? ` (${bytes(graph.bytes[n])})` : "";
    fill(
      row,
      cell("order", String(n)),
      cell("name", graph.name[n]),
      cell("kind", KINDS[graph.kind[n]] ?? graph.kind[n]),
      cell("value", graph.value[n], graph.value[n] + size),
      cell("target", graph.target[n]),
      cell("users", `${reads[n].length} → ${users[n].length}`, `reads ${reads[n].length}, used by ${users[n].length}`),
    );
  }

  /**
   * Left and right walk along edges, as up and down do in the drawing.
   * @param {KeyboardEvent} event
   * @param {number} index
   */
  function onKey(event, index) {
    const along = { ArrowLeft: reads, ArrowRight: users }[event.key];
    if (!along) return false;
    const next = along[rows[index]].map((n) => rows.indexOf(n)).find((at) => at >= 0);
    if (next !== undefined) {
      view.move(next);
      ctx.chooseNode(rows[next]);
    }
    return true;
  }

  function follow() {
    const at = rows.indexOf(store.get().node);
    if (at >= 0) {
      view.setActive(at);
      view.reveal(at);
    }
    view.redraw();
  }

  const unlisten = store.listen((_, changed) => {
    if (changed.has("node")) follow();
    else if (changed.has("source")) view.redraw();
  });
  build();
  return {
    element,
    follow,
    focus: () => view.focus(),
    focusSearch: () => search.focus(),
    close() {
      unlisten();
      view.close();
    },
  };
}
