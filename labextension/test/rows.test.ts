import { describe, expect, it } from 'vitest';
import { extend, makeLines, neighbour, NOWHERE, press, prune, tabStop, toggle } from '../src/panel/cursor';
import { looseWord, makeGroups, makeRows } from '../src/panel/rows';
import type { IEnvironment, IOperation } from '../src/tokens';
import { environment, operation, trans } from './facts';

function rows(environments: IEnvironment[], operations: IOperation[] = [], running = 0) {
  return makeRows({ environments, operations, kernelsRunning: () => running }, trans);
}

describe('rows', () => {
  it('is silent about ready, and says Python, manager and place', () => {
    const [row] = rows([environment()], [], 2);
    expect([row.strong, row.rest]).toEqual(['', 'Python 3.12 · venv · home']);
    expect(row.label).toBe('climate, ready, 2 kernels running, Python 3.12, venv, home');
  });

  it('says why an environment can not be used', () => {
    const [row] = rows([environment({ state: 'python_gone' })]);
    expect([row.kind, row.strong, row.rest]).toEqual(['trouble', 'Python gone', '3.12.11']);
  });

  it('makes a row of a build that has no environment yet', () => {
    const [row] = rows([], [operation('hydro', 3)]);
    expect([row.kind, row.strong, row.tag, row.done]).toEqual(['running', 'Download', '3/6', 2 / 6]);
    expect(row.label).toBe('hydro, building, step 3 of 6, Download');
  });

  it('keeps one row while a build finishes an environment that is already there', () => {
    const [row, ...more] = rows([environment({ name: 'hydro' })], [operation('hydro', 6)]);
    expect(more).toEqual([]);
    expect([row.kind, row.tag]).toEqual(['running', '6/6']);
  });

  it('keeps a failure until something newer has the name', () => {
    const failed = operation('hydro', 2, { state: 'failed', error: { message: 'numba and numpy conflict.', reason: '', code: '', hints: [] } });
    expect(rows([], [failed])[0]).toMatchObject({ kind: 'failed', strong: 'Failed:', rest: 'numba and numpy conflict.' });
    expect(rows([environment({ name: 'hydro', id: 'other' })], [failed])).toHaveLength(1);
    const again = { ...operation('hydro', 1), id: '20261121-090000-00000000' };
    expect(rows([], [again, failed]).map(row => row.kind)).toEqual(['running']);
    expect(rows([], [operation('hydro', 2, { state: 'cancelled' })])).toEqual([]);
  });

  it('shows no character that turns the text around it', () => {
    expect(rows([environment({ name: 'a\u202egpj.exe' })])[0].name).toBe('a\ufffdgpj.exe');
  });
});

describe('groups', () => {
  const all = rows([
    environment({ name: 'gpu-a', manager: 'conda' }),
    environment({ name: 'gpu-b', location: 'scratch' }),
    environment({ name: 'theirs', origin: 'shared', owner: 'bea', location: 'project' }),
    environment({ name: 'old', origin: 'foreign', location: '' })
  ]);
  const groups = (query: string) => makeGroups(all, query, new Set(['foreign'] as const), true, trans);

  it('stand as Mine, Shared with me, Found elsewhere, the last one folded', () => {
    expect(groups('').map(group => [group.title, group.rows.length, group.open])).toEqual([
      ['Mine', 2, true],
      ['Shared with me', 1, true],
      ['Found elsewhere', 1, false]
    ]);
    expect(makeGroups(all, '', new Set(), false, trans).map(group => group.id)).toEqual(['own', 'shared']);
  });

  it('are filtered by every word, and unfolded by it', () => {
    expect(groups('gpu scratch').flatMap(group => group.rows.map(row => row.name))).toEqual(['gpu-b']);
    expect(groups('old')[0].open).toBe(true);
    expect(groups('conda gpu scratch')).toEqual([]);
    expect(looseWord(all, 'conda gpu scratch')).toEqual({ word: 'conda', count: 1 });
  });
});

describe('cursor', () => {
  const groups = makeGroups(
    rows([environment({ name: 'a' }), environment({ name: 'b' }), environment({ name: 'c' }), environment({ name: 'x', origin: 'foreign' })]),
    '',
    new Set(['foreign'] as const),
    true,
    trans
  );
  const lines = makeLines(groups);
  const [a, b, c] = lines.slice(1, 4).map(line => line.id);
  const at = (id: string) => ({ ...NOWHERE, at: id, anchor: id });
  const key = (name: string, cursor = at(b), shift = false, accel = false) => press({ key: name, shift, accel }, cursor, lines);

  it('begins at the first row and survives what disappears', () => {
    expect(tabStop(NOWHERE, lines)).toBe(a);
    expect(prune({ ...at(a), selected: new Set([a, 'gone']) }, lines).selected).toEqual(new Set([a]));
  });

  it.each([
    ['ArrowDown', c],
    ['ArrowUp', a],
    ['Home', 'group:own'],
    ['End', 'group:foreign'],
    ['ArrowLeft', 'group:own'],
    ['PageUp', 'group:own'],
    ['c', c]
  ])('%s moves', (name, to) => {
    expect(key(name)).toMatchObject({ do: 'move', cursor: { at: to } });
  });

  it('folds and unfolds at a heading', () => {
    expect(key('ArrowRight', at('group:foreign'))).toMatchObject({ do: 'fold', group: 'foreign', open: true });
    expect(key('ArrowLeft', at('group:own'))).toMatchObject({ do: 'fold', group: 'own', open: false });
    expect(key('Enter', at('group:own'))).toMatchObject({ do: 'fold', open: false });
    expect(key('ArrowRight', at('group:own'))).toMatchObject({ do: 'move', cursor: { at: a } });
  });

  it.each([
    ['Enter', false, 'open'],
    ['Enter', true, 'notebook'],
    ['Delete', false, 'delete'],
    ['ContextMenu', false, 'menu'],
    ['F10', true, 'menu'],
    ['/', false, 'filter']
  ])('%s (shift %s) is %s', (name, shift, what) => {
    expect(key(name, at(b), shift)?.do).toBe(what);
  });

  it('selects one, a stretch, and all of the group', () => {
    expect(key(' ')).toMatchObject({ cursor: { selected: new Set([b]) } });
    expect(toggle(toggle(at(b), b), b).selected.size).toBe(0);
    expect(key('ArrowDown', at(b), true)).toMatchObject({ cursor: { at: c, selected: new Set([b, c]) } });
    expect(extend(at(c), a, lines).selected).toEqual(new Set([a, b, c]));
    expect(key('a', at(b), false, true)).toMatchObject({ cursor: { selected: new Set([a, b, c]) } });
    expect(key('Escape', { ...at(b), selected: new Set([b]) })).toMatchObject({ cursor: { selected: new Set() } });
  });

  it('goes to the next row when its own disappears', () => {
    expect(neighbour(new Set([b]), at(b), lines)).toBe(c);
    expect(neighbour(new Set([c]), at(c), lines)).toBe(b);
  });
});
