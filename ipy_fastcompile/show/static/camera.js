// @ts-check
// What a drawing is looked at through: zoom, pan, and what is brought into sight.

import { button, fill, h } from "./dom.js";

/** @typedef {{x: number, y: number, width: number, height: number}} Place */

export function makeCamera() {
  const stage = h("div", { class: "fc-stage" });
  const viewport = h("div", { class: "fc-viewport" }, stage);
  const zoomed = h("span", { class: "fc-fine fc-zoom" }, "100%");
  /** @type {SVGSVGElement | undefined} */
  let svg;
  let extent = { width: 0, height: 0 };
  let scale = 1;
  // What of the drawing is looked at, from left to right; it stays in the middle at another width.
  let middle = 0;

  function resize() {
    if (!svg) return;
    svg.setAttribute("width", String(Math.round(extent.width * scale)));
    svg.setAttribute("height", String(Math.round(extent.height * scale)));
    svg.setAttribute("viewBox", `0 0 ${extent.width} ${extent.height}`);
    fill(zoomed, `${Math.round(scale * 100)}%`);
  }

  /**
   * @param {number} to
   * @param {{x: number, y: number}} [around] a point of the viewport that stays where it is
   */
  function zoom(to, around = { x: viewport.clientWidth / 2, y: viewport.clientHeight / 2 }) {
    const before = scale;
    scale = Math.min(3, Math.max(0.1, to));
    resize();
    const factor = scale / before;
    viewport.scrollLeft = (viewport.scrollLeft + around.x) * factor - around.x;
    viewport.scrollTop = (viewport.scrollTop + around.y) * factor - around.y;
    look();
  }

  function fit() {
    const wide = viewport.clientWidth / Math.max(extent.width, 1);
    zoom(Math.min(1.5, wide, viewport.clientHeight / Math.max(extent.height, 1)));
    viewport.scrollTop = 0;
  }

  function recentre() {
    viewport.scrollLeft = middle * scale - viewport.clientWidth / 2;
  }

  function look() {
    if (viewport.clientWidth) middle = (viewport.scrollLeft + viewport.clientWidth / 2) / scale;
  }

  viewport.addEventListener("scroll", look, { passive: true });
  // A drawing that is not laid out cannot scroll, and one that is may get narrower.
  const watcher = new ResizeObserver(recentre);
  watcher.observe(viewport);

  viewport.addEventListener(
    "wheel",
    (event) => {
      // Without Ctrl the wheel scrolls, as everywhere else in a notebook.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      const box = viewport.getBoundingClientRect();
      zoom(scale * Math.exp(-event.deltaY / 400), { x: event.clientX - box.left, y: event.clientY - box.top });
    },
    { passive: false },
  );

  viewport.addEventListener("pointerdown", (down) => {
    const target = /** @type {Element} */ (down.target);
    if (down.button !== 0 || down.pointerType === "touch" || target.closest("[data-i]")) return;
    const from = { x: down.clientX + viewport.scrollLeft, y: down.clientY + viewport.scrollTop };
    const move = (/** @type {PointerEvent} */ event) => {
      viewport.scrollLeft = from.x - event.clientX;
      viewport.scrollTop = from.y - event.clientY;
    };
    viewport.setPointerCapture(down.pointerId);
    viewport.addEventListener("pointermove", move);
    viewport.addEventListener(
      "lostpointercapture",
      () => viewport.removeEventListener("pointermove", move),
      { once: true },
    );
  });

  const buttons = h(
    "span",
    { class: "fc-group" },
    button("−", () => zoom(scale / 1.25), { "aria-label": "Zoom out", title: "Zoom out (Ctrl+wheel)" }),
    zoomed,
    button("+", () => zoom(scale * 1.25), { "aria-label": "Zoom in", title: "Zoom in (Ctrl+wheel)" }),
    button("Fit", fit, { title: "Fit the picture (f); 0 is 100 %" }),
  );

  return {
    element: viewport,
    buttons,
    zoom,
    fit,
    close: () => watcher.disconnect(),
    /**
     * Looks at the top of a new drawing, at 100 %, with a place of it in the middle.
     * @param {SVGSVGElement} drawn
     * @param {{width: number, height: number}} size
     * @param {Place | undefined} begin
     */
    open(drawn, size, begin) {
      svg = drawn;
      extent = size;
      scale = 1;
      middle = begin ? begin.x + begin.width / 2 : size.width / 2;
      fill(stage, drawn);
      resize();
      viewport.scrollTop = 0;
      recentre();
    },
    /** The drawing has another size now. @param {{width: number, height: number}} size */
    setExtent(size) {
      extent = size;
      resize();
    },
    /** Scrolls a place of the drawing into sight, to the middle if it was out of it. @param {Place} place */
    reveal({ x, y, width, height }) {
      const at = { left: x * scale, top: y * scale, right: (x + width) * scale, bottom: (y + height) * scale };
      const { scrollLeft: left, scrollTop: top, clientWidth: wide, clientHeight: high } = viewport;
      if (at.left < left || at.right > left + wide) viewport.scrollLeft = (at.left + at.right - wide) / 2;
      if (at.top < top || at.bottom > top + high) viewport.scrollTop = (at.top + at.bottom - high) / 2;
    },
  };
}
