import React from 'react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jobOf } from '../src/batch';
import { shellCommand } from '../src/create/command';
import { newDraft } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import { OperationPage } from '../src/operation/page';
import type { ICreateRequest } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { IWorld, operation, Refusal, world } from './facts';

let w: IWorld;
let page: IDrawn;

const ZEN4 = { name: 'zen4', default: true, up: true, longest: 'infinite', nodes: 2, features: ['zen4'] };
const ZEN5 = { name: 'zen5', default: false, up: true, longest: '4:00:00', nodes: 1, features: ['zen5'] };

beforeEach(() => {
  w = world();
  w.server.set('GET targets', { system: 'slurm', where: 'here', partitions: [ZEN4, ZEN5], message: '' });
  w.server.set('POST environments', () => operation('hydro', 0, { state: 'pending' }));
});
afterEach(() => page?.clear());

async function open(start: Partial<ICreateRequest> = {}): Promise<void> {
  page = await draw(w, <CreatePage draft={newDraft(start)} onSubmitted={() => undefined} />);
}

const where = (): HTMLSelectElement => page.get<HTMLSelectElement>('[data-field="on"]');

describe('a build in a job', () => {
  it('is chosen by partition, with account and time', async () => {
    await open({ name: 'hydro' });
    expect(page.all('select[data-field="on"] option').map(each => each.textContent)).toEqual([
      'Where the site builds',
      'In a job on zen4',
      'In a job on zen5'
    ]);
    await page.type(where(), 'zen5');
    expect(page.text()).toContain('Its nodes have zen5. The longest time is 4:00:00.');
    await page.type(page.get<HTMLInputElement>('[id$="-on-time"]'), '30');
    await page.type(page.get<HTMLInputElement>('[id$="-on-account"]'), 'climate');
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', on: { partition: 'zen5', time: '30', account: 'climate' } });
  });

  it('is not offered where there is no batch system', async () => {
    w.server.set('GET targets', { system: '', where: 'here', partitions: [], message: 'There is none.' });
    await open({ name: 'hydro' });
    expect(page.all('[data-field="on"]')).toEqual([]);
  });

  it('has what the batch system refuses beside it', async () => {
    const body = { message: 'Slurm says “Invalid account”.', reason: '', code: 'batch_refused', hints: ['Name another one.'] };
    w.server.set('POST environments', new Refusal(403, body));
    await open({ name: 'hydro', on: { partition: 'zen5', account: 'nobody' } });
    await page.click(page.button('Create'));
    expect(page.get('[id$="-on-wrong"]').textContent).toBe('Slurm says “Invalid account”. Name another one.');
  });

  it('stands in the command', () => {
    const on = { partition: 'zen5', account: 'a b', time: '1:00:00', cpus: 4, memory: '4G' };
    const line = shellCommand({ name: 'hydro', on }).replace(/ \\\n */g, ' ');
    expect(line).toBe("jupyter hpcenv create hydro --on zen5 --account 'a b' --time 1:00:00 --cpus 4 --memory 4G");
  });

  it('takes of an old request only what can be', () => {
    expect(jobOf({ partition: 'zen5', cpus: '4', time: 5, options: { wrap: 'id' }, account: '' })).toEqual({ partition: 'zen5' });
    expect(jobOf('zen5')).toBeNull();
    expect(jobOf({})).toBeNull();
  });

  it('says what it waits for', async () => {
    const waits = operation('hydro', 0, { state: 'pending', waiting: 'Job 12 waits in zen5: no node is free (Resources).' });
    const nothing = (): Promise<void> => Promise.resolve();
    page = await draw(
      w,
      <OperationPage operation={waits} arrived={false} onChange={() => undefined} onRetry={nothing} onForget={nothing} />
    );
    expect(page.text()).toContain('Job 12 waits in zen5: no node is free (Resources). You can close this page');
  });
});
