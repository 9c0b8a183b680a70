// @ts-check
// Two nodes of a scheduler -> whether they are fused, and if not, what Inductor recorded of it: the
// words of `show/explained.py`, for pages without Python.

/**
 * A line for what became of the two, then one for each reason.
 * @param {import("./fusion.js").FusionContent} content
 * @param {number} a
 * @param {number} b
 * @returns {string[]}
 */
export function relate({ nodes, groups, refusals, reasons }, a, b) {
  const [one, other] = [nodes.group[a], nodes.group[b]];
  const [function_, another] = [groups[one] || "no function", groups[other] || "no function"];
  if (a === b) return [`They are computed as one, by one node of the scheduler, in ${function_}.`];
  if (one === other) return [`Fused: they are one group, written together in ${function_}.`];
  const isCall = nodes.isCall[a] || nodes.isCall[b];
  const together = groups[one] && groups[one] === groups[other] && !isCall;
  const said = together
    ? `Not fused: both are in ${function_}, each in loops of its own.`
    : `Not fused: ${function_} and ${another}.`;
  const found = reasonsOf();
  if (found.length) {
    return [said, ...found.map((n) => `Inductor: "${reasons[n][0]}".${reasons[n][1] && ` ${reasons[n][1]}`}`)];
  }
  const call = [a, b].filter((node) => nodes.isCall[node]).map((node) => groups[nodes.group[node]])[0];
  return [said, `Inductor recorded no reason.${call ? ` ${call} is a call of a library.` : ""}`];

  /** What was said of two groups that the nodes were in, in either order; of the largest last. */
  function reasonsOf() {
    /** @type {Map<number, number>} */
    const sizes = new Map();
    for (const [first, second, reason] of refusals) {
      if ((first.includes(a) && second.includes(b)) || (first.includes(b) && second.includes(a))) {
        sizes.set(reason, Math.max(sizes.get(reason) ?? 0, first.length + second.length));
      }
    }
    return [...sizes].sort(([, x], [, y]) => x - y).map(([reason]) => reason);
  }
}
