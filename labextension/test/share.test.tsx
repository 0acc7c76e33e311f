/** Who besides its owner may use an environment, and a colleague’s environment in use. */
import { Notification } from '@jupyterlab/apputils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { actsOf, IAct } from '../src/panel/menu';
import { makeRows } from '../src/panel/rows';
import type { IEnvironmentDetail } from '../src/tokens';
import { Acts, ID, NO, SHARED } from './acts';
import { detail, environment, Refusal, site, trans } from './facts';

let s: Acts;
beforeEach(() => {
  s = new Acts();
});
afterEach(() => s.clear());

describe('sharing', () => {
  it('asks with whom: a group by its name, or everybody', async () => {
    const drawn = await s.open();
    await s.choose('Share…');
    await drawn.click(drawn.button('Share'));
    expect(drawn.get('[role="alert"]').textContent).toBe('Name one of your groups.');
    const field = drawn.get<HTMLInputElement>('form input[id]');
    expect(document.activeElement).toBe(field);
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(s.w.server.writes).toEqual([]);
    s.w.server.set(`POST environments/${ID}/share`, new Refusal(403, NO));
    await drawn.type(field, ' astro ');
    await drawn.click(drawn.button('Share'));
    expect(drawn.get('[role="alert"]').textContent).toContain('No: <b>x</b>.First do this.Or <i>that</i>.');
    await drawn.click(drawn.all('input[type="radio"]')[1]);
    expect(drawn.all('[role="alert"]')).toEqual([]);
    s.w.server.set(`POST environments/${ID}/share`, s.acting('share', { state: 'pending', step: 0 }));
    await drawn.click(drawn.button('Share'));
    expect(s.w.server.writes.map(call => call.body)).toEqual([{ group: 'astro' }, { everybody: true }]);
    s.put({ shared: { group: '' }, revision: 2 });
    await s.becomes(s.acting('share', { state: 'succeeded', request: { group: '' } }));
    expect(drawn.text()).toContain('Shared climate with everybody on this machine.');
    expect(drawn.get('section[aria-label="Shared"]').textContent).toContain('Shared with everybody on this machine. They can use it; only you can change it.');
  });

  it('leads to a location for sharing, in place of a button that would be refused', async () => {
    const [home, scratch] = site().locations;
    const closed = { ...home, sharing: false };
    s.w.server.set('GET site', site({ locations: [closed, { ...scratch, name: '<b>ours</b>', sharing: true }, { ...scratch, sharing: false }] }));
    const drawn = await s.open();
    await s.choose('Share…');
    const form = drawn.get('form');
    expect(form.textContent).toContain('The location home is not for sharing.<b>ours</b> is. Move it there first.');
    expect(s.named('Share')).toEqual([]);
    expect(drawn.all('form input')).toEqual([]);
    await new Promise(requestAnimationFrame);
    expect(document.activeElement).toBe(drawn.button('Move to…'));
    await drawn.click(drawn.button('Move to…'));
    expect(drawn.get('form').getAttribute('aria-label')).toBe('Move climate');
    expect(s.w.server.writes).toEqual([]);
    s.w.server.set('GET site', site({ locations: [closed] }));
    await s.choose('Share…');
    await drawn.settle();
    expect(drawn.get('form').textContent).toContain('No location on this machine is. Ask its staff for one.');
    expect(s.named('Move to…')).toEqual([]);
  });

  it('can be ended by its owner', async () => {
    const drawn = await s.open({ shared: { group: 'astro' } });
    expect(drawn.text()).toContain('Shared with the group astro.');
    s.w.server.set(`POST environments/${ID}/unshare`, s.acting('unshare', { state: 'pending', step: 0 }));
    await drawn.click(drawn.button('Stop sharing'));
    s.put({ revision: 2 });
    await s.becomes(s.acting('unshare', { state: 'succeeded' }));
    expect(drawn.text()).toContain('climate is not shared any more: only you can enter it.');
    expect(drawn.all('section[aria-label="Shared"]')).toEqual([]);
  });

  it('offers to repair what was killed', async () => {
    s.w.server.set('GET operations', [s.acting('share', { state: 'interrupted' })]);
    const drawn = await s.open();
    expect(drawn.text()).toContain('The sharing was interrupted');
    s.w.server.set(`POST environments/${ID}/repair`, s.acting('repair', { id: '20261121-090100-0000000r' }));
    await drawn.click(drawn.button('Repair'));
    expect(s.sent()).toEqual([[`environments/${ID}/repair`, {}]]);
  });

  it('and moving are offered for what is one’s own and there', async () => {
    const offered = async (fields: Partial<IEnvironmentDetail>): Promise<string[]> => {
      await s.open(fields);
      const labels = await s.menu();
      s.close();
      return labels.filter(label => ['Clone…', 'Share…', 'Move to…'].includes(label));
    };
    expect(await offered({})).toEqual(['Clone…', 'Share…', 'Move to…']);
    expect(await offered(SHARED)).toEqual(['Clone…']);
    expect(await offered({ state: 'missing' })).toEqual([]);
  });
});

