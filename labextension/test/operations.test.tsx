/** Where operations are listed: each says what it does, and leads to where it is shown. */
import type { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { actsOf } from '../src/panel/menu';
import { makeRows } from '../src/panel/rows';
import { addRunningSection } from '../src/running';
import { StatusItem } from '../src/status';
import type { IOperation } from '../src/tokens';
import { settle } from './draw';
import { environment, IWorld, operation, trans, world } from './facts';

let w: IWorld;
let widget: StatusItem | undefined;
const open = vi.fn();

beforeEach(() => {
  w = world();
  w.actions.pages = { open, create: vi.fn() };
  open.mockClear();
});
afterEach(() => {
  widget?.dispose();
  widget = undefined;
});

const change = (fields: Partial<IOperation> = {}): IOperation => operation('climate', 2, { id: '20261121-090000-0000000c', verb: 'change', ...fields });
const place = { operation: change().id, environment: change().environment.id, tab: 'packages' };

async function have(...operations: IOperation[]): Promise<void> {
  w.server.set('GET environments', [environment()]);
  w.server.set('GET operations', operations);
  await w.model.refresh();
}

describe('a change', () => {
  it('is a row that says so, and can be cancelled', async () => {
    await have(change());
    const [row, ...more] = makeRows(w.model, trans);
    expect(more).toEqual([]);
    expect([row.strong, row.rest, row.tag]).toEqual(['Resolve', '· changing packages', '2/6']);
    expect(row.label).toBe('climate, changing packages, step 2 of 6, Resolve');
    const context = { actions: w.actions, trans, open: vi.fn(), remove: vi.fn() };
    expect(actsOf(row, context).map(each => each.label)).toEqual(['Cancel change', 'Open']);
  });

  it('is the ready environment again when it has failed', async () => {
    await have(change({ state: 'failed', error: { message: 'no', reason: '', code: '', hints: [] } }));
    expect(makeRows(w.model, trans).map(row => [row.kind, row.strong])).toEqual([['ready', '']]);
  });

  it('stands among what runs, and leads to the packages', async () => {
    await have(change(), operation('hydro', 3), { ...change(), id: 'r', verb: 'repair' });
    const managers: IRunningSessions.IManager[] = [];
    addRunningSection({ add: (manager: IRunningSessions.IManager) => managers.push(manager) } as unknown as IRunningSessionManagers, w.model, w.actions, trans);
    const items = managers[0].running({ mode: 'list' });
    expect(items.map(item => (item.label as () => string)())).toEqual(['Changing packages of climate', 'hydro', 'Repairing climate']);
    items[0].open?.();
    expect(open).toHaveBeenCalledWith(place);
  });

  it('stands in the status bar', async () => {
    await have(change());
    widget = new StatusItem(w);
    Widget.attach(widget, document.body);
    await act(async () => MessageLoop.sendMessage(widget as Widget, Widget.Msg.UpdateRequest));
    await settle();
    const button = (): HTMLElement => widget?.node.querySelector('button') as HTMLElement;
    expect([button().textContent, button().title]).toEqual(['Changing packages of climate 2/6', 'Show the packages of climate']);
    button().click();
    expect(open).toHaveBeenCalledWith(place);
    await act(async () => have(change(), operation('hydro', 3)));
    await settle();
    expect(button().textContent).toBe('2 operations');
    await act(async () => have(operation('hydro', 3)));
    await settle();
    expect([button().textContent, button().title]).toEqual(['hydro 3/6', 'Show the build of hydro']);
  });
});

describe('a plan of a change', () => {
  it('is in no list, and no notice tells of it', async () => {
    const ended = vi.fn();
    const stepped = vi.fn();
    w.model.finished.connect(ended);
    w.model.stepped.connect(stepped);
    await have(change({ verb: 'plan_change' }));
    expect([w.model.operations, w.model.running]).toEqual([[], []]);
    await have(change({ verb: 'plan_change', state: 'succeeded' }));
    expect([ended.mock.calls, stepped.mock.calls]).toEqual([[], []]);
  });
});
