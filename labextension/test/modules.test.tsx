/** Modules of an environment that is there: its tab, its row, its activation. */
import { Notification } from '@jupyterlab/apputils';
import React from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EnvironmentPage, ITurn } from '../src/environment/page';
import { actsOf } from '../src/panel/menu';
import { makeRows } from '../src/panel/rows';
import type { IActivation, IEnvironmentDetail } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { detail, environment, ICall, IWorld, module, moduleSet, Refusal, trans, world } from './facts';

let w: IWorld;
let page: IDrawn | undefined;
beforeEach(() => {
  w = world();
  w.server.haveModules([module('GCC/14.2.0'), module('OpenMPI/5.0.7', { prerequisites: [['GCC/14.2.0']] })]);
});
afterEach(() => {
  page?.clear();
  page = undefined;
  vi.restoreAllMocks();
});

const MODULES = moduleSet(['GCC/14.2.0', 'OpenMPI/5.0.7'], ['zlib/1.3']);

async function open(change: Partial<IEnvironmentDetail> = {}, turn?: ITurn): Promise<IDrawn> {
  const facts = detail(change);
  w.server.set('GET environments', [environment(change)]);
  w.server.set(`GET environments/${facts.id}`, facts);
  w.server.set(`GET environments/${facts.id}/packages`, []);
  w.server.set(`GET environments/${facts.id}/activation`, (call: ICall): IActivation => {
    const dialect = new URLSearchParams(call.path.split('?')[1]).get('dialect') ?? 'sh';
    const modulefile = dialect === 'lmod' || dialect === 'tcl';
    return {
      dialect,
      command: modulefile ? 'module load hpcenv/climate' : `. activate.${dialect}`,
      text: modulefile ? `-- the file for ${dialect}` : '',
      path: '',
      use: modulefile ? 'module use /home/a/modulefiles' : ''
    };
  });
  await w.model.refresh();
  page = await draw(w, <EnvironmentPage id={facts.id} arrived={false} turn={turn} onClose={() => undefined} />);
  return page;
}

const tabs = (drawn: IDrawn): string[] => drawn.all('.jp-HpcEnv-tabs [role="tab"]').map(tab => tab.textContent ?? '');
async function tab(drawn: IDrawn, name: string): Promise<void> {
  await drawn.click(drawn.all('[role="tab"]').find(each => each.textContent?.startsWith(name)) as HTMLElement);
}