describe('using what a colleague shares', () => {
  it('says what that means, does it, and can be stopped', async () => {
    const success = vi.spyOn(Notification, 'success');
    const drawn = await s.open(SHARED);
    expect(drawn.get('section[aria-label="Use"]').textContent).toContain('To use it is to run what bo put there, today and later.');
    const kernels = environment().kernels;
    s.w.server.set(`POST environments/${ID}/use`, () => {
      s.put({ ...SHARED, kernels });
      return detail({ ...SHARED, kernels, warnings: ['Mind <b>this</b>.'] });
    });
    drawn.button('Use').focus();
    await drawn.click(drawn.button('Use'));
    expect(success.mock.calls[0][0]).toBe('You can use climate: its kernel is on the launcher. Mind <b>this</b>.');
    expect(s.w.refreshedKernels()).toBe(1);
    expect(document.activeElement?.textContent).toBe('Stop using');
    s.w.server.set(`POST environments/${ID}/unuse`, () => {
      s.put(SHARED);
      return undefined;
    });
    await drawn.click(drawn.button('Stop using'));
    expect(s.named('Use')).toHaveLength(1);
    expect(s.sent()).toEqual([
      [`environments/${ID}/use`, {}],
      [`environments/${ID}/unuse`, {}]
    ]);
  });

  it('says that one without a kernel was added without one', async () => {
    const success = vi.spyOn(Notification, 'success');
    const drawn = await s.open(SHARED);
    s.w.server.set(`POST environments/${ID}/use`, detail(SHARED));
    await drawn.click(drawn.button('Use'));
    expect(success.mock.calls[0][0]).toBe('climate was added without a kernel, for its owner made it without one. It can be used in a terminal.');
    expect(drawn.get('section[aria-label="Use"]').textContent).toContain('It was added without a kernel, for bo made it without one');
    expect(s.named('Use')).toEqual([]);
    s.w.server.set(`POST environments/${ID}/unuse`, undefined);
    await drawn.click(drawn.button('Stop using'));
    expect(success.mock.calls[1][0]).toBe('You do not use climate any more.');
    expect(s.named('Use')).toHaveLength(1);
  });

  it('says in the server’s words why not', async () => {
    s.w.server.set(`POST environments/${ID}/use`, new Refusal(403, NO));
    const drawn = await s.open(SHARED);
    await drawn.click(drawn.button('Use'));
    expect(drawn.get('[role="alert"]').textContent).toContain('No: <b>x</b>.First do this.Or <i>that</i>.');
    expect(drawn.all('[role="alert"] i')).toEqual([]);
  });

  it('is the first act of its row, and says all that the server advises', async () => {
    const error = vi.spyOn(Notification, 'error').mockReturnValue('');
    const acts = (fields: Partial<IEnvironmentDetail>): IAct[] => {
      const lists = { environments: [environment(fields)], operations: [], kernelsRunning: () => 0 };
      return actsOf(makeRows(lists, trans)[0], { actions: s.w.actions, trans, open: vi.fn(), remove: vi.fn() });
    };
    const first = (fields: Partial<IEnvironmentDetail>): string => acts(fields)[0].id;
    expect([first(SHARED), first({ ...SHARED, state: 'missing' }), first({ origin: 'shared' }), first({ state: 'missing' })]).toEqual(['use', 'open', 'notebook', 'rebuild']);
    expect(acts({ origin: 'shared' }).map(each => each.id)).toContain('unuse');
    s.w.server.set(`POST environments/${ID}/use`, new Refusal(403, NO));
    acts(SHARED)[0].run();
    await vi.waitFor(() => expect(error).toHaveBeenCalledTimes(1));
    expect(error.mock.calls[0][0]).toBe('climate could not be used. No: <b>x</b>. First do this. Or <i>that</i>.');
    s.w.server.set(`POST environments/${ID}/rebuild`, s.acting('rebuild'));
    acts({ state: 'missing' })[0].run();
    await vi.waitFor(() => expect(s.pages.open).toHaveBeenCalledWith({ operation: '20261121-090000-0000000a', environment: ID, tab: 'overview' }));
  });
});
