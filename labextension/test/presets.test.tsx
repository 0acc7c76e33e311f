import React, { act } from 'react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newDraft } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import type { IPreset } from '../src/preset';
import type { ICreateRequest, IOperation } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { IWorld, operation, Refusal, site, world } from './facts';

const PRESET: IPreset = {
  name: 'pytorch-gpu',
  title: 'PyTorch on GPU',
  description: 'With the CUDA of <b>this</b> centre.',
  parameters: {
    properties: {
      cuda: { type: 'string', title: 'CUDA', enum: ['12.4', '12.1'], default: '12.4' },
      tests: { type: 'boolean', default: false },
      threads: { type: 'integer', default: 4, minimum: 1 }
    }
  },
  message: ''
};
const BROKEN: IPreset = { name: 'old', title: 'old', description: '', parameters: {}, message: 'Line 3: There is no “x” here.' };

let w: IWorld;
let page: IDrawn;
let submitted: IOperation[];
let asked: unknown[];

async function open(start: Partial<ICreateRequest> = {}, presets = [PRESET, BROKEN]): Promise<void> {
  w.server.set('GET site', site({ presets }));
  await w.model.refreshSite();
  submitted = [];
  page = await draw(w, <CreatePage draft={newDraft(start)} onSubmitted={done => submitted.push(done)} />);
}

beforeEach(() => {
  w = world();
  asked = [];
  w.server.set('POST environments', () => operation('mine', 0, { state: 'pending' }));
  w.server.set('POST presets/pytorch-gpu', call => {
    const { parameters } = call.body as { parameters: Record<string, unknown> };
    asked.push(parameters);
    return { name: '', packages: ['torch'], variables: { CUDA: String(parameters.cuda) }, extras: ['gpu'], file: '' };
  });
});
afterEach(() => page.clear());

const cards = (): HTMLInputElement[] => page.all('.jp-HpcEnv-card input') as HTMLInputElement[];
const name = (): HTMLInputElement => page.get<HTMLInputElement>('[data-field="name"]');

describe('presets on the page for a new environment', () => {
  it('come first where the site has some, and what is in them is text', async () => {
    await open();
    const words = page.all('[aria-label="Start from"] label').slice(0, 3).map(node => node.textContent);
    expect(words).toEqual(['A preset', 'Packages', 'A file']);
    expect(page.all('.jp-HpcEnv-card b').map(node => node.textContent)).toEqual(['PyTorch on GPU', 'old']);
    expect(page.get('.jp-HpcEnv-card').textContent).toContain('<b>this</b>');
    expect(cards()[1].disabled).toBe(true);
    expect(asked).toEqual([]);
  });

  it('fill the form, which is then sent as it stands', async () => {
    await open();
    await page.type(name(), 'mine');
    await page.click(cards()[0]);
    expect(asked).toEqual([{ cuda: '12.4', tests: false, threads: 4 }]);
    expect(page.all('.jp-HpcEnv-chipText').map(chip => chip.textContent)).toContain('torch');
    await page.click(page.button('Create'));
    expect(w.server.writes.at(-1)?.body).toEqual({
      name: 'mine',
      packages: ['torch'],
      variables: { CUDA: '12.4' },
      extras: ['gpu']
    });
    expect(submitted).toHaveLength(1);
  });

  it('are filled anew for another parameter, of the type that it has', async () => {
    await open({});
    await page.click(cards()[0]);
    const select = page.get<HTMLSelectElement>('.jp-HpcEnv-parameter select');
    await act(async () => {
      select.value = '1';
      select.dispatchEvent(new Event('change', { bubbles: true }));
    });
    await page.click(page.get<HTMLInputElement>('.jp-HpcEnv-parameter input[type="checkbox"]'));
    expect(asked.at(-1)).toEqual({ cuda: '12.1', tests: true, threads: 4 });
    const threads = page.get<HTMLInputElement>('.jp-HpcEnv-parameter input[inputmode="decimal"]');
    await page.type(threads, '8');
    await page.press(threads, 'Enter');
    expect(asked.at(-1)).toEqual({ cuda: '12.1', tests: true, threads: 8 });
  });

  it('say what the server says of a parameter, and leave the form as it was', async () => {
    await open();
    await page.type(name(), 'mine');
    const said = { message: 'The parameter threads can not be this.', code: 'invalid_request', reason: '', hints: [] };
    w.server.set('POST presets/pytorch-gpu', new Refusal(400, said));
    await page.click(cards()[0]);
    expect(page.get('form').textContent).toContain('The parameter threads can not be this.');
    await page.click(page.button('Create'));
    expect(w.server.writes.at(-1)?.body).toEqual({ name: 'mine' });
  });

  it('take nothing away from a form that says something already', async () => {
    await open({ packages: ['numpy'] });
    expect(cards()).toEqual([]);
  });

  it('are not offered where there are none', async () => {
    await open({}, []);
    expect(page.all('[aria-label="Start from"] label').map(node => node.textContent)).toEqual(['Packages', 'A file']);
  });
});
