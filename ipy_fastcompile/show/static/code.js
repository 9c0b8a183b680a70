// @ts-check
// Code in windows of lines; beside the execution code its margin: live bytes, what a `del` frees,
// the peak, run time. Every line is a row: it can be reached, chosen and followed.

import { button, bytes, count, face, fill, h, seconds } from "./dom.js";
import { makeFolds } from "./folds.js";
import { Superseded } from "./host.js";
import { makeRows } from "./rows.js";
import { makeSilhouette } from "./silhouette.js";

const CLASSES = ["", "comment", "keyword", "string", "number", "name", "builtin"];

/**
 * @typedef {{total: number, start: number, text: string[], runs: number[][], kind?: string[],
 *   submodule?: number[], node?: any[], source?: number[], live?: number[], most?: number[],
 *   liveText?: string[],
 *   freed?: number[], frees?: string[], peak?: boolean[], seconds?: (number | null)[],
 *   folds?: [number, number, string][], sign?: string[]}} CodeWindow
 */

/**
 * The runs of a line as elements; the text is never markup.
 * @param {string} text
 * @param {number[]} runs
 */
function colored(text, runs) {
  const line = h("code", { class: "fc-code" });
  let at = 0;
  for (let n = 0; n < runs.length; n += 2) {
    const piece = text.slice(at, at + runs[n]);
    const kind = CLASSES[runs[n + 1]];
    line.append(kind ? h("span", { class: `fc-t-${kind}` }, piece) : piece);
    at += runs[n];
  }
  line.append(text.slice(at) || (runs.length ? "" : " "));
  return line;
}

/**
 * @param {import("./context.js").Context} ctx
 * @param {{document: string, label: string, margin?: boolean, note?: string,
 *   first?: number}} options
 */
