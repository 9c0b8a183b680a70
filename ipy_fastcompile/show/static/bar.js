// @ts-check
// On top: what was compiled, how long it took, how long it takes again.

import { button, count, fill, h, seconds } from "./dom.js";

/**
 * @param {import("./context.js").Context} ctx
 * @param {{toggle: (panel: string) => void}} options
 */
export function makeBar(ctx, options) {
  const { data, model } = ctx;
  const badges = h("span", { class: "fc-state" });
  const warm = h("div", { class: "fc-race" });
  // Of what somebody else compiled no times are known.
  const timed = data.canRerun || data.cold.stages.length > 0 || model.get("reloads").length > 0;
  const panels = timed ? [["reload", "Warm reload"], ["stages", "Stages"]] : [];
  const toggles = new Map(
    [...panels, ["help", "Keys ?"]].map(([key, title]) => [
      key,
      button(title, () => options.toggle(key), { "aria-expanded": "false" }),
    ]),
  );
  const facts = data.summary
    .filter(([label]) => label !== "cold" && label !== "warm")
    .map(([label, text]) => {
      // "161 submodules", "724 parameters (16 MB)", but "artifact 813 kB".
      const [, number, rest = ""] = text.match(/^([\d,]+)( \(.*\))?$/) ?? [];
      const tone = label === "call" && data.lost ? " fc-lost" : "";
      if (!number) return h("span", { class: `fc-fact${tone}` }, `${label} `, h("b", {}, text));
      return h("span", { class: "fc-fact" }, h("b", {}, number), ` ${number === "1" ? label.replace(/s$/, "") : label}${rest}`);
    });
  const head = h("div", { class: "fc-title" }, h("strong", { class: "fc-model" }, data.model), ...facts, badges);
  const element = h(
    "div",
    { class: "fc-bar" },
    head,
    h("div", { class: "fc-under" }, warm, h("div", { class: "fc-tools" }, ...toggles.values())),
  );

  function drawState() {
    const parts = [];
    for (const note of data.notes.slice(0, 2)) {
      parts.push(h("span", { class: "fc-pill fc-warn", title: note }, note));
    }
    if (data.notes.length > 2) {
      parts.push(h("span", { class: "fc-pill fc-warn", title: data.notes.join("\n") }, `${data.notes.length - 2} more notes`));
    }
    if (data.cache) {
      const why = data.why.length ? `: ${data.why.join("; ")}` : "";
      parts.push(h("span", { class: "fc-pill", title: `cache ${data.cache}${why}` }, `cache ${data.cache}${data.why.length ? `: ${data.why[0]}` : ""}`));
    }
    if (data.key) parts.push(h("span", { class: "fc-pill", title: `key ${data.key}` }, `key ${data.key.slice(0, 8)}…`));
    fill(badges, ...parts);
  }

  function drawRace() {
    if (!timed) return;
    const native = model.get("reloads").find((/** @type {import("./reload.js").Reload} */ r) => r.path === "native" && !r.shipped && !r.error);
    const longest = Math.max(data.cold.seconds, native?.load ?? 0, 1e-9);
    /** @param {{name: string, seconds: number, fill: string}[]} stages */
    const strip = (stages) =>
      h(
        "div",
        { class: "fc-strip" },
        ...stages.map((stage) => h("span", { title: `${stage.name} ${seconds(stage.seconds)}`, style: { width: `${(100 * stage.seconds) / longest}%`, background: stage.fill } })),
      );
    const words = data.cold.stages.map((stage) => `${stage.name} ${seconds(stage.seconds)}`).join(", ");
    const rows = [
      h("span", {}, "cold"),
      strip(data.cold.stages),
      h("span", { title: words }, h("b", {}, seconds(data.cold.seconds))),
    ];
    if (native) {
      const ratio = native.load > 0 ? ` (${count(Math.round(data.cold.seconds / native.load))}×)` : "";
      rows.push(
        h("span", {}, "warm"),
        strip([{ name: "warm reload", seconds: native.load, fill: "var(--fc-warm)" }]),
        h("span", {}, h("b", {}, seconds(native.load)), ratio),
      );
    } else {
      rows.push(h("span", {}, "warm"), h("div", { class: "fc-strip" }), h("span", { class: "fc-fine" }, "not measured"));
    }
    fill(warm, ...rows);
  }

  model.on("change:reloads", drawRace);
  drawState();
  drawRace();
  return {
    element,
    /** @param {string} panel */
    mark(panel) {
      for (const [key, toggle] of toggles) toggle.setAttribute("aria-expanded", String(key === panel));
    },
    close() {
      model.off("change:reloads", drawRace);
    },
  };
}
