/** Where a package can be had that somebody types, and what is seen and not the environment's own. */
import { act } from 'react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inOrder, wordOf } from '../src/environment/found';
import { sourceOf, sourceWord } from '../src/environment/sources';
import type { IHit } from '../src/tokens';
import { NO } from './acts';
import { Screen } from './changing';
import { detail, ICall, module, moduleSet, Refusal, trans } from './facts';

function hit(name: string, source: string, change: Partial<IHit> = {}): IHit {
  return { name, version: '2.3.3', versions: 1, summary: '', source, installed: '', size: null, note: '', ...change };
}

const HITS = [
  hit('numpy-financial', 'folder /sw/<b>wheels</b>'),
  hit('numpy', 'index https://packages.example.org/simple/', { versions: 120, size: 16e6, installed: '2.2.6', summary: 'Arrays <i>of numbers</i>.' }),
  hit('numpy', 'channel https://conda.example.org/conda-forge', { version: '', note: 'It <b>could not</b> be asked.' }),
  hit('numpy', 'module SciPy-bundle/2023.07', { version: '1.25.1', note: 'Load first: GCC/12.3.0.' })
];

describe('what is typed', () => {
  it.each([
    ['numpy', 'numpy'],
    ['numpy>=2', 'numpy'],
    ['dask[distributed]', 'dask'],
    ['conda-forge::gdal 3.10.*', 'gdal'],
    ['pip: iniconfig', 'iniconfig'],
    ['scikit-', 'scikit'],
    ['n', ''],
    ['', ''],
    ['-e /src', ''],
    ['https://example.org/x.whl', ''],
    ['git+https://example.org/x', 'git'],
    ['./here', '']
  ])('%s is asked for as %j', (typed, word) => {
    expect(wordOf(typed)).toBe(word);
  });

  it('finds modules first, and who could not be asked last', () => {
    expect(inOrder(HITS, 'NumPy').map(each => each.source.split(' ')[0])).toEqual(['module', 'index', 'folder', 'channel']);
  });
});

describe('search', () => {
  let s: Screen;
  let asked: string[];
  beforeEach(() => {
    s = new Screen();
    asked = [];
    s.w.server.set('GET search', (call: ICall) => {
      asked.push(call.path.split('?')[1].replace(/&_=.*|&?no_track_activity=1&?/g, ''));
      return HITS;
    });
  });
  afterEach(() => s.clear());

  const list = (): HTMLElement[] => s.page.all('.jp-HpcEnv-found li');
  const type = async (text: string): Promise<void> => {
    await s.page.click(s.button('Install…'));
    for (let end = 1; end <= text.length; end++) {
      await s.page.type(s.field, text.slice(0, end));
    }
    expect(asked).toEqual([]);
    await s.wait(600);
    await s.page.settle();
  };

  it('asks once, after a rest, and shows what is found as text', async () => {
    await s.open();
    await type('numpy');
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain(`query=numpy&environment=${detail().id}&limit=8`);
    const [first, second, third, last] = list().map(line => line.textContent ?? '');
    expect(first).toContain('Module SciPy-bundle/2023.07 has it numpy 1.25.1');
    expect(first).toContain('Load first: GCC/12.3.0.');
    expect(second).toContain('numpy 2.3.3Arrays <i>of numbers</i>.index packages.example.org · 2.2.6 is installed · 120 versions · 16 MB');
    expect(third).toContain('folder /sw/<b>wheels</b>');
    expect(last).toContain('It <b>could not</b> be asked.');
    expect(s.page.all('.jp-HpcEnv-found i, .jp-HpcEnv-found small b')).toEqual([]);
    expect(s.buttons('Show modules')).toEqual([]);
    expect(s.w.server.writes).toEqual([]);
  });

  it('adds what is pressed in place of what was typed', async () => {
    await s.open();
    await type('num');
    await s.page.click(s.button('Add numpy-financial'));
    expect(s.field.value).toBe('');
    expect(document.activeElement).toBe(s.field);
    expect(s.page.all('.jp-HpcEnv-install .jp-HpcEnv-chip').map(chip => chip.textContent)).toEqual(['numpy-financial']);
    expect(s.buttons('Add numpy-financial')).toEqual([]);
    expect(s.w.server.writes).toEqual([]);
    await s.page.click(s.button('Show the plan'));
    expect(s.bodies).toEqual([{ install: ['numpy-financial'], dry_run: true }]);
  });

  it('does not take what was typed for a package while one of its results has the keyboard', async () => {
    await s.open();
    await type('num');
    await act(async () => {
      s.field.focus();
      s.button('Add numpy').focus();
    });
    expect(s.page.all('.jp-HpcEnv-install .jp-HpcEnv-chip')).toEqual([]);
    await act(async () => {
      s.field.focus();
      s.button('Close').focus();
    });
    expect(s.page.all('.jp-HpcEnv-install .jp-HpcEnv-chip').map(chip => chip.textContent)).toEqual(['num']);
  });

  it('leads to the modules where one has it', async () => {
    s.w.server.haveModules([module('SciPy-bundle/2023.07')]);
    await s.w.model.modules.refresh();
    await s.open({ modules: moduleSet(['GCC/12.3.0']) });
    await type('numpy');
    await s.page.click(s.button('Show modules'));
    expect(s.page.get('[role="tab"][aria-selected="true"]').textContent).toContain('Modules');
  });

  it('says why there is nothing', async () => {
    s.w.server.set('GET search', () => {
      asked.push('');
      return new Refusal(400, NO);
    });
    await s.open();
    await type('numpy');
    expect(s.page.get('.jp-HpcEnv-found').textContent).toBe('No: <b>x</b>.');
  });

  it('is not spoken of by a server that can not', async () => {
    s.w.server.answers.delete('GET search');
    await s.open();
    await type('numpy');
    expect(s.page.get('.jp-HpcEnv-found').textContent).toBe('');
  });
});