describe('the tab of the modules', () => {
  it('is there where there are modules to show or to choose', async () => {
    const drawn = await open();
    expect(tabs(drawn)).toContain('Modules0');
    drawn.clear();
    w.server.set('GET modules/loaded', { system: 'none', loaded: [], collections: [] });
    expect(tabs(await open()).join()).not.toContain('Modules');
    page?.clear();
    expect(tabs(await open({ modules: MODULES })).join()).toContain('Modules2');
  });

  it('shows the order, what they brought, and what they said', async () => {
    const drawn = await open({ modules: { ...MODULES, messages: ['OpenMPI retires soon.'] } });
    expect(drawn.text()).toContain('ModulesGCC/14.2.0, OpenMPI/5.0.7');
    await tab(drawn, 'Modules');
    expect(drawn.all('.jp-HpcEnv-chain .jp-HpcEnv-chipText').map(chip => chip.textContent)).toEqual(['GCC/14.2.0', 'OpenMPI/5.0.7']);
    expect(drawn.all('tbody tr').map(row => row.textContent)).toEqual([
      'zlib/1.3a module/apps/modules/zlib/1.3.lua',
      'GCC/14.2.0you/apps/modules/GCC/14.2.0.lua',
      'OpenMPI/5.0.7you/apps/modules/OpenMPI/5.0.7.lua'
    ]);
    expect(drawn.text()).toContain('What they bring on debian12-x86_64');
    expect(drawn.text()).toContain('OpenMPI retires soon.');
  });

  it('flags what is gone or changed with an icon and a word', async () => {
    const drift = [{ module: 'GCC/14.2.0', what: 'changed', message: 'The modulefile of GCC/14.2.0 is another one.' }];
    const drawn = await open({ modules: MODULES, drift });
    expect(drawn.get('.jp-HpcEnv-findings').textContent).toContain('Module GCC/14.2.0: changed');
    await drawn.click(drawn.button('Show modules'));
    const [flagged, fine] = drawn.all('.jp-HpcEnv-chain .jp-HpcEnv-chip');
    expect(flagged.textContent).toBe('GCC/14.2.0 changed');
    expect(flagged.querySelector('.jp-HpcEnv-warn')).toBeTruthy();
    expect(fine.querySelector('.jp-HpcEnv-warn')).toBeNull();
    expect(drawn.text()).toContain('The modulefile of GCC/14.2.0 is another one.');
  });

  it('changes them after the kernel was proven, and says what running kernels have', async () => {
    const success = vi.spyOn(Notification, 'success');
    const drawn = await open({ modules: MODULES });
    const facts = detail({ modules: moduleSet(['GCC/14.2.0']), revision: 2 });
    w.server.set(`PATCH environments/${facts.id}`, () => {
      w.server.set(`GET environments/${facts.id}`, facts);
      return facts;
    });
    w.kernels.push('hpcenv-home.climate');
    await tab(drawn, 'Modules');
    await drawn.click(drawn.button('Change…'));
    expect(drawn.text()).toContain('Update starts the kernel once with these modules');
    await drawn.click(drawn.button('Remove OpenMPI/5.0.7'));
    await drawn.click(drawn.button('Update'));
    expect(w.server.writes.map(call => [call.method, call.body])).toEqual([['PATCH', { modules: ['GCC/14.2.0'] }]]);
    expect(success.mock.calls[0][0]).toBe('Updated the modules of climate. 1 running kernel has the old ones until it is restarted.');
    expect(drawn.all('.jp-HpcEnv-chain .jp-HpcEnv-chipText').map(chip => chip.textContent)).toEqual(['GCC/14.2.0']);
    expect(drawn.all('.jp-HpcEnv-picker')).toEqual([]);
  });

  it('sends a change once, however often its button is pressed', async () => {
    const drawn = await open({ modules: MODULES });
    let answer: () => void = () => undefined;
    const change = vi.spyOn(w.model.api, 'change').mockImplementation(
      () => new Promise(resolve => {
        answer = () => resolve(detail());
      })
    );
    await tab(drawn, 'Modules');
    await drawn.click(drawn.button('Change…'));
    await drawn.click(drawn.button('Update'));
    await drawn.click(drawn.button('Proving the kernel…'));
    expect(drawn.text()).toContain('The kernel is started once with these modules…');
    expect(change).toHaveBeenCalledTimes(1);
    answer();
    await drawn.settle();
  });

  it('keeps what was chosen when the server refuses it, and over a look at another tab', async () => {
    const drawn = await open({ modules: MODULES });
    const why = { message: 'The kernel did not start with these modules.', reason: '', code: 'preflight_failed', hints: ['Load Python as well.'] };
    w.server.set(`PATCH environments/${detail().id}`, new Refusal(422, why));
    await tab(drawn, 'Modules');
    await drawn.click(drawn.button('Change…'));
    await drawn.click(drawn.button('Remove OpenMPI/5.0.7'));
    await drawn.click(drawn.button('Update'));
    expect(drawn.get('[role="alert"]').textContent).toBe('The kernel did not start with these modules. Load Python as well.');
    await tab(drawn, 'Packages');
    await tab(drawn, 'Modules');
    expect(drawn.all('.jp-HpcEnv-chain .jp-HpcEnv-chipText').map(chip => chip.textContent)).toEqual(['GCC/14.2.0']);
    await drawn.click(drawn.button('Leave them as they are'));
    expect(drawn.all('.jp-HpcEnv-chain li')).toHaveLength(2);
  });

  it('can only be looked at where the environment is another person’s', async () => {
    const drawn = await open({ modules: MODULES, origin: 'shared' });
    await tab(drawn, 'Modules');
    expect(drawn.all('button').filter(node => node.textContent === 'Change…')).toEqual([]);
  });

  it('is where a page opens that was asked for it', async () => {
    const drawn = await open({ modules: MODULES }, { tab: 'modules' });
    expect(drawn.get('.jp-HpcEnv-tabs [aria-selected="true"]').textContent).toBe('Modules2');
  });
});

