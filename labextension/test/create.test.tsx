import React, { act } from 'react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newDraft } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import type { ICreateRequest, IOperation } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { IWorld, operation, Refusal, site, world } from './facts';

let w: IWorld;
let page: IDrawn;
let submitted: IOperation[];

async function open(start: Partial<ICreateRequest> = {}): Promise<void> {
  submitted = [];
  page = await draw(w, <CreatePage draft={newDraft(start)} onSubmitted={done => submitted.push(done)} />);
}

beforeEach(() => {
  w = world();
  w.server.set('POST environments', () => operation('hydro', 0, { state: 'pending' }));
});
afterEach(() => page.clear());

const name = (): HTMLInputElement => page.get<HTMLInputElement>('[data-field="name"]');
const packages = (): HTMLInputElement => page.get<HTMLInputElement>('[data-field="packages"]');
const chips = (): string[] => page.all('.jp-HpcEnv-chipText').map(chip => chip.textContent ?? '');

describe('the page for a new environment', () => {
  it('begins at the name and submits what was filled in, once', async () => {
    await open();
    expect(document.activeElement).toBe(name());
    await page.type(name(), 'hydro');
    await page.type(packages(), 'numpy');
    await page.press(packages(), 'Enter');
    const create = page.button('Create');
    await page.click(create);
    await page.click(create);
    expect(w.server.writes).toHaveLength(1);
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', packages: ['numpy'] });
    expect(w.server.writes[0].headers.get('idempotency-key')).toMatch(/.{20}/);
    expect(submitted.map(done => done.environment.name)).toEqual(['hydro']);
  });

  it('says of each location what Room and caches says of it', async () => {
    const [home, scratch] = site().locations;
    const root = `/scratch/${'a'.repeat(80)}`;
    const rules = { purge_days: 30, backed_up: false, sharing: true, free_files: 40_000, total_files: 100_000 };
    w.server.set('GET site', site({ locations: [home, { ...scratch, ...rules, root }] }));
    await w.model.refreshSite();
    await open();
    const [first, second] = page.all('.jp-HpcEnv-place');
    expect(first.textContent).toBe('home/home/a/envs41.2 of 50 GB used');
    const said = ['Files that nobody used go after 30 days.', 'Not backed up.', 'For sharing with colleagues.', '1.9 of 5 TB used', '60,000 of 100K files used'];
    expect(second.textContent).toBe(`scratch${root}${said.join('')}`);
    expect(second.querySelector(`[title="${root}"]`)?.textContent).toBe(root);
  });

  it('starts from packages by name, or from a file', async () => {
    await open();
    const words = page.all('[aria-label="Start from"] label, [aria-label="Start from"] [role="radio"]').map(node => node.textContent);
    expect(words).toEqual(['Packages', 'A file']);
  });

  it('submits with Ctrl+Enter from any field', async () => {
    await open({ name: 'hydro' });
    await page.press(packages(), 'Enter', { ctrlKey: true });
    expect(submitted).toHaveLength(1);
  });

  it('sends nothing when it is opened filled in', async () => {
    await open({ name: 'hydro', packages: ['numpy'], variables: { A: '1' } });
    expect(w.server.writes).toEqual([]);
    expect(name().value).toBe('hydro');
    expect(chips()).toEqual(['numpy']);
  });

  it('goes to the first wrong field in place of sending', async () => {
    await open({ variables: { '1X': 'a' } });
    await page.click(page.button('Create'));
    await new Promise(requestAnimationFrame);
    expect(document.activeElement).toBe(name());
    expect(name().getAttribute('aria-invalid')).toBe('true');
    const hint = page.get(`#${name().getAttribute('aria-describedby')}`);
    expect(hint.textContent).toBe('An environment needs a name.');
    expect(w.server.writes).toEqual([]);
  });

  it('shows what the server refuses at its field, and can be sent again', async () => {
    await open({ name: 'hydro', packages: ['nupmy'] });
    w.server.set('POST environments', new Refusal(422, { message: 'The index has no nupmy.', reason: '', code: 'package_not_found', hints: ['Look for “numpy”.'] }));
    await page.click(page.button('Create'));
    expect(page.text()).toContain('The index has no nupmy. Look for “numpy”.');
    expect(packages().getAttribute('aria-invalid')).toBe('true');
    w.server.set('POST environments', operation('hydro', 0));
    await page.click(page.button('Remove nupmy'));
    await page.click(page.button('Create'));
    expect(submitted).toHaveLength(1);
    const [first, second] = w.server.writes;
    expect(first.headers.get('idempotency-key')).not.toBe(second.headers.get('idempotency-key'));
  });

  it('keeps the key while the same form is sent again after a lost answer', async () => {
    await open({ name: 'hydro' });
    w.server.offline = true;
    await page.click(page.button('Create'));
    expect(page.text()).toContain('The server does not answer.');
    w.server.offline = false;
    await page.click(page.button('Create'));
    const keys = w.server.writes.map(call => call.headers.get('idempotency-key'));
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it('makes chips of a pasted list, and refuses options', async () => {
    await open({ name: 'hydro' });
    const paste = new Event('paste', { bubbles: true, cancelable: true });
    Object.assign(paste, { clipboardData: { getData: () => 'numpy>=1.26,<2\nscipy\n--index-url https://x' } });
    await act(async () => {
      packages().dispatchEvent(paste);
    });
    await page.settle();
    expect(chips()).toEqual(['numpy >=1.26,<2', 'scipy']);
    expect(page.text()).toContain('“--index-url https://x” is an option, not a package.');
    await page.press(packages(), 'Backspace');
    expect((document.activeElement as HTMLElement).getAttribute('aria-label')).toBe('Remove scipy');
    await page.press(document.activeElement as HTMLElement, 'Backspace');
    expect(chips()).toEqual(['numpy >=1.26,<2']);
  });

  it('starts from the lines of a file', async () => {
    await open();
    await page.type(name(), 'hydro');
    const [, file] = page.all('input[type="radio"]');
    await page.click(file);
    await page.type(page.get('textarea'), '# mine\nnumpy\nscipy\n');
    expect(page.text()).toContain('2 lines ask for something.');
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', requirements: '# mine\nnumpy\nscipy\n' });
  });

  it('takes a Python that is not in the list', async () => {
    await open({ name: 'hydro' });
    await page.type(page.get('[data-field="python"]'), '\u0000another');
    await page.type(page.get('.jp-HpcEnv-pythonInput'), '3.10');
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', python: '3.10' });
  });

  it('says why a location can not be taken', async () => {
    const offered = site();
    offered.locations[1] = { ...offered.locations[1], state: 'unwritable', message: 'You may not write there.' };
    w.server.set('GET site', offered);
    await open({ name: 'hydro', location: 'scratch' });
    await page.click(page.button('Create'));
    expect(page.all('[role="alert"]').map(node => node.textContent)).toContain('You may not write there.');
    expect(w.server.writes).toEqual([]);
  });

  it('offers to read again when the site can not be read', async () => {
    w.server.offline = true;
    await open();
    expect(page.text()).toContain('What this machine offers could not be read');
    w.server.offline = false;
    await page.click(page.button('Try again'));
    expect(name()).toBeTruthy();
  });

  it('shows the command of the form', async () => {
    await open({ name: 'hydro', packages: ['dask[array]'] });
    expect(page.get('pre').textContent).toBe("jupyter hpcenv create hydro \\\n  'dask[array]'");
    await page.click(page.all('button').find(node => node.textContent === 'REST') as HTMLElement);
    expect(page.get('pre').textContent).toContain('POST hpcenv/environments');
  });
});
