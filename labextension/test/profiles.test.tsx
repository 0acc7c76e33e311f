import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import React from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { shellCommand } from '../src/create/command';
import { newDraft } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import { Kernels } from '../src/environment/kernels';
import { connectJobs, KERNEL_EVENT } from '../src/job';
import { draw, IDrawn } from './draw';
import { detail, IWorld, operation, world } from './facts';

const GPU = { name: 'gpu', display_name: 'One GPU, four hours', description: 'On zen5; waits a minute.' };
const trans = nullTranslator.load('jupyter_hpcenv');

let w: IWorld;
let page: IDrawn | undefined;

beforeEach(() => {
  w = world();
  w.server.set('GET profiles', [GPU]);
  w.server.set('POST environments', () => operation('hydro', 0, { state: 'pending' }));
});
afterEach(() => {
  page?.clear();
  vi.restoreAllMocks();
});

const where = (): HTMLSelectElement => page!.get<HTMLSelectElement>('[data-field="profile"]');

describe('where a kernel runs', () => {
  it('is chosen by the title of a profile, and sent by its name', async () => {
    page = await draw(w, <CreatePage draft={newDraft({ name: 'hydro' })} onSubmitted={() => undefined} />);
    expect(where().value).toBe('');
    await page.type(where(), 'gpu');
    expect(page.text()).toContain('On zen5; waits a minute.');
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', profile: 'gpu' });
    expect(shellCommand({ name: 'hydro', profile: 'gpu' })).toContain('--profile gpu');
  });

  it('is not asked where the site offers nothing', async () => {
    w.server.set('GET profiles', []);
    page = await draw(w, <CreatePage draft={newDraft({ name: 'hydro' })} onSubmitted={() => undefined} />);
    expect(page.all('[data-field="profile"]')).toEqual([]);
  });

  it('can be changed afterwards', async () => {
    const environment = detail({ name: 'hydro', profile: 'gone' });
    w.server.set(`PATCH environments/${environment.id}`, environment);
    page = await draw(w, <Kernels environment={environment} />);
    expect(where().selectedOptions[0].textContent).toBe('gone, which the site does not offer now');
    await page.type(where(), '');
    expect(w.server.writes.map(call => call.body)).toEqual([{ profile: '' }]);
  });
});

describe('what the job of a kernel tells', () => {
  const told = { kernel_id: 'k', kernel_name: 'hpcenv-home.hydro', profile: 'gpu' };

  it('is shown until it is closed, and its waiting in one notification', () => {
    const info = vi.spyOn(Notification, 'info');
    const update = vi.spyOn(Notification, 'update');
    const warning = vi.spyOn(Notification, 'warning');
    connectJobs(w.model, w.actions.announcer, trans);
    w.event(KERNEL_EVENT, { ...told, state: 'waiting', message: 'The kernel waits: number 3 of 4.' });
    w.event(KERNEL_EVENT, { ...told, state: 'waiting', message: 'The kernel waits: number 2 of 4.' });
    expect(info.mock.calls.map(call => call[0])).toEqual(['hpcenv-home.hydro: The kernel waits: number 3 of 4.']);
    expect(update.mock.calls[0][0].message).toBe('hpcenv-home.hydro: The kernel waits: number 2 of 4.');
    w.event(KERNEL_EVENT, { ...told, state: 'ending', message: 'It ends in\u202e 5 minutes.' });
    expect(warning.mock.calls).toEqual([['hpcenv-home.hydro: It ends in\ufffd 5 minutes.', { autoClose: false }]]);
    w.event('https://events.jupyter.org/other', { ...told, state: 'ending', message: 'Not ours.' });
    expect(warning).toHaveBeenCalledTimes(1);
  });
});
