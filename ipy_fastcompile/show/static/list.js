// @ts-check
// Left: the submodules, folded where they repeat, with filter and sort.

import { button, bytes, count, fill, h, kernelBadge, matcher, seconds } from "./dom.js";
import { makeRows } from "./rows.js";

/**
 * A row of the list: a submodule, or a fold (`fold` is an index into `data.folds`).
 * @typedef {{submodule: number, fold: number, level: number}} ListRow
 */

/** @param {import("./context.js").Context} ctx */
export function makeList(ctx) {
  const { data, store } = ctx;
  const subs = data.submodules;
  const columns = [
    { key: "name", title: "Name", full: "Name" },
    { key: "kernel", title: "Kernel", full: "Kernel" },
    { key: "nodes", title: "Nodes", full: "Nodes" },
    { key: "bytes", title: "Output", full: "Output bytes at the example sizes" },
    ...(data.profiled ? [{ key: "seconds", title: "Time", full: "Run time" }] : []),
  ];
  const filter = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "search",
      class: "fc-input",
      placeholder: "Filter  ( / )",
      "aria-label": "Filter submodules by name, module, kernel or reason",
      oninput: () => store.change({ filter: filter.value }),
      onkeydown: onFilterKey,
    })
  );
  const heads = columns.map((column) =>
    h(
      "div",
      { role: "columnheader", class: `fc-cell fc-col-${column.key}`, "aria-sort": "none" },
      button(column.title, () => sortBy(column.key), {
        class: "fc-sort",
        title: `Sort by ${column.full.toLowerCase()}`,
        "data-key": column.key,
      }),
    ),
  );
  const header = h("div", { class: "fc-header", role: "rowgroup" }, h("div", { role: "row", class: "fc-headrow", "aria-rowindex": 1 }, ...heads));
  const found = h("span", { class: "fc-fine" });
  /** @type {ListRow[]} */
  let rows = [];
  /** @type {Set<number>} */
  const opened = new Set();
  const view = makeRows({
    role: "treegrid",
    label: "Submodules",
    count: 0,
    header,
    draw,
    choose: (index) => choose(rows[index]),
    open: (index) => open(rows[index]),
    key: onKey,
  });
  const none = h("p", { class: "fc-none" }, "No submodule matches the filter.");
  const element = h(
    "section",
    { class: "fc-pane fc-list", "aria-label": "Submodules" },
    h("div", { class: "fc-tools" }, filter, found),
    none,
    view.element,
  );

  /** @param {KeyboardEvent} event */
  function onFilterKey(event) {
    if (event.key === "ArrowDown" || event.key === "Enter") view.focus();
    else if (event.key === "Escape" && filter.value) {
      filter.value = "";
      store.change({ filter: "" });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} key */
  function sortBy(key) {
    const { sort, descending } = store.get();
    const first = key !== "name" && key !== "kernel";
    if (sort !== key) store.change({ sort: key, descending: first });
    else if (descending === first) store.change({ descending: !first });
    else store.change({ sort: "order", descending: false });
  }

  /** What a filter looks into. @param {number} index */
  function textOf(index) {
    const { name, module, role, reason } = subs;
    const { label, also } = ctx.badge(index);
    const words = [name[index], module[index], role[index], label, also, data.reasons[reason[index]]];
    return words.join(" ");
  }

  function build() {
    const { filter: text, sort, descending } = store.get();
    rows = [];
    if (text || sort !== "order") {
      const query = matcher(text);
      const order = subs.name.map((_, index) => index).filter((index) => query.matches(textOf(index)));
      if (sort !== "order") {
        const column = /** @type {any[]} */ (sort === "name" ? order : subs[/** @type {"nodes"} */ (sort)]);
        const sign = descending ? -1 : 1;
        order.sort((a, b) => {
          if (sort === "name") return sign * (a - b);
          return sign * ((column[a] ?? -1) - (column[b] ?? -1)) || a - b;
        });
      }
      rows = order.map((submodule) => ({ submodule, fold: -1, level: 1 }));
    } else {
      data.folds.forEach((fold, number) => {
        const isFold = fold.count > 1;
        if (isFold) rows.push({ submodule: -1, fold: number, level: 1 });
        if (isFold && !opened.has(number)) return;
        for (let s = fold.first; s < fold.first + fold.period * fold.count; s++) {
          rows.push({ submodule: s, fold: -1, level: isFold ? 2 : 1 });
        }
      });
    }
    for (const head of heads) {
      const key = head.firstElementChild?.getAttribute("data-key");
      const now = key !== sort ? "none" : descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", now);
    }
    none.hidden = rows.length > 0;
    view.element.hidden = rows.length === 0;
    fill(found, text ? count(rows.length, "match", "matches") : count(subs.name.length));
    view.setCount(rows.length);
  }

  /**
   * @param {number} index
   * @param {HTMLElement} row
   */
  function draw(index, row) {
    const { submodule, fold, level } = rows[index];
    const state = store.get();
    row.setAttribute("aria-level", String(level));
    if (fold >= 0) drawFold(row, fold);
    else {
      const isOn = submodule === state.submodule;
      row.className = `fc-row${isOn ? " fc-on" : ""}${ctx.isEcho(submodule) ? " fc-echo" : ""}`;
      row.setAttribute("aria-selected", String(isOn));
      row.removeAttribute("aria-expanded");
      const title = `${subs.module[submodule] || "top level"}: ${data.reasons[subs.reason[submodule]]}`;
      fill(
        row,
        h("div", { role: "gridcell", class: `fc-cell fc-col-name fc-level${level}`, title }, subs.name[submodule]),
        h("div", { role: "gridcell", class: "fc-cell fc-col-kernel" }, kernelBadge(ctx.badge(submodule))),
        ...numbers(subs.nodes[submodule], subs.bytes[submodule], subs.seconds[submodule]),
      );
    }
  }

  /**
   * @param {number} nodes
   * @param {number} size
   * @param {number | null} time
   */
  function numbers(nodes, size, time) {
    const texts = [["nodes", count(nodes)], ["bytes", bytes(size)]];
    if (data.profiled) texts.push(["seconds", seconds(time)]);
    return texts.map(([key, text]) =>
      h("div", { role: "gridcell", class: `fc-cell fc-col-${key}` }, text),
    );
  }

  /**
   * @param {HTMLElement} row
   * @param {number} number
   */
  function drawFold(row, number) {
    const { first, period, count: times, label } = data.folds[number];
    const members = Array.from({ length: period * times }, (_, k) => first + k);
    const isOpen = opened.has(number);
    const holds = members.includes(store.get().submodule) && !isOpen;
    row.className = `fc-row fc-fold${holds ? " fc-holds" : ""}`;
    row.setAttribute("aria-expanded", String(isOpen));
    row.setAttribute("aria-selected", "false");
    const total = (/** @type {(number | null)[]} */ column) =>
      members.reduce((sum, s) => sum + (column[s] ?? 0), 0);
    const twist = button(isOpen ? "▾" : "▸", () => toggle(number), {
      class: "fc-twist",
      tabindex: -1,
      "aria-label": `${isOpen ? "Fold" : "Unfold"} ${label}`,
    });
    fill(
      row,
      h(
        "div",
        { role: "gridcell", class: "fc-cell fc-col-name", title: describeFold(number) },
        twist,
        h("span", { class: "fc-foldlabel" }, label.replace(/ × \d+$/, "")),
        ` × ${times}`,
      ),
      ...numbers(total(subs.nodes), total(subs.bytes), data.profiled ? total(subs.seconds) : null),
    );
  }

  /** @param {number} number */
  function toggle(number) {
    const isOpen = !opened.delete(number);
    if (isOpen) opened.add(number);
    const at = rows.findIndex((row) => row.fold === number);
    build();
    view.setActive(at);
    view.focus();
    ctx.say(isOpen ? `Unfolded ${data.folds[number].label}` : `Folded ${data.folds[number].label}`);
  }

  /** @param {ListRow} row */
  function choose(row) {
    if (row.fold >= 0) ctx.say(describeFold(row.fold));
    else ctx.chooseSubmodule(row.submodule);
  }

  /** @param {number} number */
  function describeFold(number) {
    const fold = data.folds[number];
    return `${fold.label}: ${count(fold.period * fold.count, "submodule")}, Enter unfolds`;
  }

  /** @param {ListRow} row */
  function open(row) {
    if (row.fold >= 0) toggle(row.fold);
    else ctx.openSubmodule(row.submodule);
  }

  /**
   * @param {KeyboardEvent} event
   * @param {number} index
   */
  function onKey(event, index) {
    const { fold } = rows[index];
    if (fold < 0) {
      if (event.key !== "ArrowLeft" || rows[index].level < 2) return false;
      let parent = index;
      while (parent > 0 && rows[parent].fold < 0) parent--;
      view.move(parent);
      return true;
    }
    if (event.key === "ArrowRight" && !opened.has(fold)) toggle(fold);
    else if (event.key === "ArrowLeft" && opened.has(fold)) toggle(fold);
    else return false;
    return true;
  }

  /** Brings the chosen submodule into sight, unfolding nothing: its fold is marked instead. */
  function follow() {
    const { submodule } = store.get();
    let at = rows.findIndex((row) => row.submodule === submodule);
    if (at < 0) {
      at = rows.findIndex(({ fold }) => {
        if (fold < 0) return false;
        const { first, period, count: times } = data.folds[fold];
        return submodule >= first && submodule < first + period * times;
      });
    }
    if (at >= 0) {
      view.setActive(at);
      view.reveal(at);
    }
    view.redraw();
  }

  store.listen((state, changed) => {
    if (["filter", "sort", "descending"].some((name) => changed.has(name))) {
      if (filter.value !== state.filter) filter.value = state.filter;
      build();
    }
    if (changed.has("submodule") && state.submodule >= 0) follow();
    else if (changed.has("source") || changed.has("submodule")) view.redraw();
  });
  build();
  return { element, focusFilter: () => filter.focus(), focus: () => view.focus(), redraw: () => view.redraw(), close: () => view.close() };
}
