// @ts-check
// A long table of plain text, in which nothing is cut: columns are as wide as what is in them. A
// row of a single cell is a heading, which goes across all columns.

import { h } from "./dom.js";
import { makeRows } from "./rows.js";

/**
 * @typedef {{
 *   label: string, heads: string[], rows: (string | HTMLElement)[][],
 *   choose: (index: number, how: "key" | "pointer") => void,
 *   open?: (index: number) => void,
 *   style?: (index: number) => string,
 * }} GridOptions
 */

/** @param {GridOptions} options */
export function makeGrid({ label, heads, rows, choose, open, style }) {
  /** @param {string | HTMLElement} cell */
  const length = (cell) => (typeof cell === "string" ? cell : (cell.textContent ?? "")).length;
  const full = rows.filter((row) => row.length > 1);
  const widths = heads.map((head, column) => Math.max(head.length, ...full.map((row) => length(row[column]))) + 2);
  const width = Math.max(widths.reduce((sum, one) => sum + one, 1), ...rows.filter((row) => row.length === 1).map(([cell]) => length(cell) + 2));

  /** @param {string} role @param {(string | HTMLElement)[]} row */
  function cells(role, row) {
    if (row.length === 1) return [h("div", { role, class: "fc-cell", "aria-colspan": heads.length }, row[0])];
    return row.map((cell, column) => h("div", { role, class: "fc-cell", style: { width: `${widths[column]}ch` } }, cell));
  }

  const header = h(
    "div",
    { class: "fc-header", role: "rowgroup", style: { minWidth: `max(100%, ${width}ch)` } },
    h("div", { role: "row", class: "fc-headrow", "aria-rowindex": 1 }, ...cells("columnheader", heads)),
  );
  const view = makeRows({
    role: "grid",
    label,
    count: rows.length,
    header,
    draw(index, row) {
      const marks = style?.(index) ?? "";
      row.className = `fc-row ${marks}`;
      row.setAttribute("aria-selected", String(marks.includes("fc-on")));
      row.replaceChildren(...cells("gridcell", rows[index]));
    },
    choose,
    open: open ?? ((index) => choose(index, "key")),
  });
  view.element.classList.add("fc-grid");
  view.setWidth(`${width}ch`);
  return view;
}
