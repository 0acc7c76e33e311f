/** Modules in the form: search, prerequisites, swaps, the check, collections, and the suggestion for a package. */
import React, { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newDraft } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import type { ICreateRequest } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { checked, IWorld, module, operation, Refusal, world } from './facts';

const TREE = [
  module('GCC/12.3.0'),
  module('GCC/14.2.0', { default: true, description: 'The GNU compilers' }),
  module('OpenMPI/5.0.7', { prerequisites: [['GCC/14.2.0']] }),
  module('netCDF/4.9.3', { prerequisites: [['GCC/14.2.0', 'OpenMPI/5.0.7']] }),
  module('SciPy-bundle/2025.06', { prerequisites: [['GCC/14.2.0']], extensions: ['numpy/2.3.1', 'scipy/1.15'] })
];

let w: IWorld;
let page: IDrawn;

beforeEach(() => {
  w = world();
  w.server.haveModules(TREE);
  w.server.set('POST environments', () => operation('hydro', 0, { state: 'pending' }));
});
afterEach(() => {
  page.clear();
  vi.useRealTimers();
});

/** Open the form on a clock that only `pass` moves. */
async function open(start: Partial<ICreateRequest> = {}): Promise<void> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  page = await draw(w, <CreatePage draft={newDraft({ name: 'hydro', ...start })} onSubmitted={() => undefined} />);
  await page.settle();
}

async function pass(milliseconds: number): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(milliseconds);
  });
  await page.settle();
}

async function search(text: string): Promise<void> {
  await page.type(page.get('[aria-label="Search modules"]'), text);
  await pass(250);
}

const chosen = (): string[] => page.all('.jp-HpcEnv-chain .jp-HpcEnv-chipText').map(chip => chip.textContent ?? '');
const alerts = (): string[] => page.all('[role="alert"]').map(node => node.textContent ?? '');

