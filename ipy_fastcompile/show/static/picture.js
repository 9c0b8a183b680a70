// @ts-check
// A drawing from Python, brought to life: choose, walk along edges, zoom, pan, search, focus.

import { button, count, fill, h } from "./dom.js";

// The focus view: what is at most this many edges away, and no more boxes than that.
const HOPS = 3;
const MOST = 40;
const STEP = 76;
const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {{label: string, describe: (index: number) => string,
 *   choose: (index: number) => void, open: (index: number) => void, up: () => void,
 *   canFocus: boolean, extras?: (Node | null)[]}} PictureOptions
 * @typedef {{element: SVGGElement, x: number, y: number, width: number, height: number,
 *   index: number, out: number[], in: number[]}} Box
 */

/** @param {PictureOptions} options */
export function makePicture(options) {
  /** @type {SVGSVGElement | undefined} */
  let svg;
  /** @type {Map<number, Box>} */
  let boxes = new Map();
  /** @type {{path: SVGPathElement, tail: number, head: number, d: string}[]} */
  let edges = [];
  let scale = 1;
  let active = -1;
  let chosen = -1;
  let focused = false;
  let whole = { width: 0, height: 0 };
  let extent = whole;
  /** @type {number[]} */
  let hits = [];

  const stage = h("div", { class: "fc-stage" });
  const viewport = h("div", { class: "fc-viewport" }, stage);
  const zoomed = h("span", { class: "fc-fine fc-zoom" }, "100%");
  const search = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "search",
      class: "fc-input",
      placeholder: "Search",
      "aria-label": `Search in ${options.label}`,
      oninput: onSearch,
      onkeydown: onSearchKey,
    })
  );
  const found = h("span", { class: "fc-fine" });
  const focusButton = button("Focus", () => setFocus(!focused), {
    "aria-pressed": "false",
    title: "Show only what is near the chosen node",
  });
  const tools = h(
    "div",
    { class: "fc-tools" },
    search,
    found,
    ...(options.extras ?? []),
    options.canFocus ? focusButton : null,
    h(
      "span",
      { class: "fc-group" },
      button("−", () => zoom(scale / 1.25), { "aria-label": "Zoom out", title: "Zoom out (Ctrl+wheel)" }),
      zoomed,
      button("+", () => zoom(scale * 1.25), { "aria-label": "Zoom in", title: "Zoom in (Ctrl+wheel)" }),
      button("Fit", fit, { title: "Fit the picture (f); 0 is 100 %" }),
    ),
  );
  const element = h("div", { class: "fc-picture" }, tools, viewport);

  /**
   * @param {string} text SVG from Python
   * @param {number[]} targets what the boxes stand for
   */
  function load(text, targets) {
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
    const drawn = /** @type {unknown} */ (document.importNode(parsed.documentElement, true));
    svg = /** @type {SVGSVGElement} */ (drawn);
    svg.setAttribute("aria-label", options.label);
    whole = { width: Number(svg.getAttribute("width")), height: Number(svg.getAttribute("height")) };
    extent = whole;
    boxes = new Map();
    for (const element of /** @type {NodeListOf<SVGGElement>} */ (svg.querySelectorAll("[data-i]"))) {
      const index = Number(element.dataset.i);
      const [x, y] = (element.getAttribute("transform") ?? "").match(/-?\d+/g)?.map(Number) ?? [0, 0];
      const rect = element.querySelector("rect");
      const box = {
        element, x, y, index: targets[index], out: [], in: [],
        width: Number(rect?.getAttribute("width")), height: Number(rect?.getAttribute("height")),
      };
      element.setAttribute("role", "button");
      element.setAttribute("tabindex", "-1");
      element.setAttribute("aria-pressed", "false");
      element.setAttribute("aria-label", options.describe(box.index));
      const title = document.createElementNS(SVG, "title");
      title.textContent = options.describe(box.index);
      element.append(title);
      boxes.set(box.index, box);
    }
    edges = [...svg.querySelectorAll("[data-e]")].map((path) => {
      const [tail, head] = (path.getAttribute("data-e") ?? "").split(" ").map((n) => targets[Number(n)]);
      boxes.get(tail)?.out.push(head);
      boxes.get(head)?.in.push(tail);
      return { path: /** @type {SVGPathElement} */ (path), tail, head, d: path.getAttribute("d") ?? "" };
    });
    svg.addEventListener("keydown", onKey);
    svg.addEventListener("click", onClick);
    svg.addEventListener("dblclick", (event) => {
      const index = indexOf(event);
      if (index >= 0) options.open(index);
    });
    fill(stage, svg);
    active = chosen = -1;
    focused = false;
    scale = 1;
    viewport.scrollTop = 0;
    viewport.scrollLeft = Math.max(0, (extent.width - viewport.clientWidth) / 2);
    setActive(targets[0] ?? -1);
    resize();
    onSearch();
  }

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
  }

  function fit() {
    const wide = viewport.clientWidth / Math.max(extent.width, 1);
    zoom(Math.min(1.5, wide, viewport.clientHeight / Math.max(extent.height, 1)));
    viewport.scrollTop = 0;
  }

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

  /** @param {Event} event */
  function indexOf(event) {
    const group = /** @type {Element} */ (event.target).closest("[data-i]");
    for (const box of boxes.values()) if (box.element === group) return box.index;
    return -1;
  }

  /** @param {number} index */
  function setActive(index) {
    boxes.get(active)?.element.setAttribute("tabindex", "-1");
    active = boxes.has(index) ? index : -1;
    boxes.get(active)?.element.setAttribute("tabindex", "0");
  }

  /** @param {MouseEvent} event */
  function onClick(event) {
    const index = indexOf(event);
    if (index < 0) return;
    setActive(index);
    boxes.get(index)?.element.focus({ preventScroll: true });
    options.choose(index);
  }

  /** @param {Box} box */
  const isShown = (box) => box.element.style.display !== "none";
  /** @param {Box} box */
  const place = (box) => {
    const [x, y] = (box.element.getAttribute("transform") ?? "").match(/-?[\d.]+/g)?.map(Number) ?? [0, 0];
    return { x, y };
  };

  /**
   * Where an arrow key leads: down and up along edges, left and right within a rank.
   * @param {string} key
   */
  function neighbour(key) {
    const box = boxes.get(active);
    if (!box) return -1;
    const here = place(box);
    const near = (/** @type {Box[]} */ list) =>
      list
        .filter((other) => other && isShown(other))
        .sort((a, b) => Math.abs(place(a).x - here.x) - Math.abs(place(b).x - here.x))[0]?.index ?? -1;
    const at = (/** @type {number[]} */ indices) =>
      indices.flatMap((index) => boxes.get(index) ?? []);
    if (key === "ArrowDown") return near(at(box.out));
    if (key === "ArrowUp") return near(at(box.in));
    const sign = key === "ArrowLeft" ? -1 : 1;
    return near(
      [...boxes.values()].filter((other) => {
        const there = place(other);
        return Math.abs(there.y - here.y) < box.height && Math.sign(there.x - here.x) === sign;
      }),
    );
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key.startsWith("Arrow")) {
      const next = neighbour(event.key);
      if (next >= 0) {
        setActive(next);
        boxes.get(next)?.element.focus({ preventScroll: true });
        reveal(next);
        options.choose(next);
      }
    } else if (event.key === "Enter") options.open(active);
    else if (event.key === " ") options.choose(active);
    else if (event.key === "Escape") options.up();
    else if (event.key === "f") fit();
    else if (event.key === "0") zoom(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} index */
  function reveal(index) {
    const box = boxes.get(index);
    if (!box) return;
    const { x, y } = place(box);
    const at = { left: x * scale, top: y * scale, right: (x + box.width) * scale, bottom: (y + box.height) * scale };
    const { scrollLeft: left, scrollTop: top, clientWidth: width, clientHeight: height } = viewport;
    if (at.left < left || at.right > left + width) {
      viewport.scrollLeft = (at.left + at.right - width) / 2;
    }
    if (at.top < top || at.bottom > top + height) {
      viewport.scrollTop = (at.top + at.bottom - height) / 2;
    }
  }

  /**
   * Marks what is chosen and what belongs to it elsewhere.
   * @param {number} index
   * @param {(index: number) => boolean} isEcho
   */
  function mark(index, isEcho) {
    const isNew = index !== chosen;
    chosen = boxes.has(index) ? index : -1;
    for (const box of boxes.values()) {
      box.element.classList.toggle("fc-on", box.index === chosen);
      box.element.classList.toggle("fc-echo", isEcho(box.index));
      box.element.setAttribute("aria-pressed", String(box.index === chosen));
    }
    for (const { path, tail, head } of edges) {
      path.classList.toggle("fc-on", chosen >= 0 && (tail === chosen || head === chosen));
    }
    if (chosen >= 0 && isNew) {
      setActive(chosen);
      if (focused) layOut();
      reveal(chosen);
    }
  }

  // --- search --------------------------------------------------------------------------------

  function onSearch() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits = [];
    for (const box of boxes.values()) {
      const text = options.describe(box.index).toLowerCase();
      const isHit = words.length > 0 && words.every((word) => text.includes(word));
      if (isHit) hits.push(box.index);
      box.element.classList.toggle("fc-hit", isHit);
    }
    fill(found, words.length ? count(hits.length, "match", "matches") : "");
  }

  /** @param {KeyboardEvent} event */
  function onSearchKey(event) {
    if (event.key === "Enter" && hits.length) {
      const next = hits[(hits.indexOf(chosen) + (event.shiftKey ? hits.length - 1 : 1)) % hits.length];
      options.choose(next);
      reveal(next);
    } else if (event.key === "Escape" && search.value) {
      search.value = "";
      onSearch();
    } else if (event.key === "ArrowDown") boxes.get(active)?.element.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // --- focus view ----------------------------------------------------------------------------

  /** @param {boolean} on */
  function setFocus(on) {
    focused = on;
    focusButton.setAttribute("aria-pressed", String(on));
    if (on && chosen < 0) chosen = active;
    layOut();
    reveal(chosen);
  }

  /** The boxes near the chosen one, nearest first. */
  function neighbourhood() {
    const near = new Set([chosen]);
    let rim = [chosen];
    for (let hop = 0; hop < HOPS; hop++) {
      /** @type {number[]} */
      const next = [];
      for (const index of rim) {
        const box = boxes.get(index);
        for (const other of [...(box?.in ?? []), ...(box?.out ?? [])]) {
          if (near.has(other) || near.size >= MOST) continue;
          near.add(other);
          next.push(other);
        }
      }
      rim = next;
    }
    return near;
  }

  /**
   * All boxes where Python placed them; or, focused, the near ones, their ranks closed up. Ranks
   * and order stay as they are, so the eye finds its way back.
   */
  function layOut() {
    if (!svg) return;
    const near = focused && chosen >= 0 ? neighbourhood() : undefined;
    const shown = [...boxes.values()].filter((box) => !near || near.has(box.index));
    const ranks = [...new Set(shown.map((box) => box.y))].sort((a, b) => a - b);
    const left = Math.min(...shown.map((box) => box.x));
    for (const box of boxes.values()) {
      box.element.style.display = near && !near.has(box.index) ? "none" : "";
      const x = near ? box.x - left + 12 : box.x;
      const y = near ? ranks.indexOf(box.y) * STEP + 12 : box.y;
      box.element.setAttribute("transform", `translate(${x},${y})`);
    }
    for (const edge of edges) {
      const isShown = !near || (near.has(edge.tail) && near.has(edge.head));
      edge.path.style.display = isShown ? "" : "none";
      if (isShown) edge.path.setAttribute("d", near ? straight(edge.tail, edge.head) : edge.d);
    }
    extent = whole;
    if (near) {
      const right = Math.max(...shown.map((box) => box.x + box.width));
      extent = { width: right - left + 60, height: ranks.length * STEP };
    }
    resize();
  }

  /**
   * An edge of the focus view; one that skips ranks swings out to the right of what lies between.
   * @param {number} tail
   * @param {number} head
   */
  function straight(tail, head) {
    const a = /** @type {Box} */ (boxes.get(tail));
    const b = /** @type {Box} */ (boxes.get(head));
    const from = place(a);
    const to = place(b);
    const [y1, y2] = [from.y + a.height, to.y];
    const isLong = y2 - y1 > STEP;
    const [x1, x2] = isLong
      ? [from.x + a.width * 0.8, to.x + b.width * 0.8]
      : [from.x + a.width / 2, to.x + b.width / 2];
    const out = Math.max(x1, x2) + 50;
    const bend = isLong ? `${out} ${y1 + 40} ${out} ${y2 - 40}` : `${x1} ${y1 + 17} ${x2} ${y2 - 17}`;
    return `M${x1} ${y1}C${bend} ${x2} ${y2}M${x2 - 4} ${y2 - 6}l4 6l4 -6`;
  }

  return {
    element, load, mark, setFocus, fit, zoom, reveal,
    focusSearch: () => search.focus(),
    focus: () => boxes.get(active)?.element.focus({ preventScroll: true }),
    size: () => boxes.size,
  };
}
