import { Notification } from '@jupyterlab/apputils';
import React from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EnvironmentPage } from '../src/environment/page';
import { connectNotices } from '../src/notices';
import { bare, hits, runs } from '../src/operation/log';
import { OperationPage } from '../src/operation/page';
import { operationAt } from '../src/page';
import { samePlace } from '../src/pages';
import { draw, IDrawn } from './draw';
import { detail, environment, IWorld, operation, trans, world } from './facts';

let w: IWorld;
let page: IDrawn | undefined;
beforeEach(() => {
  w = world();
});
afterEach(() => {
  page?.clear();
  page = undefined;
  vi.restoreAllMocks();
});

const LINES = [
  { at: 0, kind: 'step', text: 'Resolve' },
  { at: 0.5, kind: 'output', text: '\u001b[32mResolved\u001b[0m numpy' },
  { at: 0.8, kind: 'warning', text: 'numpy is old' },
  { at: 0.9, kind: 'error', text: '<b>No</b> solution \u001b]0;title\u0007found' }
];

async function openOperation(what: ReturnType<typeof operation>): Promise<IDrawn> {
  w.server.set(`GET operations/${what.id}/log`, { lines: LINES, offset: 99, complete: true });
  page = await draw(
    w,
    <OperationPage operation={what} arrived={false} onChange={() => undefined} onRetry={async () => undefined} onForget={async () => undefined} />
  );
  return page;
}

describe('the page of an operation', () => {
  it('shows the steps, and no percentage that nobody knows', async () => {
    const drawn = await openOperation(operation('hydro', 3));
    const bar = drawn.get('[role="progressbar"]');
    expect(bar.getAttribute('aria-valuetext')).toBe('Step 3 of 6, Download');
    expect(bar.querySelector('.jp-mod-unknown')).toBeTruthy();
    expect(drawn.get('[aria-current="step"]').textContent).toContain('Download, running');
    expect(drawn.text()).not.toContain('%');
  });

  it('shows bytes where they are known', async () => {
    const progress = { packages_done: 22, packages_total: 34, bytes_done: 71e6, bytes_total: 118e6 };
    const drawn = await openOperation(operation('hydro', 3, { progress }));
    expect(drawn.text()).toContain('71 MB of 118 MB, 22 of 34 packages');
    expect(drawn.all('.jp-mod-unknown')).toEqual([]);
  });

  it('says why it failed and what to do', async () => {
    const error = { message: 'numba needs an older numpy.', reason: 'uv says so', code: 'requirements_conflict', hints: ['Take numba 0.61.'] };
    const drawn = await openOperation(operation('hydro', 2, { state: 'failed', error }));
    const told = drawn.get('[role="alert"]').textContent;
    for (const part of ['Some of your requirements exclude each other', 'numba needs an older numpy.', 'uv says so', 'Take numba 0.61.']) {
      expect(told).toContain(part);
    }
    expect(drawn.button('Change the request')).toBeTruthy();
    expect(drawn.button('Try again')).toBeTruthy();
  });

  it('says that nothing was left behind after a cancel', async () => {
    const drawn = await openOperation(operation('hydro', 2, { state: 'cancelled' }));
    expect(drawn.text()).toContain('Cancelled hydro. Nothing was left behind.');
    expect(drawn.button('Create again')).toBeTruthy();
    expect(drawn.all('[role="alert"]')).toEqual([]);
  });

  it('searches, narrows and copies its log', async () => {
    const drawn = await openOperation(operation('hydro', 3));
    const lines = (): string[] => drawn.all('[role="log"] > div').map(node => node.lastElementChild?.textContent ?? '');
    expect(lines()).toEqual(['Resolve', 'Resolved numpy', 'numpy is old', '<b>No</b> solution found']);
    expect(drawn.all('[role="log"] b')).toEqual([]);
    const search = drawn.get('[aria-label="Search the log"]');
    await drawn.type(search, 'NUMPY');
    expect(drawn.text()).toContain('1 of 2');
    await drawn.press(search, 'Enter');
    expect(drawn.text()).toContain('2 of 2');
    expect(drawn.all('mark')).toHaveLength(2);
    await drawn.type(search, '');
    await drawn.click(drawn.button('1 warning'));
    expect(lines()).toEqual(['numpy is old']);
  });
});

