import { describe, expect, it } from 'vitest';
import { moved, tabStop, toggled } from '../src/environment/table-keys';
import { changeCommand, planTitle, referenceOf, toChanges, wishOf } from '../src/environment/wish';
import { outcome, staleKernels } from '../src/operation/outcome';
import { changesSomething, doing, doingWord, isChange, placeOf } from '../src/operation/verbs';
import { environment, operation, plan, planned, trans } from './facts';

describe('a wish', () => {
  it('is one thing in a request, and the same thing again when that is read', () => {
    const install = { verb: 'install' as const, packages: ['numpy>=2', 'rich'] };
    expect(toChanges(install)).toEqual({ install: ['numpy>=2', 'rich'] });
    expect(wishOf({ ...toChanges(install), update: [], remove: [], update_all: false, dry_run: false })).toEqual(install);
    expect(wishOf(toChanges({ verb: 'remove', packages: ['a'] }))).toEqual({ verb: 'remove', packages: ['a'] });
    expect(wishOf(toChanges({ verb: 'update_all', packages: [] }))).toEqual({ verb: 'update_all', packages: [] });
  });

  it('is not made of a request that wants several things, or none', () => {
    expect(wishOf({ install: ['a'], remove: ['b'] })).toBeNull();
    expect(wishOf({ update_all: true, remove: ['b'] })).toBeNull();
    expect(wishOf({})).toBeNull();
  });

  it('has a heading that names a single package', () => {
    expect(planTitle({ verb: 'install', packages: ['rich'] }, trans)).toBe('Plan: install rich');
    expect(planTitle({ verb: 'update', packages: ['a', 'b'] }, trans)).toBe('Plan: update 2 packages');
    expect(planTitle({ verb: 'remove', packages: ['a\u202eb'] }, trans)).toBe('Plan: remove a\ufffdb');
    expect(planTitle({ verb: 'update_all', packages: [] }, trans)).toBe('Plan: update all packages');
  });

  it('is a command that a shell takes as it is meant', () => {
    expect(changeCommand('climate', { verb: 'install', packages: ['numpy>=2'] })).toBe("jupyter hpcenv install climate 'numpy>=2'");
    expect(changeCommand('climate', { verb: 'install', packages: ["a; echo 'x'"] })).toContain("'a; echo '\\''x'\\'''");
    expect(changeCommand('climate', { verb: 'update_all', packages: [] })).toBe('jupyter hpcenv update climate --all');
    expect(changeCommand('climate-2025', { verb: 'update', packages: ['dask', 'distributed', 'numpy', 'scipy'] })).toBe(
      'jupyter hpcenv update climate-2025 \\\n  dask distributed numpy scipy'
    );
    expect(changeCommand('scratch/a', { verb: 'remove', packages: ['six'] })).toBe('jupyter hpcenv remove scratch/a six');
  });

  it('names the environment so that no other one is meant', () => {
    const mine = environment({ name: 'a', id: '1' });
    const reference = (...others: Parameters<typeof environment>[0][]): string =>
      referenceOf(mine, [mine, ...others.map(other => environment({ id: '2', name: 'a', ...other }))]);
    expect(reference()).toBe('a');
    expect(reference({ name: 'b' })).toBe('a');
    expect(reference({ origin: 'foreign', location: '' })).toBe('a');
    expect(reference({ location: 'scratch' })).toBe('home/a');
    expect(reference({ location: 'scratch' }, { location: 'home' })).toBe('1');
  });
});

describe('the keys of the table', () => {
  const rows = ['a', 'b', 'c'];
  it('move through rows and the controls of one, and stop at the edges', () => {
    const go = (key: string, row: string, column = 0) => moved(key, { row, column }, rows, 3);
    expect(go('ArrowDown', 'a')).toEqual({ row: 'b', column: 0 });
    expect(go('ArrowUp', 'a')).toEqual({ row: 'a', column: 0 });
    expect(go('ArrowDown', 'c', 2)).toEqual({ row: 'c', column: 2 });
    expect(go('End', 'a', 1)).toEqual({ row: 'c', column: 1 });
    expect(go('PageUp', 'c')).toEqual({ row: 'a', column: 0 });
    expect(go('ArrowRight', 'b', 2)).toEqual({ row: 'b', column: 2 });
    expect(go('ArrowLeft', 'b', 1)).toEqual({ row: 'b', column: 0 });
    expect(go('x', 'a')).toBeNull();
  });

  it('begin at the first row while theirs is not drawn', () => {
    expect(tabStop(null, rows)).toEqual({ row: 'a', column: 0 });
    expect(tabStop({ row: 'z', column: 2 }, rows)).toEqual({ row: 'a', column: 0 });
    expect(tabStop({ row: 'b', column: 2 }, rows)).toEqual({ row: 'b', column: 2 });
    expect(tabStop({ row: 'b', column: 2 }, [])).toBeNull();
  });

  it('select one row, or all from where the selection began', () => {
    expect([...toggled(new Set(['a']), 'a', rows)]).toEqual([]);
    expect([...toggled(new Set(['a']), 'c', rows, 'b')]).toEqual(['a', 'b', 'c']);
    expect([...toggled(new Set(), 'a', rows, 'gone')]).toEqual(['a']);
  });
});

describe('what an operation does', () => {
  const of = (verb: string) => operation('climate', 2, { verb });

  it('has words for each verb, and a place', () => {
    expect(['create', 'change', 'plan_change', 'repair'].map(verb => doing(of(verb), trans))).toEqual([
      'Building climate',
      'Changing packages of climate',
      'Planning a change of climate',
      'Repairing climate'
    ]);
    expect(['create', 'change', 'plan_change', 'repair'].map(verb => doingWord(of(verb), trans))).toEqual([
      'building',
      'changing packages',
      'planning',
      'repairing'
    ]);
    expect(placeOf(of('change'))).toMatchObject({ tab: 'packages', environment: of('change').environment.id });
    expect(placeOf(of('create'))).not.toHaveProperty('tab');
  });

  it('is told from what only looks ahead', () => {
    expect(['create', 'plan', 'change', 'plan_change', 'repair'].filter(verb => changesSomething(of(verb)))).toEqual(['create', 'change', 'repair']);
    expect(['create', 'plan', 'change', 'plan_change', 'repair'].filter(verb => isChange(of(verb)))).toEqual(['change', 'repair']);
  });

  it('ends in sentences', () => {
    const told = (change: Parameters<typeof plan>[0]): string =>
      outcome({ ...of('change'), result: { plan: plan({ install: [], ...change }) } }, trans).join(' ');
    const newer = { name: 'b', old: planned('b'), new: planned('b', { version: '2.0' }) };
    expect(told({ install: [planned('a')], change: [newer], remove: [planned('c')] })).toBe('Installed a 1.0. b is 2.0 now. Removed c.');
    expect(told({ install: [planned('a'), planned('d')] })).toBe('Installed 2 packages.');
    expect(told({ pip: ['rich (removed)'] })).toBe('Changed by pip: rich (removed).');
    expect(told({})).toBe('All packages are as they were.');
    // the worker was killed after it had done all: nobody knows what that was
    expect(outcome({ ...of('change'), result: { environment: 'x' } }, trans)).toEqual([]);
    expect(staleKernels(0, trans)).toBe('');
    expect(staleKernels(2, trans)).toBe('2 running kernels keep what they have imported until they are restarted.');
  });
});
