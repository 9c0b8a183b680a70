// @ts-check
// The explorer: one view of a report. `render` draws all of it from the model and returns what
// takes it away again; nothing outlives a view, so any number of them can be open.

import { makeBar } from "./bar.js";
import { button, fill, h } from "./dom.js";
import { makeHost } from "./host.js";
import { makePrograms } from "./programs.js";
import { makeHelp, makeReload, makeStages } from "./reload.js";

/**
 * Whether the host shows light text on dark ground.
 * @param {Element} element
 */
function isDark(element) {
  const told = document.body.dataset.jpThemeLight;
  if (told) return told === "false";
  // VS Code, Colab and marimo, in this order.
  if (document.body.matches(".vscode-dark, .vscode-high-contrast:not(.vscode-high-contrast-light)")) return true;
  if (document.documentElement.matches("[theme=dark], [data-theme=dark]")) return true;
  for (let at = /** @type {Element | null} */ (element.parentElement); at; at = at.parentElement) {
    const [r, g, b, a = 1] = getComputedStyle(at).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    if (a > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 110;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * AFM's entry: https://anywidget.dev/en/afm/
 * @param {{model: import("./host.js").Model, el: HTMLElement}} view
 */
function render({ model, el }) {
  /** @type {import("./context.js").Data} */
  const data = model.get("data");
  const status = h("div", { class: "fc-status", role: "status", "aria-live": "polite" });
  const root = h("div", {
    class: "fc-root",
    role: "group",
    "aria-label": `Explorer of ${data.model}`,
    "data-lm-suppress-shortcuts": "true",
  });
  const host = makeHost(model, data.start);
  const programs = makePrograms(model, host, (text) => fill(status, text));
  // What belongs to the whole is kept in the first program's state.
  const whole = programs.first;
  const { store } = whole;
  const banner = h("div", { class: "fc-banner", role: "status", hidden: true });
  const drawer = h("div", { class: "fc-drawers" });
  const bar = makeBar(whole, { toggle: (panel) => store.change({ panel: store.get().panel === panel ? "" : panel }) });
  const reload = makeReload(whole);
  const help = makeHelp(data.programs.length > 0);
  const panels = /** @type {Record<string, HTMLElement>} */ ({ reload: reload.element, stages: makeStages(whole), help });
  fill(root, bar.element, banner, drawer, programs.element, status);

  store.listen((state, changed) => {
    if (!changed.has("panel")) return;
    bar.mark(state.panel);
    fill(drawer, panels[state.panel]);
  });

  host.watchConnection((connected) => {
    banner.hidden = connected;
    fill(banner, "Kernel not connected, or busy – showing the saved view. ", button("Try again", hello));
  });

  function hello() {
    host.ask(`hello:${Math.random()}`).catch(() => undefined);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const target = /** @type {Element} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = target.matches("input, select, textarea");
    const { ctx, list, middle } = programs.now();
    const inMiddle = middle.element.contains(target);
    if (event.key === "Escape") up(inMiddle);
    else if (isTyping) return;
    else if (event.key === "/") {
      if (inMiddle && ctx.store.get().view !== "split") middle.focusSearch();
      else list.focusFilter();
    }
    else if (event.key === "?") store.change({ panel: store.get().panel === "help" ? "" : "help" });
    else if (event.key === "[") step(-1);
    else if (event.key === "]") step(1);
    else if (event.key === "{") programs.step(-1);
    else if (event.key === "}") programs.step(1);
    else if (event.key === "f") middle.fit();
    else if (event.key === "0") middle.zoom(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {boolean} inMiddle */
  function up(inMiddle) {
    const { ctx, list, middle } = programs.now();
    if (store.get().panel) store.change({ panel: "" });
    else if (inMiddle && ctx.store.get().view !== "split") {
      middle.focusNext();
      ctx.store.change({ view: "split" });
    } else list.focus();
  }

  /** @param {number} by */
  function step(by) {
    const { ctx } = programs.now();
    const size = ctx.data.submodules.name.length;
    if (size) ctx.chooseSubmodule(Math.min(size - 1, Math.max(0, ctx.store.get().submodule + by)));
  }

  function theme() {
    root.dataset.theme = isDark(el) ? "dark" : "light";
  }

  /**
   * Keeps plain keys from JupyterLab, whose "d d" would delete the cell. Its shortcuts match the
   * focused element before they look further up, so that one must carry the attribute; and keys
   * with Ctrl, such as saving, stay JupyterLab's. It listens on the document, so this must be
   * asked earlier, on the window.
   * @param {KeyboardEvent} event
   */
  function guard(event) {
    const target = event.target;
    if (!(target instanceof Element) || !root.contains(target)) return;
    const ours = !event.ctrlKey && !event.metaKey && !event.altKey;
    for (const element of [root, target]) {
      if (ours) element.setAttribute("data-lm-suppress-shortcuts", "true");
      else element.removeAttribute("data-lm-suppress-shortcuts");
    }
  }

  window.addEventListener("keydown", guard, true);
  root.addEventListener("keydown", onKey);
  el.append(root);
  theme();
  const later = () => setTimeout(theme, 400);
  const observer = new MutationObserver(() => {
    theme();
    // A theme's style sheet may arrive after the attribute that names it.
    later();
  });
  for (const watched of [document.documentElement, document.body]) {
    observer.observe(watched, { attributes: true });
  }
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", theme);
  hello();

  return () => {
    observer.disconnect();
    window.removeEventListener("keydown", guard, true);
    scheme.removeEventListener("change", theme);
    for (const part of [bar, programs, reload]) part.close();
    host.close();
    root.remove();
  };
}

export default { render };