describe('log lines', () => {
  it('keep colours as ours, and lose every other escape', () => {
    expect(runs('\u001b[1;31mno\u001b[0m \u001b]52;c;ZXZpbA==\u0007yes\u001b[2K')).toEqual([
      { text: 'no', style: 'ansi-B ansi-r' },
      { text: ' ', style: '' },
      { text: 'yes', style: '' }
    ]);
    expect(bare('a\u202eb\u0008')).toBe('a\ufffdb\ufffd');
    expect(hits(['aa a', 'A'], 'a')).toHaveLength(4);
  });
});

describe('the page of an environment', () => {
  async function openEnvironment(change: Parameters<typeof detail>[0] = {}): Promise<IDrawn> {
    const facts = detail(change);
    w.server.set('GET environments', [environment(change)]);
    w.server.set(`GET environments/${facts.id}`, facts);
    w.server.set(`GET environments/${facts.id}/activation`, { dialect: 'sh', command: `. '${facts.prefix}/bin/activate'` });
    w.server.set(`GET environments/${facts.id}/packages`, [
      { name: 'numpy', version: '2.3.3', source: 'wheel' },
      { name: 'ipykernel', version: '7.4', source: 'wheel' }
    ]);
    await w.model.refresh();
    page = await draw(w, <EnvironmentPage id={facts.id} arrived={false} onClose={() => undefined} />);
    return page;
  }

  it('says how it is and where it can be used', async () => {
    const drawn = await openEnvironment();
    for (const part of ['Kernel proven', 'Kernel climate', "/bin/activate'", 'filled by uv', 'numpy']) {
      expect(drawn.text()).toContain(part);
    }
    await drawn.click(drawn.all('button').find(node => node.textContent === 'New notebook') as HTMLElement);
    expect(w.executed[0]).toEqual(['notebook:create-new', { kernelName: 'hpcenv-home.climate', activate: true }]);
  });

  it('says what the doctor finds, as text, and what of it is told already only once', async () => {
    const facts = detail();
    const finding = { breaks: 'b', severity: 'risk', environment: facts.id, path: '', fix: '', advice: 'Take them away.' };
    w.server.set(`GET environments/${facts.id}/findings`, [
      { ...finding, code: 'others_can_write', message: 'Others can change it: <b>x</b>.' },
      { ...finding, code: 'python_gone', message: 'told by its state' }
    ]);
    const drawn = await openEnvironment();
    expect(drawn.get('.jp-HpcEnv-findings').textContent).toContain('Others can change it: <b>x</b>.bTake them away.');
    expect(drawn.text()).not.toContain('told by its state');
  });

  it('opens a terminal with the environment active', async () => {
    const drawn = await openEnvironment();
    await drawn.click(drawn.button('Open terminal'));
    expect(w.executed.at(-1)).toEqual(['terminal:open', { name: '1' }]);
    expect(w.typed).toEqual([". '/home/a/envs/climate/bin/activate'\r"]);
  });

  it('has tabs that arrows move through', async () => {
    const drawn = await openEnvironment();
    await drawn.press(drawn.get('[role="tab"][aria-selected="true"]'), 'ArrowRight');
    expect(document.activeElement?.textContent).toBe('Packages2');
    expect(drawn.all('tbody tr').map(row => row.textContent)).toEqual(['ipykernel7.4wheel', 'numpy2.3.3wheelyou']);
    await drawn.click(drawn.button('Asked for'));
    expect(drawn.all('tbody tr')).toHaveLength(1);
  });

  it('takes its kernel off the launcher', async () => {
    const drawn = await openEnvironment();
    const facts = detail();
    w.server.set(`DELETE environments/${facts.id}/kernels/hpcenv-home.climate`, undefined);
    await drawn.press(drawn.get('[role="tab"][aria-selected="true"]'), 'ArrowRight');
    await drawn.press(document.activeElement as HTMLElement, 'ArrowRight');
    await drawn.click(drawn.button('Take off'));
    expect(w.server.writes[0].path).toContain('kernels/hpcenv-home.climate');
    expect(w.refreshedKernels()).toBe(1);
  });

  it('says what is wrong and offers nothing that can not work', async () => {
    const drawn = await openEnvironment({ state: 'python_gone', message: 'Python 3.12.11 was removed.' });
    expect(drawn.text()).toContain('Python 3.12.11 was removed.');
    expect(drawn.all('button').filter(node => node.textContent === 'New notebook')).toEqual([]);
  });

  it('offers to restore what was deleted', async () => {
    const gone = environment();
    w.server.set('GET trash', [{ ...gone, path: '', deleted: '', expires: '' }]);
    w.server.set(`POST trash/${gone.id}/restore`, detail());
    await w.model.refresh();
    page = await draw(w, <EnvironmentPage id={gone.id} arrived={false} onClose={() => undefined} />);
    expect(page.text()).toContain('climate was deleted');
    await page.click(page.button('Restore'));
    expect(w.server.writes.map(call => call.method)).toEqual(['POST']);
  });
});

