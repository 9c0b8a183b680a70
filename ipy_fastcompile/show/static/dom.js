// @ts-check
// Elements, text and numbers. Text enters the page through textContent alone, never as markup.

/**
 * An element with properties, listeners (on...) and children; strings become text.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/**
 * An element of a drawing.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Replaces all children.
 * @param {Element} element
 * @param {...(Node | string | null | undefined | false)} children
 */
export function fill(element, ...children) {
  element.replaceChildren(
    .../** @type {(Node | string)[]} */ (
      children.filter((c) => c !== null && c !== undefined && c !== false)
    ),
  );
}

/**
 * A button that says what it does.
 * @param {string} label
 * @param {() => void} act
 * @param {Record<string, any>} [props]
 */
export function button(label, act, props = {}) {
  return /** @type {HTMLButtonElement} */ (
    h("button", { type: "button", class: "fc-button", onclick: act, ...props }, label)
  );
}

/** @param {number} number */
function threeDigits(number) {
  return number >= 99.95 ? number.toFixed(0) : String(Number(number.toPrecision(3)));
}

/**
 * "812 kB", decimal units.
 * @param {number} size
 */
export function bytes(size) {
  let number = size;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (Math.abs(number) < 999.5) return `${threeDigits(number)} ${unit}`;
    number /= 1000;
  }
  return `${threeDigits(number)} TB`;
}

/**
 * "2.9 ms"; nothing for null.
 * @param {number | null | undefined} value
 */
export function seconds(value) {
  if (value === null || value === undefined) return "";
  for (const [factor, unit] of /** @type {[number, string][]} */ ([[1e6, "µs"], [1e3, "ms"]])) {
    if (Math.abs(value) * factor < 999.5) return `${threeDigits(value * factor)} ${unit}`;
  }
  return `${threeDigits(value)} s`;
}

/**
 * "5,657", or with a noun "1 node", "3 nodes".
 * @param {number} number
 * @param {string} [noun]
 * @param {string} [plural]
 */
export function count(number, noun = "", plural = `${noun}s`) {
  const text = number.toLocaleString("en-US");
  return noun ? `${text} ${number === 1 ? noun : plural}` : text;
}

/**
 * Whether a text holds every word of a query, in any order; an empty one is in every text.
 * @param {string} query
 */
export function matcher(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return {
    isEmpty: !words.length,
    /** @param {string} text */
    matches: (text) => words.every((word) => text.toLowerCase().includes(word)),
  };
}

/**
 * The mark of a kernel: colour, shape and label together, and a sign where other programs run it.
 * @param {{label: string, shape: string, slot: number, also: string}} badge
 */
export function kernelBadge(badge) {
  const slot = badge.slot < 0 ? "inline" : `k${badge.slot}`;
  const title = badge.also || null;
  return h("span", { class: `fc-badge fc-${slot}`, title }, `${badge.shape} ${badge.label}${badge.also && " ∩"}`);
}

/**
 * A face for a state without content: empty, error, too large, no kernel.
 * @param {string} title
 * @param {string} text
 * @param {...(Node | string | null | undefined | false)} more
 */
export function face(title, text, ...more) {
  return h("div", { class: "fc-face" }, h("strong", {}, title), h("p", {}, text), ...more);
}
