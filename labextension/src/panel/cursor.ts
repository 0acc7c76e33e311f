/** Where the keyboard is in the list, what is selected, and what a key does to both. Pure. */
import type { GroupId, IGroup, IRow } from './rows';

/** A line of the tree: a heading or a row. */
export type Line = { id: string; group: IGroup; row?: undefined } | { id: string; group: IGroup; row: IRow };

export function headingId(group: GroupId): string {
  return `group:${group}`;
}

/** The lines in the order in which they are drawn; rows of folded groups are not. */
export function makeLines(groups: IGroup[]): Line[] {
  return groups.flatMap(group => [
    { id: headingId(group.id), group },
    ...(group.open ? group.rows.map(row => ({ id: row.key, group, row })) : [])
  ]);
}

export interface ICursor {
  /** The line that has the tab stop. */
  at: string;
  selected: ReadonlySet<string>;
  /** Where an extension of the selection began. */
  anchor: string;
}

export const NOWHERE: ICursor = { at: '', selected: new Set(), anchor: '' };

/** The line with the tab stop: where the cursor is, or the first row while that is gone. */
export function tabStop(cursor: ICursor, lines: Line[]): string {
  if (lines.some(line => line.id === cursor.at)) {
    return cursor.at;
  }
  return (lines.find(line => line.row) ?? lines[0])?.id ?? '';
}

/** Forget what is no longer in the list, so that nothing unseen is acted on. */
export function prune(cursor: ICursor, lines: Line[]): ICursor {
  const there = new Set(lines.map(line => line.id));
  const selected = new Set([...cursor.selected].filter(id => there.has(id)));
  return selected.size === cursor.selected.size ? cursor : { ...cursor, selected };
}

const PAGE = 8;

export type Effect =
  | { do: 'move'; cursor: ICursor }
  | { do: 'fold'; group: GroupId; open: boolean; cursor: ICursor }
  | { do: 'open' | 'notebook' | 'delete' | 'menu' | 'filter'; cursor: ICursor }
  | null;

export interface IKey {
  key: string;
  shift: boolean;
  accel: boolean;
}

/** What a key means at the cursor; null where it means nothing here. */
export function press(key: IKey, cursor: ICursor, lines: Line[]): Effect {
  const index = Math.max(0, lines.findIndex(line => line.id === tabStop(cursor, lines)));
  const line = lines[index];
  if (!line) {
    return key.key === '/' ? { do: 'filter', cursor } : null;
  }
  const here = { ...cursor, at: line.id };
  const go = (to: number): Effect => {
    const target = lines[Math.max(0, Math.min(lines.length - 1, to))];
    return { do: 'move', cursor: key.shift ? extend(here, target.id, lines) : { ...here, at: target.id, anchor: target.id } };
  };
  switch (key.key) {
    case 'ArrowDown':
      return go(index + 1);
    case 'ArrowUp':
      return go(index - 1);
    case 'Home':
      return go(0);
    case 'End':
      return go(lines.length - 1);
    case 'PageDown':
      return go(index + PAGE);
    case 'PageUp':
      return go(index - PAGE);
    case 'ArrowRight':
      return line.row ? null : line.group.open ? go(index + 1) : { do: 'fold', group: line.group.id, open: true, cursor: here };
    case 'ArrowLeft':
      if (line.row) {
        return { do: 'move', cursor: { ...here, at: headingId(line.group.id) } };
      }
      return line.group.open ? { do: 'fold', group: line.group.id, open: false, cursor: here } : null;
    case 'Enter':
      if (!line.row) {
        return { do: 'fold', group: line.group.id, open: !line.group.open, cursor: here };
      }
      return { do: key.shift ? 'notebook' : 'open', cursor: here };
    case ' ':
      return line.row ? { do: 'move', cursor: toggle(here, line.id) } : null;
    case 'Delete':
      return line.row ? { do: 'delete', cursor: here } : null;
    case 'ContextMenu':
      return line.row ? { do: 'menu', cursor: here } : null;
    case 'F10':
      return key.shift && line.row ? { do: 'menu', cursor: here } : null;
    case 'Escape':
      return cursor.selected.size > 0 ? { do: 'move', cursor: { ...here, selected: new Set() } } : null;
    case '/':
      return { do: 'filter', cursor: here };
    case 'a':
    case 'A':
      if (key.accel) {
        return { do: 'move', cursor: { ...here, selected: new Set(line.group.rows.map(row => row.key)) } };
      }
      break;
  }
  return key.key.length === 1 && !key.accel ? typeAhead(key.key, here, lines, index) : null;
}

/** Add a line to the selection or take it out; headings are never selected. */
export function toggle(cursor: ICursor, id: string): ICursor {
  const selected = new Set(cursor.selected);
  if (!selected.delete(id)) {
    selected.add(id);
  }
  return { at: id, anchor: id, selected };
}

/** Select from where the selection began to *id*. */
export function extend(cursor: ICursor, id: string, lines: Line[]): ICursor {
  const order = lines.map(line => line.id);
  const anchor = order.includes(cursor.anchor) ? cursor.anchor : cursor.at;
  const [a, b] = [order.indexOf(anchor), order.indexOf(id)].sort((x, y) => x - y);
  const selected = new Set(lines.slice(Math.max(0, a), b + 1).flatMap(line => (line.row ? [line.id] : [])));
  return { at: id, anchor, selected };
}

function typeAhead(letter: string, cursor: ICursor, lines: Line[], index: number): Effect {
  const wanted = letter.toLowerCase();
  for (let step = 1; step <= lines.length; step++) {
    const line = lines[(index + step) % lines.length];
    if (line.row?.name.toLowerCase().startsWith(wanted)) {
      return { do: 'move', cursor: { ...cursor, at: line.id, anchor: line.id } };
    }
  }
  return null;
}

/** The line to go to when those of *ids* disappear: the next row, else the one before. */
export function neighbour(ids: ReadonlySet<string>, cursor: ICursor, lines: Line[]): string {
  const index = lines.findIndex(line => line.id === cursor.at);
  const left = (line: Line): boolean => !!line.row && !ids.has(line.id);
  return (lines.slice(index + 1).find(left) ?? lines.slice(0, Math.max(0, index)).reverse().find(left))?.id ?? '';
}
