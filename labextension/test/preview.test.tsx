import React, { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newDraft } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import { Planner } from '../src/create/plan';
import type { ICreateRequest, IOperation } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { ICall, IWorld, operation, plan, planned, Refusal, siteWithConda, world } from './facts';

let w: IWorld;
let page: IDrawn | undefined;
/** How the operation of the preview stands; what GET answers. */
let planning: IOperation;

function planOf(change: Partial<IOperation> = {}): IOperation {
  return operation('hydro', 1, { id: '20261121-080000-0000000p', verb: 'plan', ...change });
}

beforeEach(() => {
  w = world();
  planning = planOf();
  w.server.set('GET site', siteWithConda());
  w.server.set('POST environments', () => operation('hydro', 0, { state: 'pending' }));
  w.server.set('POST plans', () => planOf({ state: 'pending', step: 0 }));
  w.server.set(`GET operations/${planning.id}`, () => planning);
  w.server.set(`POST operations/${planning.id}/cancel`, () => ({ ...planning, cancelling: true }));
  w.server.set(`DELETE operations/${planning.id}`, undefined);
});
afterEach(() => {
  page?.clear();
  page = undefined;
  vi.useRealTimers();
});

const field = (name: string): HTMLInputElement => (page as IDrawn).get<HTMLInputElement>(`[data-field="${name}"]`);
const sent = (path: string): ICall[] => w.server.writes.filter(call => call.path.startsWith(path));

/** Let the clock run. */
async function wait(milliseconds: number): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(milliseconds);
  });
}

describe('a preview', () => {
  const start = async (change: Partial<ICreateRequest> = {}): Promise<IDrawn> => {
    const draft = newDraft({ name: 'hydro', manager: 'conda', packages: ['numpy'], ...change });
    const drawn = (page = await draw(w, <CreatePage draft={draft} onSubmitted={() => undefined} />));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await drawn.click(drawn.button('Preview'));
    return drawn;
  };
  const cells = (): string[][] =>
    (page as IDrawn).all('.jp-HpcEnv-planTable tr').map(row => [...row.children].map(cell => cell.textContent ?? ''));

  it('shows what would be installed, what was asked for first, and is created from there', async () => {
    const drawn = await start();
    expect(sent('plans')[0].body).toEqual({ name: 'hydro', manager: 'conda', packages: ['numpy'] });
    await wait(300);
    expect(drawn.get('.jp-HpcEnv-preview').textContent).toContain('Prefix…');
    expect(drawn.get('[role="progressbar"]').getAttribute('aria-label')).toBe('Preview');
    const install = [planned('python', { version: '3.12.11', bytes: 30_000_000 }), planned('numpy', { cached: true }), planned('a', { bytes: 0 })];
    const change = [{ name: 'b', old: planned('b'), new: planned('b', { version: '2.0' }) }];
    planning = planOf({
      state: 'succeeded',
      finished: '2026-11-21T08:00:00.900Z',
      result: { ...plan({ install, change, remove: [planned('c')], download_bytes: 31_000_000, pip: ['rich>=13'], notes: ['So it is.'], warnings: ['Mind it.'] }) }
    });
    await wait(2_000);
    expect(cells()).toEqual([
      ['Package, build', 'Version', 'Size'],
      ['New, 3'],
      ['numpy, asked forh1_0', '1.0', 'in the cache'],
      ['ah1_0', '1.0', ''],
      ['pythonh1_0', '3.12.11', '30 MB'],
      ['Changes, 1'],
      ['bh1_0', '1.0 → 2.0', '1 MB'],
      ['Goes, 1'],
      ['ch1_0', '1.0', '']
    ]);
    const told = drawn.get('.jp-HpcEnv-preview').textContent ?? '';
    for (const part of ['Worked out in 0.4 s', 'packages4', 'to downloadover 31 MB', 'rich>=13', 'Warning: Mind it.', 'So it is.']) {
      expect(told).toContain(part);
    }
    expect(told).not.toContain('files');
    // nobody needs the operation any more
    expect(sent('operations').map(call => call.method)).toEqual(['DELETE']);
    await drawn.click(drawn.button('Create'));
    expect(sent('environments')[0].body).toEqual(sent('plans')[0].body);
  });

  it('says how much there is to fetch only where that is known', async () => {
    const drawn = await start();
    const figures = async (change: Parameters<typeof plan>[0]): Promise<string> => {
      planning = planOf({ state: 'succeeded', result: { ...plan(change) } });
      await wait(2_000);
      const told = drawn.all('.jp-HpcEnv-figures dd').map(node => node.textContent).join(' ');
      await drawn.click(drawn.button('Discard preview'));
      await drawn.click(drawn.button('Preview'));
      return told;
    };
    expect(await figures({})).toBe('2 2 MB');
    expect(await figures({ install: [planned('a', { cached: true })], download_bytes: 0, files: 1234 })).toBe('1 nothing 1,234');
    expect(await figures({ install: [planned('a', { bytes: 0 })], download_bytes: 0 })).toBe('1');
  });

  it('goes when the form changes, and is cancelled while it is under way', async () => {
    const drawn = await start();
    await wait(300);
    await drawn.type(field('python'), '3.12');
    expect(drawn.all('.jp-HpcEnv-preview')).toEqual([]);
    expect(sent('operations').map(call => call.path.split('?')[0])).toEqual([`operations/${planning.id}/cancel`]);
    planning = planOf({ state: 'succeeded', result: { ...plan() } });
    const asked = w.server.calls.length;
    await wait(5_000);
    expect(drawn.all('.jp-HpcEnv-preview')).toEqual([]);
    expect(w.server.calls).toHaveLength(asked);
    await drawn.click(drawn.button('Preview'));
    await wait(1_000);
    expect(drawn.all('.jp-HpcEnv-planTable')).toHaveLength(1);
    await drawn.type(field('python'), '3.13');
    expect(drawn.all('.jp-HpcEnv-preview')).toEqual([]);
  });

  it('is cancelled by its button, and when the page goes', async () => {
    let drawn = await start();
    await wait(300);
    await drawn.click(drawn.button('Cancel preview'));
    expect(drawn.all('.jp-HpcEnv-preview')).toEqual([]);
    drawn.clear();
    vi.useRealTimers();
    drawn = await start();
    await wait(300);
    drawn.clear();
    page = undefined;
    await wait(0);
    expect(sent('operations').map(call => call.path.split('?')[0])).toEqual(Array(2).fill(`operations/${planning.id}/cancel`));
  });

  it('shows a long reason as it is, to scroll and copy, beside what to do', async () => {
    const drawn = await start();
    const reason = 'Cannot solve:\n├─ numpy 3 <b>needs</b>\n│  └─ python 4\n└─ x';
    planning = planOf({ state: 'failed', error: { message: 'They exclude each other.', reason, code: 'requirements_conflict', hints: ['Loosen one.'] } });
    await wait(1_000);
    const told = drawn.get('.jp-HpcEnv-preview');
    expect(told.querySelector('[role="alert"]')?.textContent).toBe('They exclude each other.Loosen one.');
    const pre = drawn.get('.jp-HpcEnv-reason');
    expect(pre.textContent).toBe(reason);
    expect(pre.tabIndex).toBe(0);
    expect(pre.className).toContain('jp-mod-tree');
    expect(drawn.button('Copy what the program said')).toBeTruthy();
    expect(drawn.button('Preview')).toBeTruthy();
  });

  it('puts what is refused at once to its field', async () => {
    w.server.set('POST plans', new Refusal(422, { message: 'That is no match spec.', reason: '', code: 'invalid_requirement', hints: [] }));
    const drawn = await start();
    expect(field('packages').getAttribute('aria-invalid')).toBe('true');
    expect(drawn.text()).toContain('That is no match spec.');
    expect(drawn.all('.jp-HpcEnv-preview')).toEqual([]);
  });

  it('is not asked for while something is known to be wrong', async () => {
    await start({ name: '' });
    expect(w.server.writes).toEqual([]);
  });

  it('goes on when the connection comes back', async () => {
    const drawn = await start();
    await wait(300);
    w.server.offline = true;
    await wait(1_000);
    expect(drawn.text()).toContain('No connection, trying again…');
    w.server.offline = false;
    planning = planOf({ state: 'succeeded', result: { ...plan() } });
    await wait(4_000);
    expect(drawn.all('.jp-HpcEnv-planTable')).toHaveLength(1);
  });

  it('is no build: lists and notices do not know it', async () => {
    const ended = vi.fn();
    w.model.finished.connect(ended);
    w.server.set('GET operations', [planOf()]);
    await w.model.refresh();
    expect([w.model.operations, w.model.running]).toEqual([[], []]);
    w.server.set('GET operations', [planOf({ state: 'succeeded' })]);
    await w.model.refresh();
    expect(ended).not.toHaveBeenCalled();
  });
});

