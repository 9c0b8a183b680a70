// @ts-check
// What is in a submodule and in the artifact, as tables: inputs and outputs, kernel, twins, binaries.

import { button, bytes, count, h, kernelBadge, seconds } from "./dom.js";
import { makeSlot } from "./slot.js";

/**
 * What `submodule_content.py` answers. A value is its name, type, stride, device, bytes as an
 * expression and at the example sizes, the submodule it comes from or -1, and as what.
 * @typedef {[name: string, type: string, stride: string, device: string, size: string, bytes: number,
 *   producer: number, kind: "" | "submodule" | "weight" | "input"]} ValueRow
 * @typedef {{index: number, digest: string, native: boolean, why: string, sizeText: string,
 *   seconds: number, near: string, ops: string[], binaries: [string, string, number][]}} KernelFacts
 * @typedef {{name: string, inputs: ValueRow[], outputs: ValueRow[], twins: number[],
 *   kernel: KernelFacts | null}} SubmoduleContent
 * @typedef {import("./detail.js").Part} Part
 */

/**
 * @param {string} caption
 * @param {string[]} heads
 * @param {(string | Node)[][]} rows
 */
function makeTable(caption, heads, rows) {
  return h(
    "table",
    { class: "fc-table" },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, cell))))),
  );
}

/**
 * @param {import("./context.js").Context} ctx
 * @param {number} submodule
 * @returns {Part}
 */
export function makeValues(ctx, submodule) {
  const slot = makeSlot(ctx, "inputs and outputs");
  slot.show(`sub:${submodule}`, (/** @type {SubmoduleContent} */ content) => {
    const origin = (/** @type {ValueRow} */ [, , , , , , producer, kind]) => {
      if (producer < 0) return { weight: "the model", input: "the caller", submodule: "", "": "" }[kind];
      return button(ctx.data.submodules.name[producer], () => ctx.chooseSubmodule(producer), { class: "fc-chip" });
    };
    const start = (/** @type {ValueRow} */ [name, type]) => [h("code", {}, name), h("code", {}, type)];
    const end = (/** @type {ValueRow} */ [, , stride, device, size, example]) => {
      const formula = size === String(example) || size === "0" ? "" : ` = ${size}`;
      return [example ? bytes(example) + formula : "view or number", stride ? `(${stride})` : "", device];
    };
    const heads = ["bytes", "stride", "device"];
    return h(
      "div",
      { class: "fc-scroll", tabindex: 0, role: "region", "aria-label": "Inputs and outputs" },
      makeTable(`${content.name}: ${count(content.inputs.length, "input")}`, ["name", "value", "from", ...heads], content.inputs.map((value) => [...start(value), origin(value), ...end(value)])),
      makeTable(count(content.outputs.length, "output"), ["name", "value", ...heads], content.outputs.map((value) => [...start(value), ...end(value)])),
    );
  });
  return { element: slot.element, close: slot.close };
}

/**
 * The file, and of the chosen submodule its kernel, its twins and what it nearly shares.
 * @param {import("./context.js").Context} ctx
 * @param {number} submodule
 * @returns {Part}
 */
export function makeArtifact(ctx, submodule) {
  const { data } = ctx;
  const slot = makeSlot(ctx, "artifact");
  /** @param {[string, string | Node][]} facts */
  const list = (facts) =>
    h("dl", { class: "fc-facts" }, ...facts.flatMap(([term, text]) => [h("dt", {}, term), h("dd", {}, text)]));

  /** @param {KernelFacts | null} kernel */
  function kernelPart(kernel) {
    if (!kernel) {
      const refused = data.submodules.refused[submodule];
      return list([["kernel", refused ? `none: not compiled, ${refused}` : "none: it is inlined as plain FX code"]]);
    }
    const badge = data.kernels[kernel.index];
    /** @type {[string, string | Node][]} */
    const facts = [
      ["kernel", kernelBadge(badge)],
      ["digest", h("code", {}, kernel.digest)],
      ...elsewhere(badge.also),
      ["reloads as", kernel.native ? "native: from bundled binaries alone" : `torch: ${kernel.why || "no native form"}`],
      ["size", kernel.sizeText],
      ["compiled in", seconds(kernel.seconds)],
      ["ops it calls", kernel.ops.join(", ") || "none"],
    ];
    return h(
      "div",
      {},
      list(facts),
      kernel.near
        ? h(
            "div",
            { class: "fc-near", role: "note" },
            h("strong", {}, "Near-twin. "),
            `${kernel.near} Sharing a kernel would have saved ${seconds(kernel.seconds)} and ${kernel.sizeText}.`,
          )
        : null,
      makeTable("Binaries", ["name", "sha256", "size"], kernel.binaries.map(([name, sha, size]) => [name, h("code", {}, `${sha.slice(0, 16)}…`), bytes(size)])),
    );
  }

  /** @param {string} also @returns {[string, string][]} */
  const elsewhere = (also) => (also ? [["shared", also]] : []);

  /** @param {number[]} twins */
  function twinPart(twins) {
    const box = h("div", { class: "fc-chips" });
    for (const twin of twins.slice(0, 200)) {
      const isThis = twin === submodule;
      box.append(button(data.submodules.name[twin], () => ctx.chooseSubmodule(twin), { class: "fc-chip", "aria-current": isThis ? "true" : null }));
    }
    if (twins.length > 200) box.append(h("span", { class: "fc-fine" }, `and ${count(twins.length - 200)} more`));
    const title = twins.length > 1 ? `${count(twins.length)} twins share it` : "It has no twin";
    return h("div", {}, h("h3", { class: "fc-heading" }, title), twins.length > 1 ? box : null);
  }

  const kernels = makeTable(
    data.programs.length ? "All kernels of this program" : "All kernels",
    ["kernel", "submodules", "size", "compiled in", "reloads as", "near-twin", ...(data.programs.length ? ["shared"] : [])],
    data.kernels.map((kernel) => [kernelBadge(kernel), count(kernel.count), bytes(kernel.size), seconds(kernel.seconds), kernel.native ? "native" : `torch: ${kernel.why}`, kernel.near, ...(data.programs.length ? [kernel.also] : [])]),
  );
  const whole = h("div", {}, h("h3", { class: "fc-heading" }, "Artifact"), list(data.artifact.length ? data.artifact : [["artifact", "not saved: use --save or compiled.save(path)"]]), kernels);
  const region = (/** @type {Node[]} */ ...parts) =>
    h("div", { class: "fc-scroll", tabindex: 0, role: "region", "aria-label": "Artifact" }, ...parts);
  if (submodule < 0) slot.put(region(whole));
  else {
    slot.show(`sub:${submodule}`, (/** @type {SubmoduleContent} */ content) =>
      region(h("h3", { class: "fc-heading" }, content.name), kernelPart(content.kernel), twinPart(content.twins), whole),
    );
  }
  return { element: slot.element, close: slot.close };
}
