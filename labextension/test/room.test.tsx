/** Pages about all environments: what was deleted, and the room that all takes. */
import { Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import React, { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { addCommands, ICommandOptions } from '../src/commands';
import { samePlace } from '../src/pages';
import { facts } from '../src/room/filled';
import { RoomPage } from '../src/room/page';
import { TrashPage } from '../src/room/trash';
import type { ICache, ISize, ITrashItem } from '../src/tokens';
import { NO } from './acts';
import { draw, IDrawn } from './draw';
import { environment, ICall, IWorld, Refusal, site, trans, world } from './facts';

let w: IWorld;
let page: IDrawn | undefined;
beforeEach(() => {
  w = world();
  w.actions.pages = { open: vi.fn(), create: vi.fn() };
});
afterEach(() => {
  page?.clear();
  page = undefined;
  vi.useRealTimers();
});

function item(name: string, deleted: string): ITrashItem {
  const place = { location: 'home', prefix: `/home/a/envs/${name}`, path: '/home/a/.trash/1', python: '3.12.11' };
  return { id: name.padEnd(32, '0'), name, ...place, deleted, expires: '2026-11-28T08:00:00.000Z' };
}

describe('the trash', () => {
  it('has the newest first, and brings back what is pressed', async () => {
    const [old, hostile] = [item('old', '2026-11-20T08:00:00.000Z'), item('<b>new</b>', '2026-11-21T08:00:00.000Z')];
    w.server.set('GET trash', [old, hostile]);
    page = await draw(w, <TrashPage />);
    expect(page.all('li b').map(node => node.textContent)).toEqual(['<b>new</b>', 'old']);
    expect(page.get('li').textContent).toMatch(/Python 3.12 · home · deleted .*Kept until .*2026/);
    expect(w.server.writes).toEqual([]);
    w.server.set(`POST trash/${old.id}/restore`, environment({ name: 'old' }));
    w.server.set('GET trash', [hostile]);
    page.button('Restore old').focus();
    await page.click(page.button('Restore old'));
    await act(async () => new Promise(requestAnimationFrame));
    expect(w.server.writes.map(call => call.path.split('?')[0])).toEqual([`trash/${old.id}/restore`]);
    expect(page.all('li')).toHaveLength(1);
    expect(document.activeElement).toBe(page.button('Restore <b>new</b>'));
  });

  /** What the dialog in front says; its button is pressed. */
  async function answer(kind: 'accept' | 'reject'): Promise<string> {
    const dialog = document.querySelector('.jp-Dialog') as HTMLElement;
    const text = dialog.textContent ?? '';
    await act(async () => (dialog.querySelector(`.jp-mod-${kind}`) as HTMLElement).click());
    await page?.settle();
    return text;
  }

  it('makes room: one item goes for good after it was asked', async () => {
    const [old, hostile] = [item('old', '2026-11-20T08:00:00.000Z'), { ...item('<b>new</b>', '2026-11-21T08:00:00.000Z'), id: 'n'.repeat(32) }];
    w.server.set('GET trash', [old, hostile]);
    w.server.set(`DELETE trash/${hostile.id}`, () => {
      w.server.set('GET trash', [old]);
      return undefined;
    });
    page = await draw(w, <TrashPage />);
    const press = page.button('Delete <b>new</b> for good…');
    press.focus();
    await page.click(press);
    expect(await answer('reject')).toContain('Delete <b>new</b> for good?It can not be restored afterwards.');
    expect(w.server.writes).toEqual([]);
    expect(page.all('li')).toHaveLength(2);
    await page.click(page.button('Delete <b>new</b> for good…'));
    expect(w.server.writes).toEqual([]);
    await answer('accept');
    expect(w.server.writes.map(call => `${call.method} ${call.path.split('?')[0]}`)).toEqual([`DELETE trash/${hostile.id}`]);
    expect(page.all('li b').map(node => node.textContent)).toEqual(['old']);
    expect(document.activeElement).toBe(page.button('Delete old for good…'));
  });

  it('is emptied after it was said how many go, and says what stays', async () => {
    const error = vi.spyOn(Notification, 'error').mockReturnValue('');
    const all = ['a', 'b', 'c'].map((name, at) => item(name, `2026-11-2${at}T08:00:00.000Z`));
    w.server.set('GET trash', all);
    page = await draw(w, <TrashPage />);
    await page.click(page.button('Empty the trash…'));
    expect(await answer('reject')).toContain('Delete 3 environments for good?They can not be restored afterwards.');
    expect(w.server.writes).toEqual([]);
    w.server.set(`DELETE trash/${all[0].id}`, undefined);
    w.server.set(`DELETE trash/${all[1].id}`, new Refusal(409, NO));
    w.server.set(`DELETE trash/${all[2].id}`, () => {
      w.server.set('GET trash', [all[1]]);
      return undefined;
    });
    await page.click(page.button('Empty the trash…'));
    await answer('accept');
    expect(w.server.writes.map(call => call.method)).toEqual(['DELETE', 'DELETE', 'DELETE']);
    expect(error.mock.calls.map(call => call[0])).toEqual(['b could not be deleted for good. No: <b>x</b>. First do this.']);
    expect(page.all('li b').map(node => node.textContent)).toEqual(['b']);
    error.mockRestore();
  });

  it('is empty, or can not be read, and says so', async () => {
    page = await draw(w, <TrashPage />);
    expect(page.text()).toContain('The trash is empty');
    page.clear();
    w.server.set('GET trash', new Refusal(500, NO));
    page = await draw(w, <TrashPage />);
    expect(page.get('[role="alert"]').textContent).toContain('No: <b>x</b>.');
    w.server.set('GET trash', []);
    await page.click(page.button('Try again'));
    expect(page.text()).toContain('The trash is empty');
  });
});

function size(name: string, bytes: number | null, change: Partial<ISize> = {}): ISize {
  return { environment: name, name, location: 'home', bytes, files: bytes && 1000, shared_bytes: 0, measuring: false, message: '', ...change };
}

function cache(name: string, change: Partial<ICache> = {}): ICache {
  const figures = { bytes: 1.5e9, files: 12_000, measured: '', measuring: false };
  return { name, path: `/home/a/.cache/${name}`, ...figures, on_home: true, notes: [], used_by: [], cleanable: true, reason: '', ...change };
}

async function open(sizes: ISize[] = [], caches: ICache[] = []): Promise<IDrawn> {
  w.server.set('GET sizes', sizes);
  w.server.set('GET caches', caches);
  page = await draw(w, <RoomPage />);
  return page;
}

describe('room', () => {
  it('is told of each location: quotas where there are any, and how long files stay', async () => {
    const [home, scratch] = site().locations;
    const quota = { quota_bytes: 50e9, used_bytes: 47e9, quota_files: 100_000, used_files: 20_000, backed_up: true };
    w.server.set('GET site', site({ locations: [{ ...home, ...quota }, { ...scratch, purge_days: 30, backed_up: false, sharing: true, description: '<b>fast</b>' }] }));
    const drawn = await open();
    const [first, second] = drawn.all('.jp-HpcEnv-room > li');
    expect(first.textContent).toContain('47 of 50 GB of your quota');
    expect(first.textContent).toContain('20,000 of 100K files of your quota');
    expect(first.textContent).toContain('Backed up.');
    expect(first.querySelectorAll('.jp-HpcEnv-bar.jp-mod-warn')).toHaveLength(1);
    for (const part of ['<b>fast</b>', 'Files that nobody used go after 30 days.', 'Not backed up.', 'For sharing with colleagues.', '1.9 of 5 TB used']) {
      expect(second.textContent).toContain(part);
    }
    expect(facts({ ...home, purge_days: null }, trans)).toEqual([]);
  });

  it('is told of each environment, the largest first, and again while it is measured', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const drawn = await open([size('small', 1e6), size('<i>new</i>', null, { measuring: true }), size('large', 3e9), size('odd', null, { message: 'It is <b>gone</b>.' })]);
    const rows = (): string[] => drawn.all('tbody tr').map(row => row.textContent ?? '');
    expect(rows()).toEqual(['largehomehome3 GB1,000', 'smallhomehome1 MB1,000', '<i>new</i>homehomemeasuring…', 'oddhomehomeIt is <b>gone</b>.']);
    w.server.set('GET sizes', [size('small', 1e6), size('<i>new</i>', 5e9), size('large', 3e9)]);
    await act(async () => vi.advanceTimersByTimeAsync(1_100));
    await drawn.settle();
    expect(rows()[0]).toBe('<i>new</i>homehome5 GB1,000');
    expect(drawn.text()).toContain('8 GB in all');
    // where the page is narrow the column goes, and the same is said below the name
    expect(drawn.get('tbody td .jp-HpcEnv-narrow').textContent).toBe(drawn.get('tbody td.jp-HpcEnv-optional').textContent);
    await drawn.click(drawn.button('large'));
    expect(w.actions.pages?.open).toHaveBeenCalledWith({ environment: 'large' });
    expect(w.server.writes).toEqual([]);
  });
});

describe('a cache', () => {
  it('is cleaned after it was said what would go', async () => {
    w.server.set('GET environments', [environment({ name: 'climate' })]);
    await w.model.refresh();
    const drawn = await open([], [cache('uv', { notes: ['It is <b>there</b>.'] }), cache('conda', { cleanable: false, reason: 'It is in use.', used_by: [environment().id, 'x'] })]);
    const [uv, conda] = drawn.all('.jp-HpcEnv-caches > li');
    expect(uv.textContent).toContain('uv 1.5 GB, 12,000 files/home/a/.cache/uvIt is <b>there</b>.');
    expect(conda.textContent).toContain('Used by climate, x: without it they would not work.It is in use.');
    expect(conda.querySelector('button')).toBeNull();
    w.server.set('POST caches/clean', (call: ICall) => [
      { name: 'uv', path: '', bytes: 1e9, files: 9_000, done: true, reason: (call.body as { dry_run: boolean }).dry_run ? '3 files <b>stay</b>.' : '' }
    ]);
    expect(w.server.writes).toEqual([]);
    await drawn.click(drawn.button('Clean uv…'));
    await act(async () => new Promise(requestAnimationFrame));
    expect(w.server.writes.map(call => call.body)).toEqual([{ caches: ['uv'], dry_run: true }]);
    expect(document.activeElement?.textContent).toBe('Would go: 1 GB in 9,000 files.');
    expect(uv.textContent).toContain('3 files <b>stay</b>.');
    await drawn.click(drawn.button('Clean'));
    expect(w.server.writes.at(-1)?.body).toEqual({ caches: ['uv'], dry_run: false });
    expect(uv.textContent).toContain('Gone: 1 GB in 9,000 files.');
    await act(async () => new Promise(requestAnimationFrame));
    expect(document.activeElement).toBe(drawn.button('Clean uv…'));
  });

  it('that must stay says why, and Escape leads back', async () => {
    const drawn = await open([], [cache('pip')]);
    w.server.set('POST caches/clean', [{ name: 'pip', path: '', bytes: 0, files: 0, done: false, reason: 'Somebody <b>uses</b> it.' }]);
    await drawn.click(drawn.button('Clean pip…'));
    await act(async () => new Promise(requestAnimationFrame));
    expect(drawn.get('[role="group"]').textContent).toBe('Nothing would go.Somebody <b>uses</b> it.Cancel');
    await drawn.press(document.activeElement as HTMLElement, 'Escape');
    await act(async () => new Promise(requestAnimationFrame));
    expect(document.activeElement).toBe(drawn.button('Clean pip…'));
    w.server.set('POST caches/clean', new Refusal(409, NO));
    await drawn.click(drawn.button('Clean pip…'));
    expect(drawn.get('[role="alert"]').textContent).toContain('No: <b>x</b>.');
  });
});

describe('the pages', () => {
  it('are opened by a command that sends nothing, each once', async () => {
    const commands = new CommandRegistry();
    const pages = { open: vi.fn(), create: vi.fn() };
    const options = { app: { commands, shell: { activateById: vi.fn() } }, model: w.model, pages, panelId: 'p', trans, palette: null, launcher: null };
    addCommands(options as unknown as ICommandOptions);
    await commands.execute('hpcenv:open', { view: 'trash', environment: '../x' });
    expect(pages.open).toHaveBeenLastCalledWith({ view: 'trash' }, undefined);
    await commands.execute('hpcenv:open', { view: 'toString' });
    expect(pages.open).toHaveBeenCalledTimes(1);
    expect([samePlace({ view: 'trash' }, { view: 'trash' }), samePlace({ view: 'trash' }, { view: 'room' }), samePlace({}, {})]).toEqual([true, false, false]);
    expect(w.server.writes).toEqual([]);
  });
});