export function makeCode(ctx, options) {
  const { host, store, data } = ctx;
  const size = data.window;
  /** @type {Map<number, CodeWindow>} */
  const windows = new Map();
  /** @type {Set<number>} */
  const asked = new Set();
  const stop = new AbortController();
  const folds = makeFolds();
  let longest = 0;
  const view = makeRows({
    role: "grid",
    label: options.label,
    count: 0,
    draw,
    choose: (row) => choose(folds.at(row).line),
    open: (row) => open(row),
    key: onKey,
    seen: (first, last) => {
      for (let row = first; row <= last; row++) need(folds.at(row).line);
    },
  });
  view.element.classList.add("fc-codeview");
  const message = h("div", { class: "fc-slot" });
  const marginHead = options.margin
    ? h(
        "div",
        { class: "fc-marginhead", "aria-hidden": "true" },
        h("span", { class: "fc-m-live" }, "live bytes"),
        data.profiled ? h("span", { class: "fc-m-time" }, "run time") : null,
        h("span", { class: "fc-m-line" }, "line"),
      )
    : null;
  const silhouette = options.margin ? makeSilhouette(ctx, (line) => show(line)) : null;
  const element = h(
    "div",
    { class: "fc-codepane" },
    tools(),
    message,
    marginHead,
    h("div", { class: "fc-codebox" }, view.element, silhouette?.element),
  );

  function tools() {
    const bar = h("div", { class: "fc-tools" });
    if (options.margin && data.peakLine > 0) {
      const text = `▲ Peak ${bytes(data.peak)}, line ${data.peakLine}`;
      bar.append(button(text, () => show(data.peakLine - 1, true), { title: "Go to the peak of live bytes" }));
    }
    bar.append(button("Copy all", copy, { title: "Copy the whole text" }));
    if (options.note) bar.append(h("span", { class: "fc-fine" }, options.note));
    return bar;
  }

  async function copy() {
    try {
      const { text } = await ctx.host.ask(`text:${options.document}`);
      await navigator.clipboard.writeText(text);
      ctx.say(`Copied ${count(text.split("\n").length, "line")}.`);
    } catch (error) {
      ctx.say(`Not copied: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @param {number} index */
  const at = (index) => {
    const part = windows.get(Math.floor(index / size));
    return part ? { part, n: index - part.start } : undefined;
  };

  /** @param {number} line */
  function need(line) {
    const number = Math.floor(line / size);
    if (!asked.has(number)) load(number);
  }

  /** @param {number} number */
  async function load(number) {
    asked.add(number);
    const key = `code:${options.document}:${number}`;
    const late = setTimeout(() => {
      if (!windows.size) fill(message, h("p", { class: "fc-loading", role: "status" }, `Loading ${options.label} …`));
    }, 200);
    try {
      receive(number, host.peek(key) ?? (await host.ask(key, stop.signal)));
      fill(message);
    } catch (error) {
      asked.delete(number);
      if (error instanceof Superseded) return;
      const again = button("Try again", () => load(number));
      fill(message, face("No code to show", /** @type {Error} */ (error).message, again));
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * @param {number} number
   * @param {CodeWindow} part
   */
  function receive(number, part) {
    const isFirst = windows.size === 0;
    windows.set(number, part);
    longest = Math.max(longest, ...part.text.map((text) => text.length));
    view.setWidth(`calc(${Math.min(longest, 4100)}ch + ${options.margin ? 17 : 5}em)`);
    if (isFirst) {
      folds.load(part.total, part.folds ?? []);
      view.setCount(folds.count());
      const wanted = folds.rowOf(firstLine());
      if (wanted > 0) {
        view.setActive(wanted);
        view.reveal(wanted);
      }
    }
    view.redraw();
  }

  function firstLine() {
    const { submodule } = store.get();
    const first = options.margin && submodule >= 0 ? data.submodules.first[submodule] : 0;
    return first > 0 ? first - 1 : (options.first ?? 0);
  }

  /** @param {import("./folds.js").Fold} fold */
  function toggle(fold) {
    fold.isOpen = !fold.isOpen;
    view.setCount(folds.count());
    view.move(folds.headOf(fold));
    ctx.say(`${fold.isOpen ? "Unfolded" : "Folded"} ${fold.label}`);
  }

  /** @param {number} row */
  function open(row) {
    const { line, fold } = folds.at(row);
    if (fold) toggle(fold);
    else choose(line, true);
  }

  /** @param {KeyboardEvent} event @param {number} row */
  function onKey(event, row) {
    const { fold } = folds.at(row);
    if (!fold || event.key !== (fold.isOpen ? "ArrowLeft" : "ArrowRight")) return false;
    toggle(fold);
    return true;
  }

  /** @param {import("./folds.js").Fold} fold @param {HTMLElement} row */
  function drawFold(fold, row) {
    const words = `${fold.isOpen ? "▾" : "▸"} ${fold.label}`;
    const act = button(words, () => toggle(fold), { class: "fc-codefold", tabindex: -1, "aria-expanded": String(fold.isOpen) });
    row.className = "fc-row fc-fold";
    row.removeAttribute("aria-selected");
    fill(row, h("div", { role: "gridcell" }, act));
  }

  /**
   * @param {number} number
   * @param {HTMLElement} row
   */
  function draw(number, row) {
    const { line: index, fold } = folds.at(number);
    if (fold) {
      drawFold(fold, row);
      return;
    }
    const here = at(index);
    if (!here) {
      row.className = "fc-row";
      fill(row, h("div", { role: "gridcell", class: "fc-skeleton" }, " "));
      return;
    }
    const { part, n } = here;
    const state = store.get();
    const isOn = isChosen(part, n, index, state);
    row.className = `fc-row${isOn ? " fc-on" : isLit(part, n, state) ? " fc-lit" : ""}${isEcho(part, n, state) ? " fc-echo" : ""}`;
    row.setAttribute("aria-selected", String(isOn));
    const place = h("div", { role: "gridcell", class: "fc-m-line" }, String(index + 1));
    const code = h("div", { role: "gridcell", class: "fc-m-code" }, colored(part.text[n], part.runs[n]));
    const sign = part.sign?.[n];
    if (sign === "+") row.classList.add("fc-added");
    if (sign === "-") row.classList.add("fc-removed");
    if (sign) code.prepend(h("code", { class: "fc-code" }, `${sign} `));
    const cells = options.margin ? [...margin(part, n), place, code] : [place, code];
    fill(row, ...cells);
  }

  /**
   * @param {CodeWindow} part
   * @param {number} n
   */
  function margin(part, n) {
    const live = part.live?.[n] ?? 0;
    const freed = part.freed?.[n] ?? 0;
    const most = part.most?.[n] ?? live;
    const share = (/** @type {number} */ size) => ({ width: `${data.peak ? (100 * size) / data.peak : 0}%` });
    const expression = part.liveText?.[n];
    const title = live || most
      ? `${bytes(live)} alive after this line${expression ? ` = ${expression}` : ""}` +
        (most > live ? `; ${bytes(most)} at most while it runs` : "") +
        (freed ? `; frees ${bytes(freed)}: ${part.frees?.[n]}` : "")
      : "";
    const mark = part.peak?.[n] ? "▲ " : freed ? "▽ " : "";
    const cells = [
      h(
        "div",
        { role: "gridcell", class: `fc-m-live${part.peak?.[n] ? " fc-peak" : freed ? " fc-freed" : ""}`, title },
        most > live ? h("span", { class: "fc-mostbar", style: share(most) }) : null,
        h("span", { class: "fc-livebar", style: share(live) }),
        h("span", { class: "fc-livetext" }, live || freed ? mark + bytes(part.peak?.[n] ? most : live) : ""),
      ),
    ];
    if (data.profiled) {
      const time = part.seconds?.[n];
      const heat = time && data.slowest ? Math.round((time / data.slowest) * 100) : 0;
      cells.push(
        h(
          "div",
          { role: "gridcell", class: "fc-m-time", title: time ? `median of one call: ${seconds(time)}` : "" },
          heat ? h("span", { class: "fc-heat", style: { width: `${heat}%` } }) : null,
          h("span", { class: "fc-livetext" }, seconds(time)),
        ),
      );
    }
    return cells;
  }

  /**
   * @param {CodeWindow} part @param {number} n @param {number} index
   * @param {import("./store.js").State} state
   */
  function isChosen(part, n, index, state) {
    if (options.margin) return state.line === index + 1;
    if (options.document.startsWith("fx:")) return state.node >= 0 && part.node?.[n] === state.node;
    return false;
  }

  /** @param {CodeWindow} part @param {number} n @param {import("./store.js").State} state */
  function isLit(part, n, state) {
    return options.margin && state.submodule >= 0 && part.submodule?.[n] === state.submodule;
  }

  /** @param {CodeWindow} part @param {number} n @param {import("./store.js").State} state */
  function isEcho(part, n, state) {
    return state.source >= 0 && ctx.sourceOf(options.document, part, n) === state.source;
  }

  /**
   * @param {number} index
   * @param {boolean} [open]
   */
  function choose(index, open = false) {
    const here = at(index);
    if (!here) return;
    const { part, n } = here;
    if (options.margin) {
      ctx.chooseLine(index + 1, part.submodule?.[n] ?? -1, part.node?.[n] ?? "", part.source?.[n] ?? -1, open);
    } else if (options.document.startsWith("fx:") && part.node && part.node[n] >= 0) {
      ctx.chooseNode(part.node[n]);
    } else if (part.source && part.source[n] >= 0) {
      ctx.chooseSource(part.source[n]);
    }
  }

  /**
   * @param {number} index
   * @param {boolean} [focus]
   */
  function show(index, focus = false) {
    need(index);
    const fold = folds.over(index);
    if (fold) {
      fold.isOpen = true;
      view.setCount(folds.count());
    }
    const row = folds.rowOf(index);
    if (focus) view.move(row);
    else {
      view.setActive(row);
      view.reveal(row);
    }
  }

  /** @param {import("./store.js").State} state @param {Set<string>} changed */
  function onChange(state, changed) {
    if (!["submodule", "node", "source", "line"].some((name) => changed.has(name))) return;
    if (options.margin && changed.has("line") && state.line > 0) show(state.line - 1);
    else if (options.margin && changed.has("submodule") && state.submodule >= 0) show(firstLine());
    else if (!options.margin && (changed.has("node") || changed.has("source"))) {
      const index = firstMatch(state);
      if (index >= 0) show(index);
    }
    view.redraw();
    silhouette?.mark(state);
  }

  /** The first line that is chosen, or of the chosen source line; one in sight before a folded one.
   * @param {import("./store.js").State} state */
  function firstMatch(state) {
    const all = [...windows.values()].flatMap((part) => part.text.map((_, n) => ({ part, n, line: part.start + n })));
    const echoes = all.filter(({ part, n }) => isEcho(part, n, state));
    const first = all.find(({ part, n, line }) => isChosen(part, n, line, state)) ?? echoes.find(({ line }) => !folds.over(line)) ?? echoes[0];
    return first ? first.line : -1;
  }

  const start = Math.floor(Math.max(firstLine(), 0) / size);
  load(start);
  const unlisten = store.listen(onChange);
  return {
    element,
    focus: () => view.focus(),
    close() {
      stop.abort();
      unlisten();
      view.close();
      silhouette?.close();
    },
  };
}
