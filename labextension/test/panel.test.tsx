import { Notification } from '@jupyterlab/apputils';
import React from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EnvironmentList } from '../src/panel/list';
import { PanelState } from '../src/panel/state';
import type { IPages } from '../src/pages';
import { draw, IDrawn } from './draw';
import { environment, IWorld, operation, Refusal, world } from './facts';

let w: IWorld;
let panel: IDrawn;
let pages: { open: ReturnType<typeof vi.fn>; create: ReturnType<typeof vi.fn> };

beforeEach(() => {
  w = world();
  pages = { open: vi.fn(), create: vi.fn() };
  w.actions.pages = pages as unknown as IPages;
});
afterEach(() => {
  panel.clear();
  vi.restoreAllMocks();
});

async function show(): Promise<void> {
  await w.model.refresh();
  panel = await draw(w, <EnvironmentList state={new PanelState(null)} />);
}
const rows = (): string[] => panel.all('.jp-HpcEnv-rowName').map(node => node.textContent ?? '');
const focused = (): string => document.activeElement?.getAttribute('aria-label') ?? '';
const frame = (): Promise<unknown> => new Promise(requestAnimationFrame);

describe('the panel', () => {
  it('says what an environment is while there is none, and leads to one', async () => {
    await show();
    expect(panel.text()).toContain('No environments yet');
    await panel.click(panel.button('From a file…'));
    expect(pages.create).toHaveBeenCalledWith({}, 'file');
  });

  it('says on the first run where environments will lie, what fills the home, and what was found', async () => {
    const cache = { bytes: null, files: null, measured: '', measuring: false, used_by: [], notes: [], cleanable: true, reason: '' };
    w.server.set('GET caches', [
      { ...cache, name: 'uv', path: '/home/a/.cache/uv', on_home: true },
      { ...cache, name: 'pip', path: '/scratch/a/pip', on_home: false }
    ]);
    w.server.set('GET environments', [environment({ name: '<b>x', origin: 'foreign' })]);
    await show();
    expect(panel.get('.jp-HpcEnv-first').textContent).toContain('Environments lie in home unless you say otherwise: 8.8 GB free.');
    expect(panel.get('.jp-HpcEnv-first').textContent).toContain('uv keeps what it fetches in your home.');
    expect(panel.get('.jp-HpcEnv-first').textContent).toContain('1 environment of other tools was found');
    expect(panel.get('.jp-HpcEnv-first pre').textContent).toBe('jupyter hpcenv setup --user');
    expect(panel.all('[role="tree"]')).toHaveLength(1);
    await panel.click(panel.button('Room and caches'));
    expect(pages.open).toHaveBeenCalledWith({ view: 'room' });
    w.server.set('GET environments', [environment()]);
    await w.model.refresh();
    await panel.settle();
    expect(panel.all('.jp-HpcEnv-first')).toHaveLength(0);
    expect(panel.text()).not.toContain('No environments yet');
  });

  it('says why there is no list, and reads again', async () => {
    w.server.set('GET environments', new Refusal(500, { message: 'Location x is not readable.', reason: '', code: 'error', hints: ['Ask its owner.'] }));
    await show();
    expect(panel.get('[role="alert"]').textContent).toContain('Location x is not readable.');
    expect(panel.text()).toContain('Ask its owner.');
    w.server.set('GET environments', [environment()]);
    await panel.click(panel.button('Try again'));
    expect(rows()).toEqual(['climate']);
  });

  it('keeps an old list and says so', async () => {
    w.server.set('GET environments', [environment()]);
    await show();
    w.server.offline = true;
    await w.model.refresh();
    await panel.settle();
    expect(rows()).toEqual(['climate']);
    expect(panel.text()).toContain('No connection. This is the list of');
  });

  it('is a tree with one tab stop', async () => {
    w.server.set('GET environments', [environment({ name: 'a' }), environment({ name: 'b' }), environment({ name: 'x', origin: 'foreign' })]);
    await show();
    expect(rows()).toEqual(['a', 'b']);
    expect(panel.all('[role="treeitem"][tabindex="0"]')).toHaveLength(1);
    expect(panel.all('[role="treeitem"]').map(node => node.getAttribute('aria-posinset'))).toEqual(['1', '1', '2', '2']);
    const tree = panel.get('[role="tree"]');
    await panel.press(tree, 'ArrowDown');
    await frame();
    expect(focused()).toBe('b, ready, Python 3.12, venv, home');
    await panel.press(document.activeElement as HTMLElement, 'Enter');
    expect(pages.open).toHaveBeenCalledWith({ environment: environment({ name: 'b' }).id, operation: undefined });
    await panel.press(document.activeElement as HTMLElement, 'Enter', { shiftKey: true });
    expect(w.executed.at(-1)).toEqual(['notebook:create-new', { kernelName: 'hpcenv-home.b', activate: true }]);
    await panel.press(document.activeElement as HTMLElement, 'End');
    await frame();
    await panel.press(document.activeElement as HTMLElement, 'ArrowRight');
    expect(rows()).toEqual(['a', 'b', 'x']);
  });

  it('filters by every word and says what would match', async () => {
    w.server.set('GET environments', [environment({ name: 'gpu' }), environment({ name: 'cpu' })]);
    await show();
    const filter = panel.get<HTMLInputElement>('input[type="search"]');
    await panel.type(filter, 'gpu venv');
    expect(rows()).toEqual(['gpu']);
    await panel.press(filter, 'Enter');
    expect(pages.open).toHaveBeenCalledTimes(1);
    await panel.type(filter, 'gpu conda');
    expect(panel.text()).toContain('No environment matches “gpu conda”. 1 matches without “conda”.');
    await panel.click(panel.button('Clear filter'));
    expect(rows()).toEqual(['cpu', 'gpu']);
  });

  it('shows a build and offers to cancel it', async () => {
    w.server.set('GET operations', [operation('hydro', 3)]);
    await show();
    expect(panel.text()).toContain('3/6');
    w.server.set(`POST operations/${operation('hydro').id}/cancel`, operation('hydro', 3, { cancelling: true }));
    await panel.click(panel.button('Cancel build'));
    expect(panel.text()).toContain('Cancelling');
    expect(panel.all('[aria-label="Cancel build"]')).toEqual([]);
  });

  it('tries a failure again, and forgets the old operation', async () => {
    const failed = operation('hydro', 2, { state: 'failed', error: { message: 'No.', reason: '', code: 'build_failed', hints: [] } });
    const again = { ...operation('hydro', 0, { state: 'pending' }), id: '20261121-090000-00000000' };
    w.server.set('GET operations', [failed]);
    w.server.set('POST environments', again);
    w.server.set(`DELETE operations/${failed.id}`, undefined);
    await show();
    await panel.click(panel.button('Try again'));
    expect(w.server.writes.map(call => call.method)).toEqual(['POST', 'DELETE']);
    expect(w.server.writes[0].body).toEqual(failed.request);
    expect(pages.open).toHaveBeenCalledWith({ operation: again.id, environment: again.environment.id });
  });

  it('deletes at once, goes to the next row, and offers to undo', async () => {
    const info = vi.spyOn(Notification, 'info');
    const item = { ...environment({ name: 'a' }), path: '', deleted: '2026-11-21T08:00:00Z', expires: '2026-11-28T08:00:00Z' };
    w.server.set('GET environments', [environment({ name: 'a' }), environment({ name: 'b' })]);
    w.server.set(`DELETE environments/${item.id}`, () => {
      w.server.set('GET environments', [environment({ name: 'b' })]);
      return item;
    });
    w.server.set(`POST trash/${item.id}/restore`, environment({ name: 'a' }));
    await show();
    const tree = panel.get('[role="tree"]');
    await panel.press(tree, 'Home');
    await panel.press(tree, 'ArrowDown');
    await frame();
    await panel.press(document.activeElement as HTMLElement, 'Delete');
    await frame();
    expect(rows()).toEqual(['b']);
    expect(focused()).toContain('b, ready');
    expect(info.mock.calls[0][0]).toBe('Deleted a. It stays in the trash for 7 days.');
    info.mock.calls[0][1]?.actions?.[0].callback(new MouseEvent('click'));
    await panel.settle();
    expect(w.server.writes.at(-1)?.path).toMatch(/^trash\/a0+\/restore/);
    expect(w.refreshedKernels()).toBe(2);
  });

  it('asks before it deletes what runs, with the focus on Cancel', async () => {
    w.server.set('GET environments', [environment({ name: 'a' })]);
    w.kernels.push('hpcenv-home.a');
    await show();
    const tree = panel.get('[role="tree"]');
    await panel.press(tree, 'Delete');
    const dialog = document.querySelector('.jp-Dialog') as HTMLElement;
    expect(dialog.textContent).toContain('Delete a?');
    expect(dialog.textContent).toContain('1 kernel is running.');
    (dialog.querySelector('.jp-mod-reject') as HTMLElement).click();
    await panel.settle();
    expect(w.server.writes).toEqual([]);
  });

  it('draws hostile names as text', async () => {
    const hostile = '<img src=x onerror=alert(1)>';
    w.server.set('GET environments', [environment({ name: hostile, message: hostile, state: 'broken' })]);
    await show();
    expect(rows()).toEqual([hostile]);
    expect(panel.all('img')).toEqual([]);
  });
});
