import React, { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newDraft, toRequest } from '../src/create/draft';
import { CreatePage } from '../src/create/page';
import { EnvironmentPage, likeThis } from '../src/environment/page';
import { EnvironmentList } from '../src/panel/list';
import { PanelState } from '../src/panel/state';
import type { ICreateRequest, ISite } from '../src/tokens';
import { draw, IDrawn } from './draw';
import { conda, detail, environment, file, ICall, IWorld, module, operation, siteWithConda, venv, world } from './facts';

const YML = 'name: climate\nchannels:\n  - conda-forge\ndependencies:\n  - numpy\n';

let w: IWorld;
let page: IDrawn | undefined;
async function open(start: Partial<ICreateRequest> = {}, site: ISite = siteWithConda()): Promise<IDrawn> {
  w.server.set('GET site', site);
  page = await draw(w, <CreatePage draft={newDraft(start)} onSubmitted={() => undefined} />);
  return page;
}

beforeEach(() => {
  w = world();
  w.server.set('POST environments', () => operation('hydro', 0, { state: 'pending' }));
});
afterEach(() => {
  page?.clear();
  page = undefined;
});

const field = (name: string): HTMLInputElement => (page as IDrawn).get<HTMLInputElement>(`[data-field="${name}"]`);
const chips = (): string[] => (page as IDrawn).all('.jp-HpcEnv-chipText').map(chip => chip.textContent ?? '');
const radio = (name: string): HTMLInputElement =>
  (page as IDrawn).all('label').find(label => label.textContent === name)?.querySelector('input') as HTMLInputElement;
const sent = (path: string): ICall[] => w.server.writes.filter(call => call.path.startsWith(path));
const paste = async (target: HTMLElement, text: string): Promise<void> => {
  const event = new Event('paste', { bubbles: true, cancelable: true });
  Object.assign(event, { clipboardData: { getData: () => text } });
  await act(async () => {
    target.dispatchEvent(event);
  });
  await (page as IDrawn).settle();
};

describe('the choice of a manager', () => {
  it('is made where there are several, each with what the site says of it', async () => {
    const drawn = await open();
    expect(radio('venv').checked).toBe(true);
    const words = document.getElementById(radio('conda').getAttribute('aria-describedby') ?? '');
    expect(words?.textContent).toBe('Packages with their libraries, from channels.');
    expect(drawn.all('label').map(label => label.textContent)).not.toContain('modules');
    expect(drawn.all('button').map(node => node.textContent)).not.toContain('Preview');
  });

  it('is not shown where there is one', async () => {
    const site = siteWithConda();
    const drawn = await open({}, { ...site, managers: [site.managers[0]] });
    expect(drawn.all('[data-field="manager"]')).toEqual([]);
    expect(drawn.text()).not.toContain('Wheels of the package index.');
  });

  it('asks conda’s questions in place of those of venv, and sends only those', async () => {
    const drawn = await open({ name: 'hydro', packages: ['numpy', 'dask[array]'], installer: 'pip' });
    expect(drawn.text()).toContain('Installer');
    await drawn.click(radio('conda'));
    expect(drawn.text()).not.toContain('Installer');
    expect(drawn.text()).not.toContain('Packages of the Python it is made from');
    expect(field('python').tagName).toBe('INPUT');
    expect(field('channels').placeholder).toBe('conda-forge, as configured');
    expect(field('packages').placeholder).toBe('Add a match spec, or paste a list');
    expect(chips()).toEqual(['numpy']);
    expect(drawn.text()).toContain('Left out, because conda can not be asked for it so: dask[array]');
    await drawn.type(field('python'), '3.12');
    await drawn.click(drawn.button('Create'));
    expect(sent('environments')[0].body).toEqual({ name: 'hydro', manager: 'conda', python: '3.12', packages: ['numpy'] });
  });

  it('gives back what did not fit', async () => {
    const drawn = await open({ name: 'hydro', packages: ['numpy', 'dask[array]'] });
    await drawn.click(radio('conda'));
    await drawn.click(radio('venv'));
    expect(chips()).toEqual(['numpy', 'dask[array]']);
    expect(drawn.text()).not.toContain('Left out');
  });

  it('goes to the choice where a request names a manager that is not here', async () => {
    const drawn = await open({ name: 'hydro', manager: 'gone' });
    await drawn.click(drawn.button('Create'));
    await new Promise(requestAnimationFrame);
    expect(document.activeElement).toBe(field('manager'));
    expect(drawn.text()).toContain('There is no manager “gone” here.');
    expect(w.server.writes).toEqual([]);
  });
});