describe('a row whose module is missing', () => {
  const gone = environment({ state: 'module_missing', message: 'The module “GCC/12.3.0” is not there any more.' });
  const [row] = makeRows({ environments: [gone], operations: [], kernelsRunning: () => 0 }, trans);

  it('names it, also for ears and the filter', () => {
    expect([row.kind, row.strong, row.rest]).toEqual(['trouble', 'Module missing:', 'GCC/12.3.0']);
    expect(row.label).toContain('Module missing GCC/12.3.0');
    expect(row.words).toContain('gcc/12.3.0');
  });

  it('shows the message where it quotes no name', () => {
    const other = environment({ state: 'module_missing', message: 'Modules can not be read.' });
    expect(makeRows({ environments: [other], operations: [], kernelsRunning: () => 0 }, trans)[0].rest).toBe('Modules can not be read.');
  });

  it('offers first to choose others, and no notebook', () => {
    const opened = vi.fn();
    w.actions.pages = { open: opened, create: vi.fn() };
    const acts = actsOf(row, { actions: w.actions, trans, open: () => undefined, remove: () => undefined });
    expect(acts.map(act => act.id).slice(0, 2)).toEqual(['modules', 'open']);
    acts[0].run();
    expect(opened).toHaveBeenCalledWith({ environment: gone.id, tab: 'modules' });
    const theirs = { ...row, environment: { ...gone, origin: 'shared' as const } };
    const others = actsOf(theirs, { actions: w.actions, trans, open: () => undefined, remove: () => undefined });
    expect(others.map(act => act.id)).not.toContain('modules');
  });
});

describe('activation', () => {
  const names = (drawn: IDrawn): string[] => drawn.all('.jp-HpcEnv-dialects [role="tab"] > span').map(node => node.textContent ?? '');
  const code = (drawn: IDrawn): string[] => drawn.all('pre').map(node => node.textContent ?? '');

  it('has the lines to type first, then the file, in each dialect', async () => {
    const drawn = await open();
    await tab(drawn, 'Activate');
    expect(names(drawn)).toEqual(['Lmod', 'Tcl modulefile', 'bash, zsh, sh', 'tcsh, csh', 'fish', 'Slurm job', 'PBS job']);
    expect(code(drawn)).toEqual(['module use /home/a/modulefiles\nmodule load hpcenv/climate', '-- the file for lmod']);
    await drawn.press(drawn.get('.jp-HpcEnv-dialects [aria-selected="true"]'), 'End');
    expect(document.activeElement?.textContent).toContain('PBS job');
    expect(code(drawn)).toEqual(['. activate.pbs']);
    await drawn.press(document.activeElement as HTMLElement, 'ArrowDown');
    expect(document.activeElement?.textContent).toContain('Lmod');
  });

  it('offers no modulefile where nothing reads one', async () => {
    w.server.set('GET modules/loaded', { system: 'none', loaded: [], collections: [] });
    const drawn = await open({ origin: 'foreign' });
    await tab(drawn, 'Activate');
    expect(names(drawn)).toEqual(['bash, zsh, sh', 'tcsh, csh', 'fish']);
    expect(code(drawn)).toEqual(['. activate.sh']);
  });

  it('installs the modulefile, and then says that it is', async () => {
    const drawn = await open();
    const { id } = detail();
    const installed: IActivation = { dialect: 'lmod', command: 'module load hpcenv/climate', text: '-- lua', path: '/home/a/modulefiles/hpcenv/climate.lua', use: 'module use /home/a/modulefiles' };
    w.server.set(`POST environments/${id}/activation`, () => {
      w.server.set(`GET environments/${id}/activation`, installed);
      return installed;
    });
    await tab(drawn, 'Activate');
    expect(drawn.text()).not.toContain('Installed');
    await drawn.click(drawn.button('Install the modulefile'));
    expect(w.server.writes.map(call => [call.path.split('?')[0], call.body])).toEqual([[`environments/${id}/activation`, { dialect: 'lmod' }]]);
    expect(drawn.text()).toContain('Installed');
    expect(drawn.text()).toContain(installed.path);
    expect(drawn.all('button').map(node => node.textContent)).not.toContain('Install the modulefile');
  });
});
