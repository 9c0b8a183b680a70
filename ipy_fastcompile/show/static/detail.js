// @ts-check
// Right: code in all its forms, source lines, and what `tables.js` shows.

import { makeCode } from "./code.js";
import { button, count, face, fill, h, kernelBadge } from "./dom.js";
import { makeFusion } from "./fusion.js";
import { makePasses } from "./passes.js";
import { makeSlot } from "./slot.js";
import { makeArtifact, makeValues } from "./tables.js";
import { makeTabs } from "./tabs.js";

/** @typedef {{element: HTMLElement, close?: () => void, focus?: () => void}} Part */

/** @param {import("./context.js").Context} ctx */
export function makeDetail(ctx) {
  const { data, store } = ctx;
  const tabs = makeTabs({
    label: "Details",
    tabs: [
      ["code", "Execution code"],
      ["fx", "FX graph"],
      ["passes", "Passes"],
      ["fusion", "Fusion"],
      ["output", "Output code"],
      ["kernels", "Kernels"],
      ["io", "In/out"],
      ["source", "Source"],
      ["artifact", "Artifact"],
    ],
    choose: (key) => store.change({ tab: key }),
  });
  const element = h("section", { class: "fc-pane fc-detail", "aria-label": "Details" }, tabs.element);
  // The execution code stays as it is scrolled; all else is made anew for another submodule.
  const code = makeCode(ctx, { document: "execution", label: "Execution code", margin: true, first: data.firstCall - 1 });
  const other = h("div", { class: "fc-other" });
  tabs.panel.append(code.element, other);
  /** @type {Part | undefined} */
  let part;
  let shown = "";
  let source = "";
  let timer = 0;

  function draw() {
    const { tab, submodule } = store.get();
    tabs.mark(tab);
    code.element.hidden = tab !== "code";
    other.hidden = tab === "code";
    const graph = submodule < 0 ? -1 : data.submodules.graph[submodule];
    const kernel = submodule < 0 ? -1 : data.submodules.kernel[submodule];
    const of = { fx: graph, passes: kernel, fusion: kernel, output: submodule, kernels: submodule, io: submodule, source: graph, artifact: submodule }[tab];
    const key = tab === "code" ? shown : `${tab} ${of}`;
    if (key === shown) return;
    shown = key;
    part?.close?.();
    part = make(tab, submodule, graph, kernel);
    fill(other, part.element);
  }

  /** @param {string} tab @param {number} submodule @param {number} graph @param {number} kernel @returns {Part} */
  function make(tab, submodule, graph, kernel) {
    if (tab === "artifact") return makeArtifact(ctx, submodule);
    if (submodule < 0) {
      return { element: face("No submodule chosen", "Choose a submodule, or a line of the execution code.") };
    }
    if (tab === "fx") return makeCode(ctx, { document: `fx:${graph}`, label: "FX graph", note: twinNote(submodule, graph) });
    if (tab === "io") return makeValues(ctx, submodule);
    if (tab === "source") return makeSource(ctx, graph);
    if (kernel < 0) {
      const lines = button("Show its lines", () => store.change({ tab: "code" }));
      const refused = data.submodules.refused[submodule];
      const text = refused
        ? `It runs as plain FX code in the execution code, because Inductor could not compile it: ${refused}`
        : "It is inlined in the execution code as plain FX code, because it is a splitting op.";
      return { element: face(`${data.submodules.name[submodule]} has no kernel`, text, lines) };
    }
    if (tab === "passes") return makePasses(ctx, kernel);
    if (tab === "fusion") return makeFusion(ctx, kernel);
    if (tab === "output") {
      return makeCode(ctx, {
        document: `output:${kernel}`,
        label: `Inductor output code of ${data.kernels[kernel].label}`,
        first: data.kernels[kernel].calls.output,
        note: `What Inductor generated for ${data.kernels[kernel].label}. A line that stems from a source line follows it.`,
      });
    }
    return makeSources(ctx, kernel, source, (name) => {
      source = name;
    });
  }

  /** @param {number} submodule @param {number} graph */
  function twinNote(submodule, graph) {
    const owner = data.submodules.graph.indexOf(graph);
    return owner === submodule ? "" : `Shared with its twins; the names are those of ${data.submodules.name[owner]}.`;
  }

  const unlisten = store.listen((_, changed) => {
    if (changed.has("tab")) draw();
    else if (changed.has("submodule")) {
      clearTimeout(timer);
      timer = window.setTimeout(draw, 50);
    }
  });
  draw();
  return {
    element,
    focus: () => (store.get().tab === "code" ? code.focus() : part?.focus?.()),
    close() {
      clearTimeout(timer);
      unlisten();
      code.close();
      part?.close?.();
    },
  };
}

