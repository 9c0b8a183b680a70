// @ts-check
// Beside the execution code: the live bytes of the whole program, in one glance.

import { h, s } from "./dom.js";

/**
 * The whole program as a silhouette of its live bytes; a click goes there.
 * @param {import("./context.js").Context} ctx
 * @param {(line: number) => void} go
 */
export function makeSilhouette(ctx, go) {
  const { data, host } = ctx;
  const shape = s("path", { class: "fc-sil-shape" });
  const lit = s("path", { class: "fc-sil-lit" });
  const peak = s("path", { class: "fc-sil-peak" });
  const svg = s("svg", { preserveAspectRatio: "none" }, shape, lit, peak);
  // The rows say the same to keyboard and screen reader; this is a picture of them.
  const element = h("div", {
    class: "fc-silhouette",
    "aria-hidden": "true",
    title: "Live bytes over the whole program; click to go there",
    onclick: (/** @type {MouseEvent} */ event) => {
      const box = element.getBoundingClientRect();
      go(Math.min(total - 1, Math.floor(((event.clientY - box.top) / box.height) * total)));
    },
  });
  element.append(svg);
  let total = 1;
  const stop = new AbortController();

  host.ask("profile:", stop.signal).then(
    (/** @type {{live: number[]}} */ { live }) => {
      total = live.length;
      svg.setAttribute("viewBox", `0 0 100 ${total}`);
      const widths = live.map((size) => (data.peak ? (100 * size) / data.peak : 0));
      const outline = widths.map((width, n) => `H${(100 - width).toFixed(1)}V${n + 1}`).join("");
      shape.setAttribute("d", `M100 0${outline}H100Z`);
      if (data.peakLine > 0) {
        const tall = Math.max(1, total / 150);
        peak.setAttribute("d", `M0 ${data.peakLine - 1}H100v${tall}H0Z`);
      }
      mark(ctx.store.get());
    },
    () => {
      element.hidden = true;
    },
  );

  /** @param {import("./store.js").State} state */
  function mark(state) {
    if (state.submodule < 0 || data.submodules.first[state.submodule] < 1) {
      lit.setAttribute("d", "");
      return;
    }
    const first = data.submodules.first[state.submodule] - 1;
    const tall = Math.max(data.submodules.last[state.submodule] - first, total / 120);
    lit.setAttribute("d", `M0 ${first}H100v${tall}H0Z`);
  }

  return { element, mark, close: () => stop.abort() };
}
