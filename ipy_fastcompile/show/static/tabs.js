// @ts-check
// Tabs after the ARIA pattern: one of them in the tab order, arrows move and choose.

import { h } from "./dom.js";

/**
 * @param {{label: string, tabs: [string, string][], choose: (key: string) => void}} options
 */
export function makeTabs(options) {
  const panel = h("div", { class: "fc-panel", role: "tabpanel" });
  /** @type {Map<string, HTMLElement>} */
  const heads = new Map();
  for (const [key, title] of options.tabs) {
    const head = h("button", { type: "button", role: "tab", class: "fc-tab", tabindex: -1, "aria-selected": "false" }, title);
    head.dataset.tab = key;
    head.addEventListener("click", () => options.choose(key));
    heads.set(key, head);
  }
  const list = h("div", { role: "tablist", class: "fc-tabs", "aria-label": options.label }, ...heads.values());
  list.addEventListener("keydown", (event) => {
    const keys = [...heads.keys()];
    const at = keys.findIndex((key) => heads.get(key) === document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: keys.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    const key = keys[(next + keys.length) % keys.length];
    heads.get(key)?.focus();
    options.choose(key);
    event.preventDefault();
    event.stopPropagation();
  });
  return {
    element: h("div", { class: "fc-tabbox" }, list, panel),
    panel,
    /** @param {string} chosen */
    mark(chosen) {
      for (const [key, head] of heads) {
        head.setAttribute("aria-selected", String(key === chosen));
        head.setAttribute("tabindex", key === chosen ? "0" : "-1");
        if (key === chosen) panel.setAttribute("aria-label", head.textContent ?? "");
      }
    },
  };
}
