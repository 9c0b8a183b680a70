// @ts-check
// A text whose parts may be folded away: its lines <-> the rows that are shown. A fold has a row of
// its own above its lines, open or not, so that what was opened can be folded again.

/**
 * `first` and `last` are lines, from 0.
 * @typedef {{first: number, last: number, label: string, isOpen: boolean}} Fold
 */

export function makeFolds() {
  let total = 0;
  /** @type {Fold[]} */
  let folds = [];

  /** @param {Fold} fold */
  const hidden = (fold) => (fold.isOpen ? 0 : fold.last - fold.first + 1);

  /**
   * The row of a line; that of its fold where it is folded away.
   * @param {number} line
   */
  function rowOf(line) {
    let row = line;
    for (const fold of folds) {
      if (line < fold.first) break;
      if (line <= fold.last && !fold.isOpen) return row - (line - fold.first);
      row += 1 - hidden(fold);
    }
    return row;
  }

  return {
    /**
     * @param {number} lines
     * @param {[number, number, string][]} parts
     */
    load(lines, parts) {
      total = lines;
      folds = parts.map(([first, last, label]) => ({ first, last, label, isOpen: false }));
    },
    /** How many rows there are now. */
    count: () => folds.reduce((rows, fold) => rows + 1 - hidden(fold), total),
    /**
     * What a row holds: a line, or a fold, which begins at that line.
     * @param {number} row
     * @returns {{line: number, fold?: Fold}}
     */
    at(row) {
      let line = row;
      for (const fold of folds) {
        if (line < fold.first) break;
        if (line === fold.first) return { line, fold };
        line += hidden(fold) - 1;
      }
      return { line };
    },
    rowOf,
    /** The closed fold that holds a line. @param {number} line */
    over: (line) => folds.find((fold) => !fold.isOpen && fold.first <= line && line <= fold.last),
    /** The row of a fold itself. @param {Fold} fold */
    headOf: (fold) => rowOf(fold.first) - (fold.isOpen ? 1 : 0),
  };
}
