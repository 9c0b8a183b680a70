// @ts-check
// The focus view: what is near a chosen box, its ranks closed up.

// What is at most this many edges away, and no more boxes than that.
const HOPS = 3;
const MOST = 40;
const STEP = 76;

/**
 * `x` and `y` are where Python placed the box, `now` is where it stands.
 * @typedef {{element: SVGGElement, x: number, y: number, width: number, height: number,
 *   now: {x: number, y: number}, index: number, out: number[], in: number[]}} Box
 * @typedef {{path: SVGPathElement, tail: number, head: number, d: string}} Edge
 */

/**
 * The boxes near a chosen one, nearest first.
 * @param {Map<number, Box>} boxes
 * @param {number} chosen
 */
export function neighbourhood(boxes, chosen) {
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
 * Puts all boxes where Python placed them; or, with `near`, those alone, their ranks closed up.
 * Ranks and order stay as they are, so the eye finds its way back.
 * @param {Map<number, Box>} boxes
 * @param {Edge[]} edges
 * @param {Set<number> | undefined} near
 * @returns the size of what is shown, undefined where that is the whole drawing
 */
export function layOut(boxes, edges, near) {
  const shown = [...boxes.values()].filter((box) => !near || near.has(box.index));
  const ranks = [...new Set(shown.map((box) => box.y))].sort((a, b) => a - b);
  const left = Math.min(...shown.map((box) => box.x));
  for (const box of boxes.values()) {
    box.element.style.display = near && !near.has(box.index) ? "none" : "";
    box.now = near ? { x: box.x - left + 12, y: ranks.indexOf(box.y) * STEP + 12 } : { x: box.x, y: box.y };
    box.element.setAttribute("transform", `translate(${box.now.x},${box.now.y})`);
  }
  for (const edge of edges) {
    const [tail, head] = [boxes.get(edge.tail), boxes.get(edge.head)];
    const isShown = !near || (near.has(edge.tail) && near.has(edge.head));
    edge.path.style.display = isShown ? "" : "none";
    if (isShown) edge.path.setAttribute("d", near && tail && head ? straight(tail, head) : edge.d);
  }
  if (!near) return undefined;
  const right = Math.max(...shown.map((box) => box.x + box.width));
  return { width: right - left + 60, height: ranks.length * STEP };
}

/**
 * An edge of the focus view; one that skips ranks swings out to the right of what lies between.
 * @param {Box} tail
 * @param {Box} head
 */
function straight(tail, head) {
  const [from, to] = [tail.now, head.now];
  const [y1, y2] = [from.y + tail.height, to.y];
  const isLong = y2 - y1 > STEP;
  const [x1, x2] = isLong
    ? [from.x + tail.width * 0.8, to.x + head.width * 0.8]
    : [from.x + tail.width / 2, to.x + head.width / 2];
  const out = Math.max(x1, x2) + 50;
  const bend = isLong ? `${out} ${y1 + 40} ${out} ${y2 - 40}` : `${x1} ${y1 + 17} ${x2} ${y2 - 17}`;
  return `M${x1} ${y1}C${bend} ${x2} ${y2}M${x2 - 4} ${y2 - 6}l4 6l4 -6`;
}
