// @ts-check
// A drawing from Python, brought to life: choose, walk along edges, search, focus.

import { makeCamera } from "./camera.js";
import { button, count, fill, h, matcher, s } from "./dom.js";
import { layOut, neighbourhood } from "./near.js";

/**
 * @typedef {{label: string, describe: (index: number) => string,
 *   choose: (index: number) => void, open: (index: number) => void, up: () => void,
 *   canFocus: boolean, extras?: (Node | null)[]}} PictureOptions
 * @typedef {import("./near.js").Box} Box
 */

/** @param {PictureOptions} options */
export function makePicture(options) {
  /** @type {SVGSVGElement | undefined} */
  let svg;
  /** @type {Map<number, Box>} */
  let boxes = new Map();
  /** @type {import("./near.js").Edge[]} */
  let edges = [];
  let active = -1;
  let chosen = -1;
  let focused = false;
  let whole = { width: 0, height: 0 };
  /** @type {number[]} */
  let hits = [];

  const camera = makeCamera();
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
    camera.buttons,
  );
  const element = h("div", { class: "fc-picture" }, tools, camera.element);

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
    boxes = new Map();
    for (const element of /** @type {NodeListOf<SVGGElement>} */ (svg.querySelectorAll("[data-i]"))) {
      const index = Number(element.dataset.i);
      const [x, y] = (element.getAttribute("transform") ?? "").match(/-?\d+/g)?.map(Number) ?? [0, 0];
      const rect = element.querySelector("rect");
      const box = {
        element, x, y, now: { x, y }, index: targets[index], out: [], in: [],
        width: Number(rect?.getAttribute("width")), height: Number(rect?.getAttribute("height")),
      };
      element.setAttribute("role", "button");
      element.setAttribute("tabindex", "-1");
      element.setAttribute("aria-pressed", "false");
      element.setAttribute("aria-label", options.describe(box.index));
      element.append(s("title", {}, options.describe(box.index)));
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
    const begin = beginning();
    camera.open(svg, whole, begin);
    active = chosen = -1;
    focused = false;
    setActive(begin?.index ?? -1);
    onSearch();
  }

  /** The first box of the highest rank: a wide drawing has nothing at its corners. */
  function beginning() {
    const all = [...boxes.values()];
    const top = Math.min(...all.map(({ y }) => y));
    return all.find(({ y }) => y === top);
  }

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

  /**
   * Where an arrow key leads: down and up along edges, left and right within a rank.
   * @param {string} key
   */
  function neighbour(key) {
    const box = boxes.get(active);
    if (!box) return -1;
    const here = box.now;
    const near = (/** @type {Box[]} */ list) =>
      list
        .filter((other) => other && isShown(other))
        .sort((a, b) => Math.abs(a.now.x - here.x) - Math.abs(b.now.x - here.x))[0]?.index ?? -1;
    const at = (/** @type {number[]} */ indices) =>
      indices.flatMap((index) => boxes.get(index) ?? []);
    if (key === "ArrowDown") return near(at(box.out));
    if (key === "ArrowUp") return near(at(box.in));
    const sign = key === "ArrowLeft" ? -1 : 1;
    return near(
      [...boxes.values()].filter(
        ({ now }) => Math.abs(now.y - here.y) < box.height && Math.sign(now.x - here.x) === sign,
      ),
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
    else if (event.key === "f") camera.fit();
    else if (event.key === "0") camera.zoom(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} index */
  function reveal(index) {
    const box = boxes.get(index);
    if (box) camera.reveal({ ...box.now, width: box.width, height: box.height });
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
      if (focused) arrange();
      reveal(chosen);
    }
  }

  // --- search --------------------------------------------------------------------------------

  function onSearch() {
    const query = matcher(search.value);
    hits = [];
    for (const box of boxes.values()) {
      const isHit = !query.isEmpty && query.matches(options.describe(box.index));
      if (isHit) hits.push(box.index);
      box.element.classList.toggle("fc-hit", isHit);
    }
    fill(found, query.isEmpty ? "" : count(hits.length, "match", "matches"));
  }

  /** @param {KeyboardEvent} event */
  function onSearchKey(event) {
    if (event.key === "Enter" && hits.length) {
      const at = hits.indexOf(chosen);
      const before = at < 0 ? hits.length - 1 : at + hits.length - 1;
      const next = hits[(event.shiftKey ? before : at + 1) % hits.length];
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
    arrange();
    reveal(chosen);
  }

  function arrange() {
    if (!svg) return;
    const near = focused && chosen >= 0 ? neighbourhood(boxes, chosen) : undefined;
    camera.setExtent(layOut(boxes, edges, near) ?? whole);
  }

  return {
    element, load, mark, setFocus, fit: camera.fit, zoom: camera.zoom, close: camera.close,
    focusSearch: () => search.focus(),
    focus: () => boxes.get(active)?.element.focus({ preventScroll: true }),
  };
}
