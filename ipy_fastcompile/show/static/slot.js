// @ts-check
// A place that shows content by key, with a face for every state it may be in.

import { button, face, fill, h } from "./dom.js";
import { NoKernel, Superseded } from "./host.js";

// Key repeat walks faster than content comes: wait for the walk to end.
const DEBOUNCE = 50;
const LATE = 200;

/**
 * @param {import("./context.js").Context} ctx
 * @param {string} label what is loaded, for the reader who waits
 */
export function makeSlot(ctx, label) {
  const body = h("div", { class: "fc-slotbody" });
  const notice = h("div", { class: "fc-notice", role: "status" });
  const element = h("div", { class: "fc-slotbox" }, notice, body);
  /** @type {AbortController | undefined} */
  let current;

  /**
   * Shows what `draw` makes of the content; the last call wins.
   * @param {string} key
   * @param {(content: any) => Node | (Node | null)[] | void} draw
   */
  function show(key, draw) {
    current?.abort();
    const control = new AbortController();
    current = control;
    const ready = ctx.host.peek(key);
    if (ready !== undefined) put(draw(ready));
    else setTimeout(() => void load(key, draw, control), DEBOUNCE);
  }

  /** @param {Node | (Node | null)[] | void} drawn */
  function put(drawn) {
    fill(notice);
    element.classList.remove("fc-waiting");
    if (drawn) fill(body, ...(Array.isArray(drawn) ? drawn : [drawn]));
  }

  /**
   * @param {string} key
   * @param {(content: any) => Node | (Node | null)[] | void} draw
   * @param {AbortController} control
   */
  async function load(key, draw, control) {
    if (control.signal.aborted) return;
    const began = performance.now();
    const tick = () => {
      const passed = Math.round((performance.now() - began) / 1000);
      element.classList.add("fc-waiting");
      fill(notice, `Loading ${label} …${passed ? ` ${passed} s` : ""}`);
    };
    const late = setTimeout(tick, LATE);
    const clock = setInterval(tick, 1000);
    try {
      const content = await ctx.host.ask(key, control.signal);
      if (!control.signal.aborted) put(draw(content));
    } catch (error) {
      if (error instanceof Superseded || control.signal.aborted) return;
      const again = button("Try again", () => show(key, draw));
      if (error instanceof NoKernel) {
        // What was shown stays: it is the last thing that was true.
        const saved = body.hasChildNodes() ? "Showing the saved view. " : "";
        fill(notice, `${error.message} ${saved}`, again);
      } else {
        fill(notice);
        fill(body, face(`Cannot show ${label}`, /** @type {Error} */ (error).message, again));
      }
    } finally {
      clearTimeout(late);
      clearInterval(clock);
    }
  }

  return {
    element,
    show,
    /** @param {...Node} nodes */
    put: (...nodes) => {
      current?.abort();
      put(nodes);
    },
    close: () => current?.abort(),
  };
}

/**
 * A part of the details that shows what was recorded of a kernel, or why nothing was.
 * @param {import("./context.js").Context} ctx
 * @param {string} label what was recorded
 * @param {string} key
 * @param {(content: any) => {element: HTMLElement, focus(): void, close(): void}} draw
 * @returns {import("./detail.js").Part}
 */
export function makeRecorded(ctx, label, key, draw) {
  const slot = makeSlot(ctx, label);
  /** @type {ReturnType<typeof draw> | undefined} */
  let drawn;
  slot.show(key, (content) => {
    if (content.why) return face(`No ${label} recorded`, content.why);
    drawn = draw(content);
    return drawn.element;
  });
  return {
    element: slot.element,
    focus: () => drawn?.focus(),
    close() {
      drawn?.close();
      slot.close();
    },
  };
}