describe('a planner', () => {
  /** One whose server answers when the test lets it. */
  function slow() {
    const answers: ((operation: IOperation) => void)[] = [];
    const later = (): Promise<IOperation> => new Promise(resolve => answers.push(resolve));
    const cancel = vi.fn<(id: string) => Promise<IOperation>>(() => Promise.resolve(planOf()));
    const forget = vi.fn<(id: string) => Promise<null>>(() => Promise.resolve(null));
    const planner = new Planner({ plan: later, operation: later, cancel, forget }, () => undefined);
    return { planner, answers, cancel, forget };
  }
  const done = planOf({ state: 'succeeded', result: { ...plan() } });

  it('that is dropped before the server took the request cancels it when it is known', async () => {
    const { planner, answers, cancel } = slow();
    const started = planner.start({ name: 'a' });
    planner.drop();
    expect(cancel).not.toHaveBeenCalled();
    answers[0](planOf());
    expect(await started).toBeNull();
    expect(cancel.mock.calls).toEqual([[planning.id]]);
    expect(planner.preview).toEqual({ is: 'none' });
  });

  it('that is dropped while it asks shows nothing of the answer', async () => {
    vi.useFakeTimers();
    const { planner, answers, cancel, forget } = slow();
    const started = planner.start({ name: 'a' });
    answers[0](planOf());
    await vi.advanceTimersByTimeAsync(1_000);
    expect(answers).toHaveLength(2);
    planner.drop();
    answers[1](done);
    await started;
    expect(planner.preview).toEqual({ is: 'none' });
    expect([cancel.mock.calls.length, forget.mock.calls.length]).toEqual([1, 0]);
  });

  it('shows the last of two requests, whichever answer comes first', async () => {
    const { planner, answers } = slow();
    const first = planner.start({ name: 'a' });
    const second = planner.start({ name: 'b' });
    answers[1](done);
    await second;
    answers[0]({ ...done, id: 'old', result: { ...plan({ pip: ['old'] }) } });
    await first;
    expect(planner.preview).toMatchObject({ is: 'done', plan: { pip: [] } });
  });

  it('takes a result of which parts are missing', async () => {
    const { planner, answers } = slow();
    const started = planner.start({ name: 'a' });
    answers[0]({ ...done, result: null });
    await started;
    expect(planner.preview).toMatchObject({ is: 'done', plan: { install: [], download_bytes: null, files: null } });
  });
});
