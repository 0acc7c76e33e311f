/** Where the keyboard is in the table of packages, and where a key takes it. Pure. */

export interface ICell {
  row: string;
  /** 0: the check box; then the buttons. */
  column: number;
}

const PAGE = 8;

/** The cell with the tab stop: where the keyboard was, or the first row while that is not drawn. */
export function tabStop(at: ICell | null, rows: readonly string[]): ICell | null {
  return at && rows.includes(at.row) ? at : rows.length > 0 ? { row: rows[0], column: 0 } : null;
}

/** The cell that a key leads to; null where it leads nowhere. */
export function moved(key: string, at: ICell, rows: readonly string[], columns: number): ICell | null {
  const index = rows.indexOf(at.row);
  const last = rows.length - 1;
  const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: last, PageDown: index + PAGE, PageUp: index - PAGE }[key];
  if (to !== undefined) {
    return { ...at, row: rows[Math.max(0, Math.min(last, to))] };
  }
  const column = { ArrowRight: at.column + 1, ArrowLeft: at.column - 1 }[key];
  return column === undefined ? null : { ...at, column: Math.max(0, Math.min(columns - 1, column)) };
}

/** *selected* with *row* taken in or out; *all* of the rows from *anchor* to *row* come in where it is given. */
export function toggled(selected: ReadonlySet<string>, row: string, rows: readonly string[], anchor?: string): ReadonlySet<string> {
  const next = new Set(selected);
  if (anchor !== undefined && rows.includes(anchor)) {
    const [from, to] = [rows.indexOf(anchor), rows.indexOf(row)].sort((a, b) => a - b);
    rows.slice(from, to + 1).forEach(each => next.add(each));
  } else if (!next.delete(row)) {
    next.add(row);
  }
  return next;
}
