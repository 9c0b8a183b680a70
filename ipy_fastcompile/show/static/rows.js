// @ts-check
// A long list of rows of one height: only those in sight are in the page, one of them is in the
// tab order, and the keys move it. The list of submodules, the nodes table and all code use it.

import { h } from "./dom.js";

// Rows are as tall as the smallest target a finger hits.
export const ROW = 24;
const OVERSCAN = 12;

/**
 * @typedef {{
 *   role: string, label: string, count: number,
 *   draw: (index: number, row: HTMLElement) => void,
 *   choose: (index: number, how: "key" | "pointer") => void,
 *   open?: (index: number) => void,
 *   key?: (event: KeyboardEvent, index: number) => boolean,
 *   seen?: (first: number, last: number) => void,
 *   header?: HTMLElement,
 * }} RowsOptions
 */

/** @param {RowsOptions} options */
export function makeRows(options) {
  const sizer = h("div", { class: "fc-sizer", role: "rowgroup" });
  const scroller = h("div", { class: "fc-scroller", role: options.role, "aria-label": options.label });
  if (options.header) scroller.append(options.header);
  scroller.append(sizer);
  /** @type {Map<number, HTMLElement>} */
  const rows = new Map();
  let total = 0;
  let active = 0;
  // What to bring into sight once the list is: a list that is not laid out cannot scroll.
  let wanted = -1;

  function range() {
    const top = Math.max(0, scroller.scrollTop - sizer.offsetTop);
    const height = scroller.clientHeight || 600;
    const first = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
    return { first, last: Math.min(total - 1, Math.ceil((top + height) / ROW) + OVERSCAN) };
  }

  /** @param {number} index */
  function makeRow(index) {
    const row = h("div", {
      class: "fc-row",
      role: "row",
      "aria-rowindex": index + 1 + (options.header ? 1 : 0),
      tabindex: index === active ? 0 : -1,
      style: { top: `${index * ROW}px` },
    });
    row.dataset.index = String(index);
    options.draw(index, row);
    return row;
  }

  function update() {
    const { first, last } = range();
    for (const [index, row] of rows) {
      if ((index < first || index > last) && index !== active) {
        row.remove();
        rows.delete(index);
      }
    }
    for (let index = first; index <= last; index++) add(index);
    if (total) add(active);
    if (total) options.seen?.(first, last);
  }

  /** @param {number} index */
  function add(index) {
    if (rows.has(index)) return;
    const row = makeRow(index);
    const after = [...rows.keys()].filter((other) => other > index);
    const next = after.length ? rows.get(Math.min(...after)) : undefined;
    sizer.insertBefore(row, next ?? null);
    rows.set(index, row);
  }

  /** @param {number} index */
  function setActive(index) {
    rows.get(active)?.setAttribute("tabindex", "-1");
    active = Math.min(Math.max(index, 0), Math.max(total - 1, 0));
    add(active);
    rows.get(active)?.setAttribute("tabindex", "0");
  }

  /**
   * Scrolls a row into sight; into the upper half when it was far out of it.
   * @param {number} index
   */
  function reveal(index) {
    wanted = scroller.clientHeight ? -1 : index;
    if (wanted >= 0) return;
    const top = index * ROW + sizer.offsetTop;
    const head = options.header ? options.header.offsetHeight : 0;
    const above = top < scroller.scrollTop + head;
    if (above || top + ROW > scroller.scrollTop + scroller.clientHeight) {
      const near = Math.abs(top - scroller.scrollTop) < 2 * scroller.clientHeight;
      const upper = top - scroller.clientHeight / 4;
      const edge = above ? top - head : top + ROW - scroller.clientHeight;
      scroller.scrollTop = near && document.activeElement === rows.get(active) ? edge : upper;
    }
    update();
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !total) return;
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 1);
    /** @type {Record<string, number>} */
    const steps = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: total - 1,
    };
    if (event.key in steps) {
      move(steps[event.key]);
      options.choose(active, "key");
    } else if (event.key === "Enter") {
      (options.open ?? ((index) => options.choose(index, "key")))(active);
    } else if (!options.key?.(event, active)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} index */
  function move(index) {
    setActive(index);
    rows.get(active)?.focus({ preventScroll: true });
    reveal(active);
  }

  /** @param {MouseEvent} event */
  function onClick(event) {
    const target = /** @type {Element} */ (event.target);
    const row = /** @type {HTMLElement | null} */ (target.closest(".fc-row"));
    if (!row || target.closest("button")) return;
    setActive(Number(row.dataset.index));
    row.focus({ preventScroll: true });
    options.choose(active, "pointer");
  }

  scroller.addEventListener("scroll", update, { passive: true });
  sizer.addEventListener("keydown", onKey);
  sizer.addEventListener("click", onClick);
  sizer.addEventListener("dblclick", (event) => {
    if (!(/** @type {Element} */ (event.target).closest("button"))) options.open?.(active);
  });
  const watcher = new ResizeObserver(() => (wanted >= 0 ? reveal(wanted) : update()));
  watcher.observe(scroller);

  /** @param {number} count */
  function setCount(count) {
    for (const row of rows.values()) row.remove();
    rows.clear();
    total = count;
    active = Math.min(active, Math.max(total - 1, 0));
    sizer.style.height = `${total * ROW}px`;
    scroller.setAttribute("aria-rowcount", String(total + (options.header ? 1 : 0)));
    // A grid without rows is empty, which assistive technology is told as busy.
    scroller.toggleAttribute("aria-busy", false);
    update();
  }

  setCount(options.count);
  return {
    element: scroller,
    setCount,
    setActive,
    reveal,
    move,
    /** Draws all rows in sight again, keeping the focus. */
    redraw() {
      for (const [index, row] of rows) options.draw(index, row);
    },
    /** @param {string} width */
    setWidth(width) {
      sizer.style.minWidth = width;
    },
    focus: () => rows.get(active)?.focus({ preventScroll: true }),
    close: () => watcher.disconnect(),
  };
}

/** @typedef {ReturnType<typeof makeRows>} Rows */
