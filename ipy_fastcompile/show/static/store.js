// @ts-check
// What is chosen and how it is shown: one small state that every pane draws from.

/**
 * @typedef {{
 *   submodule: number, node: number, source: number, line: number,
 *   view: "split" | "graph" | "nodes", tab: string, opened: string,
 *   filter: string, sort: string, descending: boolean, focus: boolean, weights: boolean,
 *   search: string, panel: string, shipped: boolean, fusing: string,
 * }} State
 */

/** @returns {State} */
function firstState() {
  return {
    submodule: -1,
    node: -1,
    source: -1,
    line: -1,
    view: "split",
    tab: "code",
    opened: "",
    filter: "",
    sort: "order",
    descending: false,
    focus: false,
    weights: false,
    search: "",
    panel: "",
    shipped: false,
    // The name of a node that the Fusion tab is asked about, until it has taken it.
    fusing: "",
  };
}

/** Holds the state and tells every listener which of its names changed. */
export function makeStore() {
  let state = firstState();
  /** @type {Set<(state: State, changed: Set<string>) => void>} */
  const listeners = new Set();
  return {
    /** @returns {Readonly<State>} */
    get: () => state,
    /** @param {Partial<State>} patch */
    change(patch) {
      const before = /** @type {Record<string, any>} */ (state);
      const names = Object.entries(patch).filter(([name, value]) => before[name] !== value);
      if (!names.length) return;
      state = { ...state, ...patch };
      const changed = new Set(names.map(([name]) => name));
      for (const listener of listeners) listener(state, changed);
    },
    /**
     * @param {(state: State, changed: Set<string>) => void} act
     * @returns {() => void} stops listening
     */
    listen(act) {
      listeners.add(act);
      return () => listeners.delete(act);
    },
  };
}

/** @typedef {ReturnType<typeof makeStore>} Store */