/**
 * The kernels of a submodule: each C++ or Triton source, the ATen graph and the native code.
 * @param {import("./context.js").Context} ctx
 * @param {number} kernel
 * @param {string} last what was chosen before
 * @param {(name: string) => void} remember
 * @returns {Part}
 */
function makeSources(ctx, kernel, last, remember) {
  const { sources, label, calls } = ctx.data.kernels[kernel];
  /** @type {[string, string][]} */
  const choices = [
    ...sources.map(
      (/** @type {[string, string]} */ [name, language], /** @type {number} */ n) =>
        /** @type {[string, string]} */ ([`source:${kernel}:${n}`, `${name} (${language === "cpp" ? "C++" : "Triton"})`]),
    ),
    [`aten:${kernel}`, "ATen graph"],
    [`native:${kernel}`, "Native code: what the native path runs"],
  ];
  const box = h("div", { class: "fc-fill" });
  /** @type {ReturnType<typeof makeCode> | undefined} */
  let code;
  const select = /** @type {HTMLSelectElement} */ (
    h(
      "select",
      { class: "fc-input", "aria-label": `Sources of kernel ${label}`, onchange: () => show(select.value) },
      ...choices.map(([value, title]) => h("option", { value }, title)),
    )
  );

  /** @param {string} name */
  function show(name) {
    remember(name);
    code?.close();
    const title = choices.find(([value]) => value === name)?.[1] ?? name;
    code = makeCode(ctx, { document: name, label: title, first: name.startsWith("native:") ? calls.native : 0 });
    // The chooser cuts what is longer than it is; a kernel is named after all of its ops.
    fill(box, h("p", { class: "fc-note fc-wholename" }, h("code", {}, title)), code.element);
  }

  if (choices.some(([value]) => value === last)) select.value = last;
  show(select.value);
  const heading = h(
    "div",
    { class: "fc-tools" },
    kernelBadge(ctx.data.kernels[kernel]),
    select,
    h("span", { class: "fc-fine" }, sources.length ? count(sources.length, "kernel") : "only calls of library ops"),
  );
  return { element: h("div", { class: "fc-codepane" }, heading, box), close: () => code?.close(), focus: () => code?.focus() };
}

/**
 * The user's lines that this submodule was made from.
 * @param {import("./context.js").Context} ctx
 * @param {number} graph
 * @returns {Part}
 */
function makeSource(ctx, graph) {
  const slot = makeSlot(ctx, "source lines");
  /** @type {Map<number, HTMLElement>} */
  let lines = new Map();
  let told = -1;

  function mark() {
    const { source } = ctx.store.get();
    for (const [id, line] of lines) {
      line.classList.toggle("fc-on", id === source);
      line.setAttribute("aria-current", String(id === source));
    }
    if (source !== told) lines.get(source)?.scrollIntoView({ block: "nearest" });
    told = source;
  }

  slot.show(`graph:${graph}`, (content) => {
    slot.show("sources:", (/** @type {import("./context.js").SourceTable} */ table) => {
      const ids = [...new Set(/** @type {number[]} */ (content.source).filter((id) => id >= 0))];
      ids.sort((a, b) => table.file[a] - table.file[b] || table.line[a] - table.line[b]);
      lines = new Map();
      const box = h("div", { class: "fc-scroll", role: "region", tabindex: 0, "aria-label": "Source lines" });
      let heading = "";
      for (const id of ids) {
        const title = `${table.files[table.file[id]]} · ${table.function[id]}`;
        if (title !== heading) box.append(h("h3", { class: "fc-heading" }, title));
        heading = title;
        const n = content.source.filter((/** @type {number} */ other) => other === id).length;
        const line = h(
          "button",
          { type: "button", class: "fc-sourceline", onclick: () => ctx.chooseSource(id) },
          h("span", { class: "fc-m-line" }, String(table.line[id])),
          h("code", { class: "fc-code" }, table.text[id] || "(no text)"),
          h("span", { class: "fc-fine" }, count(n, "node")),
        );
        lines.set(id, line);
        box.append(line);
      }
      if (!ids.length) box.append(face("No source lines", "The nodes of this submodule carry no stack trace."));
      queueMicrotask(mark);
      return box;
    });
  });
  const unlisten = ctx.store.listen((_, changed) => {
    if (changed.has("source")) mark();
  });
  return {
    element: slot.element,
    close() {
      unlisten();
      slot.close();
    },
    focus: () => (lines.get(ctx.store.get().source) ?? [...lines.values()][0])?.focus(),
  };
}