describe('the modules of a new environment', () => {
  it('are not asked for where there is no module system', async () => {
    w.server.set('GET modules/loaded', { system: 'none', loaded: [], collections: [] });
    await open({ packages: ['numpy'] });
    expect(page.all('[aria-label="Search modules"]')).toEqual([]);
    expect(page.text()).not.toContain('Modules');
    expect(w.server.calls.filter(call => call.path.startsWith('modules?'))).toEqual([]);
  });

  it('say so where a request brings them and there is no module system', async () => {
    w.server.set('GET modules/loaded', { system: 'none', loaded: [], collections: [] });
    await open({ modules: ['GCC/14.2.0'] });
    expect(alerts()).toEqual(['This machine has no module system, and the request asks for GCC/14.2.0.']);
    await page.click(page.button('Leave the modules out'));
    expect(page.all('.jp-HpcEnv-picker')).toEqual([]);
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro' });
  });

  it('are added with what they need, which is said before', async () => {
    await open();
    await search('netcdf');
    expect(page.get('.jp-HpcEnv-list').textContent).toContain('Adds its 2 prerequisites first: GCC/14.2.0, OpenMPI/5.0.7');
    await page.click(page.button('Add all 3: GCC/14.2.0, OpenMPI/5.0.7 and netCDF/4.9.3'));
    expect(chosen()).toEqual(['GCC/14.2.0', 'OpenMPI/5.0.7', 'netCDF/4.9.3']);
    expect(page.get('.jp-HpcEnv-list').textContent).toContain('Chosen');
    await search('scipy');
    expect(page.get('.jp-HpcEnv-list').textContent).toContain('Needs GCC/14.2.0: chosen');
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', modules: ['GCC/14.2.0', 'OpenMPI/5.0.7', 'netCDF/4.9.3'] });
    expect(page.get('pre').textContent).toContain('--module netCDF/4.9.3');
  });

  it('stand under their name with versions, the default first taken', async () => {
    await open();
    await search('gcc');
    const select = page.get<HTMLSelectElement>('[aria-label="Version of GCC"]');
    expect([...select.options].map(option => option.textContent)).toEqual(['12.3.0', '14.2.0 (default)']);
    expect(select.value).toBe('GCC/14.2.0');
    expect(page.text()).toContain('The GNU compilers');
    await page.type(select, 'GCC/12.3.0');
    await page.click(page.button('Add: GCC/12.3.0'));
    expect(chosen()).toEqual(['GCC/12.3.0']);
  });

  it('replace others only by a button that says so, and can be put back', async () => {
    await open({ modules: ['GCC/12.3.0'] });
    await search('openmpi');
    expect(page.get('.jp-HpcEnv-list').textContent).toContain('Would replace GCC/12.3.0');
    await page.click(page.button('Replace GCC/12.3.0 by GCC/14.2.0 and OpenMPI/5.0.7'));
    expect(chosen()).toEqual(['GCC/14.2.0', 'OpenMPI/5.0.7']);
    await page.click(page.button('Undo'));
    expect(chosen()).toEqual(['GCC/12.3.0']);
  });

  it('take along what needs them when they are removed, with a way back', async () => {
    await open({ modules: ['GCC/14.2.0', 'OpenMPI/5.0.7', 'netCDF/4.9.3'] });
    await page.click(page.button('Remove OpenMPI/5.0.7'));
    expect(chosen()).toEqual(['GCC/14.2.0']);
    expect(page.text()).toContain('Removed OpenMPI/5.0.7, and netCDF/4.9.3, which needs it.');
    await page.click(page.button('Undo'));
    expect(chosen()).toEqual(['GCC/14.2.0', 'OpenMPI/5.0.7', 'netCDF/4.9.3']);
    expect(page.all('button').filter(node => node.textContent === 'Undo')).toEqual([]);
  });

  it('are checked half a second after the last change, and only then', async () => {
    await open({ modules: ['GCC/14.2.0'] });
    await pass(499);
    expect(w.server.checks).toEqual([]);
    await search('openmpi');
    expect(w.server.checks.map(call => call.body)).toEqual([{ modules: ['GCC/14.2.0'] }]);
    await page.click(page.button('Add: OpenMPI/5.0.7'));
    await pass(499);
    expect(w.server.checks).toHaveLength(1);
    await pass(1);
    expect(w.server.checks[1].body).toEqual({ modules: ['GCC/14.2.0', 'OpenMPI/5.0.7'] });
    expect(page.text()).toContain('These modules load together.');
  });

  it('say under the field why they do not load, and the field leads to it', async () => {
    const conflict = { message: 'GCC/14.2.0 and intel/2025 exclude each other.', reason: '', code: 'module_conflict', hints: ['Remove one of them.'] };
    w.server.set('POST modules/check', new Refusal(422, conflict));
    await open({ modules: ['GCC/14.2.0', 'intel/2025'] });
    expect(alerts()).toEqual([]);
    await pass(500);
    expect(alerts()).toEqual(['GCC/14.2.0 and intel/2025 exclude each other. Remove one of them.']);
    const field = page.get('[data-field="modules"]');
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(page.get(`#${field.getAttribute('aria-describedby')}`).textContent).toContain('exclude each other');
    w.server.set('POST modules/check', checked(['GCC/14.2.0']));
    await page.click(page.button('Remove intel/2025'));
    expect(alerts()).toEqual([]);
  });

  it('do not let a late answer speak for what is not chosen any more', async () => {
    let answer: (value: unknown) => void = () => undefined;
    const late = new Promise(resolve => {
      answer = resolve;
    });
    vi.spyOn(w.model.api, 'checkModules').mockImplementationOnce(() => late as never);
    await open({ modules: ['GCC/14.2.0', 'OpenMPI/5.0.7'] });
    await pass(500);
    await page.click(page.button('Remove OpenMPI/5.0.7'));
    answer(checked(['old'], { messages: ['OpenMPI is old'] }));
    await pass(499);
    expect(page.text()).not.toContain('OpenMPI is old');
  });

  it('tell what they bring and say, and that pip installs beside packages of theirs', async () => {
    const loaded = ['zlib/1.3', 'SciPy-bundle/2025.06'];
    const answer = checked(['SciPy-bundle/2025.06'], {
      loaded,
      messages: ['This bundle retires in June.'],
      python: '/apps/python/3.13/bin/python3',
      brings_packages: true
    });
    w.server.set('POST modules/check', answer);
    await open({ modules: ['SciPy-bundle/2025.06'] });
    await pass(500);
    for (const part of ['Loads also zlib/1.3.', 'This bundle retires in June.', '/apps/python/3.13/bin/python3, of the modules']) {
      expect(page.text()).toContain(part);
    }
    expect(page.get('aside').textContent).toContain('Installed with pip: uv does not see packages that come from modules.');
  });

  it('lead to the field what the server refuses when it is sent', async () => {
    w.server.set('POST environments', new Refusal(422, { message: 'There is no GCC/99.', reason: '', code: 'module_not_found', hints: [] }));
    await open({ modules: ['GCC/99'] });
    await page.click(page.button('Create'));
    await act(async () => {
      await new Promise(requestAnimationFrame);
    });
    expect(alerts()).toEqual(['There is no GCC/99.']);
    expect(document.activeElement).toBe(page.get('[data-field="modules"]'));
  });

  it('can be what the server has loaded, which is said', async () => {
    w.server.haveModules(TREE, { loaded: ['GCC/14.2.0', 'OpenMPI/5.0.7'] });
    await open({ modules: ['GCC/12.3.0'] });
    expect(page.text()).toContain('Loaded now means in the server: GCC/14.2.0, OpenMPI/5.0.7.');
    await page.click(page.button('Use what is loaded now (2)'));
    expect(chosen()).toEqual(['GCC/14.2.0', 'OpenMPI/5.0.7']);
    await page.click(page.button('Undo'));
    expect(chosen()).toEqual(['GCC/12.3.0']);
  });

  it('can be a collection, or the modules in it', async () => {
    w.server.haveModules(TREE, { collections: ['mine'] });
    await open({ modules: ['GCC/12.3.0'] });
    w.server.set('POST modules/check', checked(['GCC/14.2.0', 'OpenMPI/5.0.7']));
    await page.type(page.get('[aria-label="Use a collection"]'), 'mine');
    expect(chosen()).toEqual([]);
    expect(page.get('pre').textContent).toContain('--collection mine');
    await pass(500);
    expect(w.server.checks.at(-1)?.body).toEqual({ modules: [], collection: 'mine' });
    await page.click(page.button('Choose its modules one by one'));
    expect(chosen()).toEqual(['GCC/14.2.0', 'OpenMPI/5.0.7']);
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', modules: ['GCC/14.2.0', 'OpenMPI/5.0.7'] });
  });

  it('go back to the last chip with Backspace in the empty search, and Enter there sends nothing', async () => {
    await open({ modules: ['GCC/14.2.0', 'OpenMPI/5.0.7'] });
    const field = page.get('[aria-label="Search modules"]');
    await page.press(field, 'Enter');
    expect(w.server.writes).toEqual([]);
    await page.press(field, 'Backspace');
    expect((document.activeElement as HTMLElement).getAttribute('aria-label')).toBe('Remove OpenMPI/5.0.7');
    await page.press(document.activeElement as HTMLElement, 'Backspace');
    expect(chosen()).toEqual(['GCC/14.2.0']);
  });

  it('say when nothing matches, and that more is there than is shown', async () => {
    await open();
    await search('nothing');
    expect(page.text()).toContain('No module matches “nothing”.');
    w.server.set('GET modules', { system: 'lmod', version: '', total: 1240, modules: [TREE[0]] });
    await search('g');
    expect(page.text()).toContain('The first 1 of 1,240.');
  });
});