describe('which page', () => {
  it('is the build until it has succeeded, then the environment', () => {
    const building = operation('hydro', 3);
    const place = { operation: building.id, environment: building.environment.id };
    const model = (what: typeof building, there: boolean) =>
      ({ operation: () => what, operations: [what], environment: () => (there ? environment({ name: 'hydro' }) : undefined) }) as never;
    expect(operationAt(place, model(building, true))).toBe(building);
    const failed = operation('hydro', 3, { state: 'failed' });
    expect(operationAt(place, model(failed, false))).toBe(failed);
    expect(operationAt(place, model(failed, true))).toBeUndefined();
    expect(operationAt(place, model(operation('hydro', 6, { state: 'succeeded' }), true))).toBeUndefined();
    expect(samePlace(place, { environment: place.environment })).toBe(true);
    expect(samePlace({}, {})).toBe(false);
  });
});

describe('notifications', () => {
  it('come once for an operation, with what to do next', async () => {
    const success = vi.spyOn(Notification, 'success');
    connectNotices(w.model, w.actions, trans);
    w.server.set('GET operations', [operation('hydro', 3)]);
    await w.model.refresh();
    w.server.set('GET operations', [operation('hydro', 6, { state: 'succeeded' })]);
    w.server.set('GET environments', [environment({ name: 'hydro' })]);
    await w.model.refresh();
    await w.model.refresh();
    expect(success).toHaveBeenCalledTimes(1);
    expect(success.mock.calls[0][0]).toBe('hydro is ready. Built in 11 s.');
    expect(success.mock.calls[0][1]?.actions?.map(action => action.label)).toEqual(['Show', 'New notebook']);
  });

  it('say why it failed, and fill the form again after a cancel without sending it', async () => {
    const error = vi.spyOn(Notification, 'error');
    const info = vi.spyOn(Notification, 'info');
    const create = vi.fn();
    w.actions.pages = { open: vi.fn(), create };
    connectNotices(w.model, w.actions, trans);
    w.server.set('GET operations', [operation('bad', 2), operation('stopped', 2)]);
    await w.model.refresh();
    const why = { message: 'No such package.', reason: '', code: 'package_not_found', hints: [] };
    w.server.set('GET operations', [operation('bad', 2, { state: 'failed', error: why }), operation('stopped', 2, { state: 'cancelled' })]);
    await w.model.refresh();
    expect(error.mock.calls[0][0]).toBe('bad failed. No such package.');
    info.mock.calls[0][1]?.actions?.[0].callback(new MouseEvent('click'));
    expect(create).toHaveBeenCalledWith(operation('stopped').request);
    expect(w.server.writes).toEqual([]);
  });
});