describe('inherited packages', () => {
  let s: Screen;
  beforeEach(() => {
    s = new Screen();
    s.installed = [
      { name: 'rich', version: '14.1', source: 'index', note: 'Hides that of <b>module</b> X.' },
      { name: 'numpy', version: '1.25.1', source: 'module SciPy-bundle/<i>2023.07</i>', inherited: true },
      { name: 'six', version: '1.16', source: '/usr/lib/python3', inherited: true }
    ];
  });
  afterEach(() => s.clear());

  it('stand apart: they are counted, shown and filtered, and nothing can be done with them', async () => {
    await s.open();
    expect(s.page.get('[role="tab"][aria-selected="true"]').textContent).toBe('Packages1');
    expect(s.boxes.map(box => box.getAttribute('aria-label'))).toEqual(['Select rich']);
    expect(s.buttons('Remove numpy')).toEqual([]);
    expect(s.rows).toEqual(['numpy1.25.1module SciPy-bundle/<i>2023.07</i>', 'richHides that of <b>module</b> X.14.1index', 'six1.16/usr/lib/python3']);
    expect(s.page.all('[data-cell][tabindex="0"]').map(node => node.getAttribute('aria-label'))).toEqual(['Select rich']);
    await s.page.click(s.page.get('thead input[type="checkbox"]'));
    expect(s.page.get<HTMLInputElement>('thead input[type="checkbox"]').checked).toBe(true);
    await s.page.click(s.button('Remove…'));
    expect(s.bodies).toEqual([{ remove: ['rich'], dry_run: true }]);
    await s.page.click(s.button('Inherited 2'));
    expect(s.rows.map(row => row.slice(0, 3))).toEqual(['num', 'six']);
    await s.page.click(s.button('Its own 1'));
    expect(s.rows).toHaveLength(1);
  });

  it('say where they come from', () => {
    const word = (source: string, inherited: boolean): string => sourceWord(sourceOf({ source, inherited }), false, trans);
    expect([word('module GCC/12', true), word('/usr', true), word('', true), word('index', false)]).toEqual(['module GCC/12', '/usr', 'its Python', 'index']);
  });
});
