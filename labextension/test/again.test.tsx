/** What is done to an environment as a whole: built again, moved; and the words for it. */
import { Notification } from '@jupyterlab/apputils';
import { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectNotices } from '../src/notices';
import { cancelLabel, doing, doingWord, isBuild, placeOf } from '../src/operation/verbs';
import type { IOperation } from '../src/tokens';
import { Acts, ID, NO } from './acts';
import { operation, Refusal, trans } from './facts';

let s: Acts;
beforeEach(() => {
  s = new Acts();
});
afterEach(() => s.clear());

describe('building again', () => {
  it.each(['missing', 'python_gone'] as const)('is the one primary act where it is %s, and is followed to its end', async state => {
    const drawn = await s.open({ state, message: 'Its prefix is gone.' });
    expect(drawn.all('.jp-mod-accept').map(node => node.textContent)).toEqual(['Build again']);
    expect(s.w.server.writes).toEqual([]);
    s.w.server.set(`POST environments/${ID}/rebuild`, s.acting('rebuild', { state: 'pending', step: 0 }));
    await drawn.click(drawn.button('Build again'));
    expect(s.sent()).toEqual([[`environments/${ID}/rebuild`, {}]]);
    expect(s.w.server.writes[0].headers.get('Idempotency-Key')).toMatch(/^[0-9a-f-]{36}$/);
    expect(s.named('Build again')).toEqual([]);
    // the button went with what it stood in: the keyboard goes on at the heading
    expect(document.activeElement?.textContent).toBe('Building climate again');
    await s.becomes(s.acting('rebuild'));
    expect(drawn.get('[role="progressbar"]').getAttribute('aria-label')).toBe('Building climate again');
    s.put({});
    const told = Array.from({ length: 10 }, (_, at) => `six${at} was <b>1</b> and is 2 now.`);
    await s.becomes(s.acting('rebuild', { state: 'succeeded', result: { differences: told } }));
    expect(drawn.text()).toContain('Built climate again.six0 was <b>1</b> and is 2 now.');
    expect(drawn.text()).toContain('And 2 more packages are other ones than before.');
    expect(drawn.all('p b, p i')).toEqual([]);
    expect(s.named('New notebook').length).toBeGreaterThan(0);
    await drawn.click(drawn.button('Close'));
    expect(drawn.text()).not.toContain('Built climate again.');
  });

  it('is not offered where it can not work', async () => {
    for (const fields of [{}, { state: 'broken' }, { state: 'missing', origin: 'shared' }, { state: 'python_gone', manager: 'conda' }] as const) {
      await s.open(fields);
      expect(s.named('Build again')).toEqual([]);
      s.close();
    }
  });

  it('says what the server refuses, and lets another Python be chosen where the old one has no like', async () => {
    const drawn = await s.open({ state: 'python_gone' });
    s.w.server.set(`POST environments/${ID}/rebuild`, new Refusal(400, { ...NO, code: 'python_not_found' }));
    await drawn.click(drawn.button('Build again'));
    expect(drawn.get('[role="alert"]').textContent).toContain('No: <b>x</b>.First do this.Or <i>that</i>.said so');
    const select = drawn.get<HTMLSelectElement>('select');
    expect(drawn.get(`label[for="${select.id}"]`).textContent).toBe('Build it on');
    await drawn.type(select, '/usr/bin/python3');
    await drawn.click(drawn.button('Build again'));
    expect(s.w.server.writes.map(call => call.body)).toEqual([{}, { python: '/usr/bin/python3' }]);
  });

  it('is sent once, and with the same key after nobody answered', async () => {
    const drawn = await s.open({ state: 'missing' });
    s.w.server.set(`POST environments/${ID}/rebuild`, new Refusal(503, {}));
    const button = drawn.button('Build again');
    await act(async () => {
      button.click();
      button.click();
    });
    await drawn.settle();
    expect(drawn.text()).toContain('The server does not answer.');
    await drawn.click(drawn.button('Build again'));
    const keys = s.w.server.writes.map(call => call.headers.get('Idempotency-Key'));
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it('shows why it failed until that is removed, with the way to try again', async () => {
    const error = { ...NO, code: 'build_failed' };
    s.w.server.set('GET operations', [s.acting('rebuild', { state: 'failed', error })]);
    const drawn = await s.open({ state: 'missing' });
    expect(drawn.get('[role="alert"]').textContent).toContain('The build failed');
    expect(s.named('Build again')).toHaveLength(1);
    s.w.server.set('DELETE operations/20261121-090000-0000000a', undefined);
    await drawn.click(drawn.button('Remove from list'));
    expect(drawn.all('[role="alert"]')).toEqual([]);
  });
});

describe('moving', () => {
  it('asks where to, and sends nothing before its button is pressed', async () => {
    const drawn = await s.open();
    await s.choose('Move to…');
    const form = drawn.get('form[aria-label="Move climate"]');
    const radios = drawn.all('input[type="radio"]');
    expect(radios).toHaveLength(1);
    expect(document.activeElement).toBe(radios[0]);
    await drawn.click(drawn.button('Move'));
    expect(form.textContent).toContain('Choose a location.');
    expect(s.w.server.writes).toEqual([]);
    await drawn.click(radios[0]);
    s.w.server.set(`POST environments/${ID}/move`, new Refusal(409, { ...NO, code: 'kernel_running' }));
    await drawn.click(drawn.button('Move'));
    expect(form.textContent).toContain('No: <b>x</b>.');
    const moving = s.acting('move', { state: 'pending', step: 0 });
    s.w.server.set(`POST environments/${ID}/move`, moving);
    await drawn.click(drawn.button('Move'));
    expect(s.w.server.writes.at(-1)?.body).toEqual({ location: 'scratch' });
    expect(drawn.all('form')).toEqual([]);
    expect(document.activeElement?.textContent).toBe('Moving climate');
    s.put({ location: 'scratch' });
    await s.becomes(s.acting('move', { state: 'succeeded', environment: { ...moving.environment, location: 'scratch' } }));
    expect(drawn.text()).toContain('Moved climate to scratch. What was there before is in the trash.');
  });

  it('says that kernels run, and goes away on Escape to where it came from', async () => {
    s.w.kernels.push('hpcenv-home.climate');
    const drawn = await s.open();
    await s.choose('Move to…');
    expect(drawn.get('form').textContent).toContain('1 kernel is running. Shut it down first.');
    await drawn.press(drawn.get('form input'), 'Escape');
    expect(drawn.all('form')).toEqual([]);
    expect(document.activeElement).toBe(drawn.button('More actions'));
    expect(s.w.server.writes).toEqual([]);
  });
});

describe('the words', () => {
  it('name each act, and where it is shown', () => {
    const all = ['create', 'rebuild', 'move', 'share', 'unshare', 'repair', 'change'].map(verb => operation('x', 1, { verb }));
    expect(all.map(each => `${doing(each, trans)} | ${doingWord(each, trans)} | ${cancelLabel(each, trans)}`)).toEqual([
      'Building x | building | Cancel build',
      'Building x again | building again | Cancel build',
      'Moving x | moving | Cancel move',
      'Sharing x | sharing | Cancel sharing',
      'Ending the sharing of x | ending the sharing | Cancel',
      'Repairing x | repairing | Cancel repair',
      'Changing packages of x | changing packages | Cancel change'
    ]);
    expect(all.map(each => placeOf(each).tab)).toEqual([undefined, 'overview', 'overview', 'overview', 'overview', 'packages', 'packages']);
    expect(all.filter(isBuild)).toHaveLength(1);
  });

  it('of their ends say what was done, what was not, and why', async () => {
    const said: string[] = [];
    for (const way of ['success', 'error', 'info'] as const) {
      vi.spyOn(Notification, way).mockImplementation((text: string) => {
        said.push(text);
        return '';
      });
    }
    connectNotices(s.w.model, s.w.actions, trans);
    const ends = async (verb: string, at: number, fields: Partial<IOperation>): Promise<void> => {
      const id = `20261121-090000-0000000${at}`;
      s.w.server.set('GET operations', [s.acting(verb, { id })]);
      await s.w.model.refreshOperations();
      s.w.server.set('GET operations', [s.acting(verb, { id, ...fields })]);
      await s.w.model.refreshOperations();
    };
    const error = { ...NO, message: 'Why.' };
    await ends('rebuild', 1, { state: 'succeeded', result: { differences: ['a was 1 and is 2 now.'] } });
    await ends('rebuild', 2, { state: 'failed', error });
    await ends('move', 3, { state: 'failed', error });
    await ends('share', 4, { state: 'failed', error });
    await ends('unshare', 5, { state: 'interrupted', error });
    await ends('move', 6, { state: 'cancelled' });
    expect(said).toEqual([
      'Built climate again. 1 package is another one than before.',
      'climate was not built again. Why.',
      'climate was not moved. Why.',
      'climate was not shared. Why.',
      'Ending the sharing of climate was interrupted. Why.',
      'Cancelled. climate is as it was.'
    ]);
  });
});
