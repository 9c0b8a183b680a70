// @ts-check
// The warm reload: three paths side by side, stage by stage, in fresh processes; and once more.

import { button, count, face, fill, h, seconds } from "./dom.js";
import { NoKernel } from "./host.js";

/**
 * @typedef {{path: string, runs: number, stages: [string, number][], load: number,
 *   first_call: number, call: number, shipped: boolean, error: string, note: string,
 *   medians: string}} Reload
 * @typedef {{state: string, done: number, total: number, now: string,
 *   colors: Record<string, string>}} Race
 */

/** @param {import("./context.js").Context} ctx */
export function makeReload(ctx) {
  const { data, model, store, host } = ctx;
  const body = h("div", { class: "fc-races" });
  const status = h("p", { class: "fc-fine", role: "status" });
  const bar = /** @type {HTMLProgressElement} */ (h("progress", { class: "fc-raced", "aria-label": "Fresh processes", hidden: true }));
  let running = false;
  let own = false;
  let clock = 0;
  let began = 0;

  const shipped = button("As shipped", () => store.change({ shipped: !store.get().shipped }), {
    role: "switch",
    "aria-checked": "false",
    class: "fc-button fc-switch",
    title: "No compiler on the PATH and an empty Inductor cache, as on another machine",
  });
  const scale = button("Each to its own scale", () => {
    own = !own;
    scale.setAttribute("aria-pressed", String(own));
    draw();
  }, { "aria-pressed": "false", title: "Stretch every bar, to compare the stages within a path" });
  const again = button("Run again", run, { title: "Reload the artifact in fresh processes, along all paths" });
  const element = h(
    "section",
    { class: "fc-drawer", "aria-label": "Warm reload" },
    h("div", { class: "fc-tools" }, h("strong", {}, "Warm reload"), again, shipped, scale),
    h("div", { class: "fc-racestatus" }, bar, status),
    body,
  );

  function run() {
    if (running) return;
    setRunning(true);
    try {
      model.send({ type: "reload", shipped: store.get().shipped });
    } catch {
      setRunning(false);
      fill(body, face("Kernel not connected", "A warm reload needs the kernel that made this view."));
    }
  }

  /** @param {boolean} on */
  function setRunning(on) {
    if (on && !running) began = performance.now();
    running = on;
    clearInterval(clock);
    again.toggleAttribute("disabled", on || !data.canRerun);
    fill(again, on ? "Running …" : "Run again");
    tell();
    if (on) clock = window.setInterval(tell, 1000);
  }

  /** A race that began without the button, too. */
  function follow() {
    setRunning(model.get("race").state === "running");
  }

  /** How far the race is. */
  function tell() {
    bar.hidden = !running;
    if (!running) {
      fill(status);
      return;
    }
    /** @type {Race} */
    const race = model.get("race");
    bar.max = Math.max(race.total, 1);
    bar.value = race.done;
    const passed = Math.round((performance.now() - began) / 1000);
    const far = race.total ? `${race.done} of about ${race.total}, ${race.now}, ` : "";
    fill(status, `Reloading in fresh processes … ${far}${passed} s`);
  }

  /** A kernel that ends says nothing; the host says it of the connection, and only then. */
  function lose() {
    if (!running) return;
    setRunning(false);
    host.ask(`hello:${Math.random()}`).catch(() => undefined);
    fill(body, face("The kernel is gone", "It ended while the reloads were measured. Run the cell again."));
  }

  /** @param {any} message */
  function receive(message) {
    if (message?.type !== "reload") return;
    setRunning(message.state === "running");
    if (message.state === "done") ctx.say("Warm reload measured.");
    draw();
  }

  function draw() {
    const isShipped = store.get().shipped;
    shipped.setAttribute("aria-checked", String(isShipped));
    again.toggleAttribute("disabled", running || !data.canRerun);
    if (!data.canRerun) again.title = "Needs the notebook's kernel";
    /** @type {Reload[]} */
    const reloads = model.get("reloads").filter((/** @type {Reload} */ r) => r.shipped === isShipped);
    const problem = model.get("problem");
    fill(
      body,
      problem.title
        ? h("div", { class: "fc-problem", role: "alert" }, face(problem.title, problem.text, details(problem.detail), button("Copy", () => copy(problem))))
        : null,
      reloads.length ? race(reloads) : face("Not measured yet", data.canRerun ? "Press “Run again” to reload the artifact in fresh processes." : "The report was made without a warm reload."),
      reloads.length ? h("p", { class: "fc-fine" }, `${data.weightsNote} ${reloads[0].medians}`) : null,
    );
  }

  /** @param {{title: string, text: string, detail: string}} problem */
  async function copy({ title, text, detail }) {
    try {
      await navigator.clipboard.writeText([title, text, detail].join("\n"));
      ctx.say("Copied what went wrong.");
    } catch (error) {
      ctx.say(`Not copied: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @param {string} text */
  function details(text) {
    if (!text) return null;
    return h("details", {}, h("summary", {}, "What Python said"), h("pre", { class: "fc-trace", tabindex: 0 }, text));
  }

  /** @param {Reload[]} reloads */
  function race(reloads) {
    /** @type {Race} */
    const { colors } = model.get("race");
    const parts = (/** @type {Reload} */ r) =>
      /** @type {[string, number][]} */ ([...r.stages.filter(([name]) => name in colors), ["first call", r.first_call]]);
    const total = (/** @type {Reload} */ r) => r.load + r.first_call;
    const longest = Math.max(...reloads.filter((r) => !r.error).map(total), 1e-9);
    const names = [...new Set(reloads.filter((r) => !r.error).flatMap((r) => [...r.stages.map(([name]) => name), "first call"]))];
    const slowest = reloads.find((r) => r.path === "fx" && !r.error);
    const grid = h("div", { class: "fc-racegrid" });
    for (const reload of reloads) {
      if (reload.error) {
        grid.append(h("b", {}, reload.path), h("div", { class: "fc-failed" }, `✗ ${reload.error}`), h("span", {}, "failed"));
        continue;
      }
      const full = own ? Math.max(total(reload), 1e-9) : longest;
      const strip = h("div", { class: "fc-strip fc-tall" });
      for (const [name, s] of parts(reload)) {
        strip.append(h("span", { title: `${name} ${seconds(s)}`, style: { width: `${(100 * s) / full}%`, background: colors[name] ?? "var(--fc-stroke)" } }));
      }
      const gain = slowest && slowest !== reload ? ` (${ratio(total(slowest), total(reload))} less than fx)` : "";
      grid.append(h("b", {}, reload.path), strip, h("span", {}, `${seconds(total(reload))}${gain}`));
    }
    const legend = (/** @type {string} */ name) =>
      h("span", { class: "fc-key" }, h("i", { style: { background: colors[name] ?? "transparent" } }), name);
    const table = h(
      "table",
      { class: "fc-table fc-numbers" },
      h("caption", {}, "Stage by stage; a load begins when torch is imported"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "path"), ...names.map((name) => h("th", { scope: "col" }, legend(name))), h("th", { scope: "col" }, "load"), h("th", { scope: "col" }, "later calls"))),
      h(
        "tbody",
        {},
        ...reloads.filter((r) => !r.error).map((r) => {
          const times = new Map([...r.stages, ["first call", r.first_call]]);
          return h("tr", {}, h("th", { scope: "row" }, r.path), ...names.map((name) => h("td", {}, seconds(/** @type {number} */ (times.get(name))))), h("td", {}, seconds(r.load)), h("td", {}, `${seconds(r.call)}${r.note ? ` (${r.note})` : ""}`));
        }),
      ),
    );
    return h("div", {}, grid, h("div", { class: "fc-scrollx", tabindex: 0, role: "region", "aria-label": "Seconds by stage" }, table));
  }

  model.on("msg:custom", receive);
  model.on("comm_live_update", lose);
  model.on("change:reloads", draw);
  model.on("change:problem", draw);
  model.on("change:race", follow);
  store.listen((_, changed) => {
    if (changed.has("shipped")) draw();
  });
  follow();
  // A notebook that was saved during a race has none when it is opened again.
  if (running) host.ask(`hello:${Math.random()}`).catch((error) => error instanceof NoKernel && setRunning(false));
  draw();
  return {
    element,
    close() {
      clearInterval(clock);
      model.off("msg:custom", receive);
      model.off("comm_live_update", lose);
      model.off("change:reloads", draw);
      model.off("change:problem", draw);
      model.off("change:race", follow);
    },
  };
}

/** @param {number} larger @param {number} smaller */
function ratio(larger, smaller) {
  const times = larger / Math.max(smaller, 1e-9);
  return `${times < 10 ? times.toFixed(1) : count(Math.round(times))}×`;
}

/** The stages of the cold compile. @param {import("./context.js").Context} ctx */
export function makeStages(ctx) {
  const { cold } = ctx.data;
  const longest = Math.max(...cold.stages.map((stage) => stage.seconds), 1e-9);
  const grid = h("div", { class: "fc-racegrid fc-stages" });
  for (const stage of cold.stages) {
    const strip = h("div", { class: "fc-strip fc-tall" }, h("span", { style: { width: `${(100 * stage.seconds) / longest}%`, background: stage.fill } }));
    grid.append(h("b", {}, stage.name), strip, h("span", {}, `${seconds(stage.seconds)} ${stage.detail}`));
  }
  const facts = ctx.data.facts.map((fact) => h("li", {}, fact));
  return h(
    "section",
    { class: "fc-drawer", "aria-label": "Stages of the cold compile" },
    h("strong", {}, `Cold compile, ${seconds(cold.seconds)}`),
    grid,
    h("ul", { class: "fc-fine fc-notes" }, ...facts),
  );
}

/** The keys. @param {boolean} several whether there are several programs */
export function makeHelp(several) {
  const keys = [
    ["↑ ↓", "rows of a list; in a drawing, along edges"],
    ["← →", "fold and unfold; in a drawing, within a rank; in the nodes table, along edges"],
    ["Enter", "open: a fold, the graph of a submodule, the source line of a node; choose a node in Fusion"],
    ["Esc", "up: from a graph to the split graph, from there to the list"],
    ["/", "filter the submodules, or search the graph that has the focus"],
    ["[ ]", "previous, next submodule"],
    ...(several ? [["{ }", "previous, next program"]] : []),
    ["f  0", "fit the drawing, 100 %"],
    ["Ctrl+wheel", "zoom; the wheel alone scrolls"],
    ["?", "these keys"],
  ];
  return h(
    "section",
    { class: "fc-drawer", "aria-label": "Keys" },
    h("strong", {}, "Keys, while the focus is inside"),
    h("dl", { class: "fc-facts fc-keys" }, ...keys.flatMap(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)])),
  );
}