describe('the form for conda', () => {
  it('takes channels in their order, and lets one be put before another', async () => {
    const drawn = await open({ name: 'hydro', manager: 'conda' });
    await drawn.type(field('channels'), 'conda-forge');
    await drawn.press(field('channels'), 'Enter');
    await drawn.type(field('channels'), 'bioconda');
    await drawn.press(field('channels'), ',');
    expect(chips()).toEqual(['conda-forge', 'bioconda']);
    await drawn.click(drawn.button('Put bioconda before conda-forge'));
    expect(chips()).toEqual(['bioconda', 'conda-forge']);
    await drawn.press(field('channels'), 'Backspace');
    await drawn.press(document.activeElement as HTMLElement, 'Backspace');
    expect(chips()).toEqual(['bioconda']);
    await drawn.click(drawn.button('Create'));
    expect(sent('environments')[0].body).toMatchObject({ channels: ['bioconda'] });
  });

  it('refuses a channel with a password before it is sent or kept', async () => {
    const drawn = await open({ name: 'hydro', manager: 'conda' });
    await drawn.type(field('channels'), 'https://me:secret@host.org/c');
    await drawn.press(field('channels'), 'Enter');
    expect(chips()).toEqual([]);
    expect(drawn.get('[role="alert"]').textContent).toContain('A channel must hold no password or token');
    expect(field('channels').value).toBe('https://me:secret@host.org/c');
    expect(drawn.get('pre').textContent).not.toContain('secret');
  });

  it('takes the channels of a pasted command line as channels', async () => {
    const drawn = await open({ name: 'hydro', manager: 'conda' });
    await paste(field('packages'), 'conda install -c bioconda samtools=1.21 "python >=3.12"');
    expect(chips()).toEqual(['bioconda', 'samtools =1.21', 'python >=3.12']);
    await drawn.click(drawn.button('Create'));
    expect(sent('environments')[0].body).toMatchObject({ channels: ['bioconda'], packages: ['samtools=1.21', 'python >=3.12'] });
  });

  it('builds for a computer with a GPU', async () => {
    const drawn = await open({ name: 'hydro', manager: 'conda' });
    await drawn.click(drawn.get('input[type="checkbox"]'));
    expect(document.activeElement).toBe(field('cuda'));
    await drawn.click(drawn.button('Create'));
    expect(drawn.text()).toContain('Say which CUDA version the driver of that computer supports, such as 12.4.');
    await drawn.type(field('cuda'), '12.4');
    expect(drawn.text()).toContain('cuda 12.4');
    await drawn.click(drawn.button('Create'));
    expect(sent('environments')[0].body).toEqual({ name: 'hydro', manager: 'conda', virtual_packages: { cuda: '12.4' } });
  });

  it('shows the command that says the same', async () => {
    const drawn = await open({ name: 'hydro', manager: 'conda', channels: ['a', 'b'], virtual_packages: { cuda: '12.4' }, file: '@EXPLICIT\n' });
    expect(drawn.get('.jp-HpcEnv-code').textContent).toBe(
      ['jupyter hpcenv create hydro', '  --manager conda', '  --file explicit.txt', '  --channel a', '  --channel b', '  --virtual-package cuda=12.4'].join(
        ' \\\n'
      )
    );
  });

  it('offers a module in place of a package as one built for this machine, without conda', async () => {
    w.server.haveModules([module('SciPy-bundle/2025.06', { extensions: ['numpy/2.3.1'] })]);
    const drawn = await open({ name: 'hydro', manager: 'conda', packages: ['conda-forge::numpy=2', 'xarray'] });
    expect(drawn.text()).toContain('It was built for this machine; what channels have are generic binaries.');
    await drawn.click(drawn.button('Use the module, without conda'));
    await drawn.click(drawn.button('Create'));
    expect(sent('environments')[0].body).toEqual({ name: 'hydro', packages: ['xarray'], modules: ['SciPy-bundle/2025.06'] });
  });
});