describe('a module that has a package', () => {
  it('is suggested under the field, and used in its place', async () => {
    await open({ packages: ['numpy>=2', 'xarray'] });
    const told = page.get('.jp-HpcEnv-callout').textContent ?? '';
    expect(told).toContain('SciPy-bundle/2025.06 has numpy 2.3.1. It adds GCC/14.2.0 first.');
    await page.click(page.button('Use the module'));
    expect(chosen()).toEqual(['GCC/14.2.0', 'SciPy-bundle/2025.06']);
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', packages: ['xarray'], modules: ['GCC/14.2.0', 'SciPy-bundle/2025.06'] });
  });

  it('is suggested once for each package, and asked for once', async () => {
    await open({ packages: ['numpy', 'scipy', 'xarray'] });
    await page.click(page.button('Keep it from the index'));
    expect(page.get('.jp-HpcEnv-callout').textContent).toContain('has scipy');
    await page.click(page.button('Keep it from the index'));
    expect(page.all('.jp-HpcEnv-callout')).toEqual([]);
    await page.click(page.button('Remove numpy'));
    await page.type(page.get('[data-field="packages"]'), 'numpy');
    await page.press(page.get('[data-field="packages"]'), 'Enter');
    expect(page.all('.jp-HpcEnv-callout')).toEqual([]);
    const asked = w.server.calls.filter(call => call.path.includes('provides=')).map(call => /provides=([^&]*)/.exec(call.path)?.[1]);
    expect(asked.sort()).toEqual(['numpy', 'scipy', 'xarray']);
  });

  it('need not be added where it is chosen', async () => {
    await open({ packages: ['numpy'], modules: ['GCC/14.2.0', 'SciPy-bundle/2025.06'] });
    expect(page.get('.jp-HpcEnv-callout').textContent).toContain('SciPy-bundle/2025.06 is chosen and has numpy 2.3.1.');
    await page.click(page.button('Leave it to the module'));
    await page.click(page.button('Create'));
    expect(w.server.writes[0].body).toEqual({ name: 'hydro', modules: ['GCC/14.2.0', 'SciPy-bundle/2025.06'] });
  });
});
