/** What was done to an environment, and the way back from it: nothing is undone unseen. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verbWord } from '../src/environment/history';
import type { IEvent, IUndo } from '../src/tokens';
import { Acts, ID, NO } from './acts';
import { IDrawn } from './draw';
import { plan, planned, Refusal, trans } from './facts';

let s: Acts;
beforeEach(() => {
  s = new Acts();
});
afterEach(() => s.clear());

function event(verb: string, change: Partial<IEvent> = {}): IEvent {
  return { at: '2026-11-21T08:00:00.000Z', user: 'a', host: 'login1', verb, detail: '', operation: '', packages: [], ...change };
}

const UNDO: IUndo = {
  what: 'change',
  at: '2026-11-21T08:00:00.000Z',
  user: '<b>a</b>',
  sentence: 'Undoing the last change of <i>climate</i>: 1 package goes.',
  until: '2026-11-28T08:00:00.000Z',
  plan: plan({ install: [], remove: [planned('rich', { version: '14.1', build: '' })], download_bytes: null })
};

async function open(events: IEvent[], undo: object = UNDO): Promise<IDrawn> {
  s.w.server.set(`GET environments/${ID}/history`, events);
  s.w.server.set(`GET environments/${ID}/undo`, undo);
  const drawn = await s.open();
  await drawn.click(drawn.get(`#hpcenv-${ID}-tab-history`));
  return drawn;
}

describe('the history', () => {
  it('has the newest first, who did it, and its packages folded', async () => {
    const drawn = await open([
      event('create', { detail: '/home/a/envs/<b>climate</b>' }),
      event('change', { user: '<i>bo</i>', packages: ['+ rich 14.1', '~ numpy 2.2 → 2.3', '- attrs <b>25.1</b>', '… and 3 more'] })
    ]);
    const lines = drawn.all('.jp-HpcEnv-history > li');
    expect(lines.map(line => line.querySelector('b')?.textContent)).toEqual(['Packages changed', 'Created']);
    expect(lines[0].textContent).toContain('<i>bo</i> on login1');
    expect(lines[1].textContent).toContain('/home/a/envs/<b>climate</b>');
    expect(lines[0].querySelector('details')?.open).toBe(false);
    expect(lines[0].querySelector('summary')?.textContent).toBe('4 packages');
    expect([...lines[0].querySelectorAll('li')].map(each => each.textContent)).toEqual([
      '+Came: rich 14.1',
      '~Changed: numpy 2.2 → 2.3',
      '−Went: attrs <b>25.1</b>',
      '… and 3 more'
    ]);
    expect(drawn.all('.jp-HpcEnv-history i, .jp-HpcEnv-history li b b')).toEqual([]);
    expect(s.w.server.writes).toEqual([]);
  });

  it('draws the newest of many, and all when asked', async () => {
    const drawn = await open(Array.from({ length: 120 }, (_, at) => event(`verb${at}`)));
    expect(drawn.all('.jp-HpcEnv-history > li')).toHaveLength(50);
    expect(drawn.get('.jp-HpcEnv-history > li').textContent).toContain('verb119');
    await drawn.click(drawn.button('Show all 120'));
    expect(drawn.all('.jp-HpcEnv-history > li')).toHaveLength(120);
  });

  it.each(['<b>x</b>', 'constructor', '__proto__'])('shows the word %s of a newer server as it is', verb => {
    expect(verbWord(verb, trans)).toBe(verb);
  });

  it('is one of one’s own environments only', async () => {
    const drawn = await s.open({ origin: 'shared', owner: 'bo' });
    expect(drawn.all(`#hpcenv-${ID}-tab-history`)).toEqual([]);
  });

  it('says why it can not be read', async () => {
    const drawn = await open([], UNDO);
    s.w.server.set(`GET environments/${ID}/history`, new Refusal(500, NO));
    s.put({ revision: 2 });
    await s.w.model.refresh();
    await drawn.settle();
    expect(drawn.get('[role="alert"]').textContent).toContain('The history could not be readNo: <b>x</b>.');
  });
});

describe('undoing the last change', () => {
  it('shows what it would do, and does it once it is pressed', async () => {
    const drawn = await open([event('create')]);
    await drawn.click(drawn.button('Undo the last change…'));
    const shown = drawn.get('section[aria-label="Undo the last change"]');
    expect(document.activeElement).toBe(shown.querySelector('h2'));
    for (const part of ['Undoing the last change of <i>climate</i>: 1 package goes.', 'It was done by <b>a</b>', 'Goes, 1', 'rich14.1', 'everything is put back']) {
      expect(shown.textContent).toContain(part);
    }
    expect(shown.querySelector('i, p b')).toBeNull();
    expect(s.w.server.writes).toEqual([]);
    const operation = s.acting('change', { state: 'pending', step: 0, request: { undo: true } as object });
    s.w.server.set(`POST environments/${ID}/undo`, operation);
    await drawn.click(drawn.button('Undo it'));
    expect(s.sent()).toEqual([[`environments/${ID}/undo`, {}]]);
    expect(s.w.server.writes[0].headers.get('Idempotency-Key')).toMatch(/^[0-9a-f-]{36}$/);
    // it is followed among the packages
    expect(drawn.get('[aria-selected="true"]').textContent).toContain('Packages');
    expect(document.activeElement?.textContent).toBe('Changing packages of climate');
    const result = { plan: { ...plan({ install: [], remove: [planned('rich')] }) } };
    await s.becomes({ ...operation, state: 'succeeded', result });
    expect(drawn.text()).toContain('Removed rich.');
  });

  it('is left on Escape, and the keyboard is at its button', async () => {
    const drawn = await open([event('create')]);
    await drawn.click(drawn.button('Undo the last change…'));
    await drawn.press(document.activeElement as HTMLElement, 'Escape');
    await new Promise(requestAnimationFrame);
    expect(document.activeElement).toBe(drawn.button('Undo the last change…'));
    expect(s.w.server.writes).toEqual([]);
  });

  it('says what the server refuses, and is sent with Ctrl+Enter too', async () => {
    const drawn = await open([event('create')]);
    await drawn.click(drawn.button('Undo the last change…'));
    s.w.server.set(`POST environments/${ID}/undo`, new Refusal(409, NO));
    await drawn.press(document.activeElement as HTMLElement, 'Enter', { ctrlKey: true });
    expect(drawn.get('[role="alert"]').textContent).toContain('No: <b>x</b>.First do this.');
    expect(s.w.server.writes).toHaveLength(1);
  });

  it('is not offered where nothing can be undone: the reason stands there', async () => {
    const drawn = await open([event('create')], { ...UNDO, what: '', sentence: 'No packages <b>were</b> changed.', plan: undefined });
    expect(drawn.text()).toContain('No packages <b>were</b> changed.');
    expect(s.named('Undo the last change…')).toEqual([]);
  });

  it('is not spoken of by a server that can not', async () => {
    const drawn = await open([event('create')], new Refusal(404, { message: 'no', code: 'not_found', reason: '', hints: [] }));
    expect(drawn.all('[role="alert"]')).toEqual([]);
  });
});