describe('a file of conda', () => {
  const drop = async (target: HTMLElement, what: File): Promise<void> => {
    const event = new Event('drop', { bubbles: true, cancelable: true });
    Object.assign(event, { dataTransfer: { files: [what], types: ['Files'] } });
    await act(async () => {
      target.dispatchEvent(event);
    });
    await (page as IDrawn).settle();
  };

  it('is read by conda, whichever manager was chosen, and gives the name', async () => {
    const drawn = await open();
    await drawn.click(radio('A file'));
    await drop(field('requirements'), file(YML));
    expect(radio('conda').checked).toBe(true);
    expect(field('name').value).toBe('climate');
    expect(chips()).toContain('environment.yml');
    expect(drawn.text()).toContain('An environment.yml: what it asks for is solved anew.');
    await drawn.click(drawn.button('Create'));
    expect(sent('environments')[0].body).toEqual({ name: 'climate', manager: 'conda', file: YML });
  });

  it('is pasted as text and cleared easily', async () => {
    const drawn = await open({ manager: 'conda' });
    await drawn.click(radio('A file'));
    await drawn.type(drawn.get('textarea'), YML);
    expect(field('name').value).toBe('climate');
    expect(chips()).toEqual(['Pasted text']);
    await drawn.click(drawn.button('Clear the text'));
    expect(drawn.get<HTMLTextAreaElement>('textarea').value).toBe('');
    expect(field('name').value).toBe('');
    expect(document.activeElement).toBe(drawn.get('textarea'));
    await drawn.click(drawn.button('Create'));
    expect(drawn.text()).toContain('Choose a file, or paste its lines.');
  });

  it('leaves a name alone that somebody gave', async () => {
    const drawn = await open({ name: 'mine', manager: 'conda' });
    await drawn.click(radio('A file'));
    await drop(field('requirements'), file(YML));
    expect(field('name').value).toBe('mine');
  });

  it('opens the form when it is dropped on the list', async () => {
    w.server.set('GET site', siteWithConda());
    const create = vi.fn();
    w.actions.pages = { open: vi.fn(), create };
    await w.model.refreshSite();
    page = await draw(w, <EnvironmentList state={new PanelState(null)} />);
    await drop(page.get('.jp-HpcEnv-panel'), file(YML));
    expect(create).toHaveBeenCalledWith({ manager: 'conda', file: YML }, 'file', 'environment.yml');
  });
});

describe('the packages of a conda environment', () => {
  async function packages(): Promise<IDrawn> {
    const facts = detail({ manager: 'conda', installer: 'rattler', packages: ['conda-forge::numpy=2'], channels: ['https://conda.example.org/conda-forge'] });
    w.server.set('GET environments', [environment({ manager: 'conda' })]);
    w.server.set(`GET environments/${facts.id}`, facts);
    w.server.set(`GET environments/${facts.id}/packages`, [
      { name: 'numpy', version: '2.0', source: 'conda https://conda.example.org/conda-forge' },
      { name: 'zlib', version: '1.3', source: 'conda https://conda.example.org/conda-forge' },
      { name: 'rich', version: '14.0', source: 'index' }
    ]);
    await w.model.refresh();
    page = await draw(w, <EnvironmentPage id={facts.id} arrived={false} onClose={() => undefined} />);
    return page;
  }
  const rows = (): string[] => (page as IDrawn).all('tbody tr').map(row => row.textContent ?? '');

  it('stand apart from those of pip, each with its channel', async () => {
    const drawn = await packages();
    expect(drawn.text()).toContain('conda, filled by rattler');
    expect(drawn.text()).toContain('https://conda.example.org/conda-forge');
    await drawn.press(drawn.get('[role="tab"][aria-selected="true"]'), 'ArrowRight');
    expect(rows()).toEqual(['numpy2.0conda, conda-forgeyou', 'rich14.0pip, index', 'zlib1.3conda, conda-forge']);
    await drawn.click(drawn.button('pip 1'));
    expect(rows()).toEqual(['rich14.0pip, index']);
    await drawn.click(drawn.button('conda 2'));
    expect(rows()).toHaveLength(2);
    await drawn.click(drawn.button('Asked for'));
    expect(rows()).toHaveLength(1);
  });
});

describe('another environment like one', () => {
  const like = (change: Parameters<typeof detail>[0], managers = siteWithConda().managers): object =>
    toRequest(newDraft(likeThis(detail({ packages: ['numpy'], ...change }), managers)));

  it('of conda has its manager, channels and version of Python', () => {
    const facts = { manager: 'conda', python: '3.12.11', python_path: '/home/a/envs/climate/bin/python', channels: ['https://h/c'] };
    expect(like(facts)).toEqual({ name: '', manager: 'conda', python: '3.12', packages: ['numpy'], channels: ['https://h/c'], location: 'home' });
  });

  it('is made by the site’s own manager where that one is not here', () => {
    const request = { name: '', python: '/usr/bin/python3.12', packages: ['numpy'], location: 'home' };
    expect(like({})).toEqual(request);
    expect(like({ manager: 'virtualenvwrapper' })).toEqual(request);
    expect(like({}, [conda(), venv()])).toEqual({ ...request, manager: 'venv' });
  });
});
