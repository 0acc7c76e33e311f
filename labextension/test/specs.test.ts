import { describe, expect, it } from 'vitest';
import { fileKind, nameIn } from '../src/create/described';
import { newDraft, problems, toRequest, withFile } from '../src/create/draft';
import { fits, offered, settled, switched } from '../src/create/managers';
import { nameAndRest } from '../src/create/packages';
import { channelName, checkChannel, commaEnds, splitChannels, splitSpecs } from '../src/create/specs';
import { readFile, startWith } from '../src/create/start';
import { sourceOf, sourceWord } from '../src/environment/sources';
import { conda, file, site, siteWithConda, trans, venv } from './facts';

describe('splitSpecs', () => {
  it.each<[string, string[], string[]]>([
    ['numpy', ['numpy'], []],
    ['numpy scipy', ['numpy', 'scipy'], []],
    ['numpy, scipy,pandas', ['numpy', 'scipy', 'pandas'], []],
    ['python 3.12.*', ['python 3.12.*'], []],
    ['numpy >=1.26,<2 pandas', ['numpy >=1.26,<2', 'pandas'], []],
    ['numpy >= 1.26, < 2', ['numpy >= 1.26,< 2'], []],
    ['numpy=1.26=py312h_0 scipy', ['numpy=1.26=py312h_0', 'scipy'], []],
    ['numpy 1.26 py312*', ['numpy 1.26 py312*'], []],
    ['numpy 1.26 py312h8753938_0 scipy', ['numpy 1.26 py312h8753938_0', 'scipy'], []],
    ['conda-forge::gdal 3.10.* r-base', ['conda-forge::gdal 3.10.*', 'r-base'], []],
    ["numpy[version='>=1, <2'] scipy", ["numpy[version='>=1, <2']", 'scipy'], []],
    ['conda install -y "python >=3.12" numpy', ['python >=3.12', 'numpy'], []],
    ['$ mamba install -c conda-forge --channel=bioconda samtools', ['samtools'], ['conda-forge', 'bioconda']],
    ['  - numpy=2\n  - scipy  # why\n\n# none', ['numpy=2', 'scipy'], []],
    ['pip: rich>=13 numpy', ['pip: rich>=13', 'numpy'], []],
    ['numpy -n base', ['numpy', '-n', 'base'], []],
    [' ,, ', [], []]
  ])('cuts %j', (text, specs, channels) => {
    expect(splitSpecs(text)).toEqual({ specs, channels });
  });

  it('knows when a comma ends a name, and when it belongs to a version', () => {
    expect(commaEnds('numpy')).toBe(true);
    expect(commaEnds('conda-forge::numpy')).toBe(true);
    expect(commaEnds('numpy >=1.26')).toBe(false);
    expect(commaEnds("numpy[version='1")).toBe(false);
  });

  it('tells a name from the rest', () => {
    expect(nameAndRest('conda-forge::gdal 3.10.*')).toEqual(['conda-forge::gdal', '3.10.*']);
    expect(nameAndRest('_openmp_mutex=4.5')).toEqual(['_openmp_mutex', '=4.5']);
  });
});

describe('channels', () => {
  it('are cut at blanks and commas', () => {
    expect(splitChannels('conda-forge, bioconda\n- file:///srv/channel')).toEqual(['conda-forge', 'bioconda', 'file:///srv/channel']);
  });

  it.each(['https://me:secret@host.org/c', 'https://token@host.org/c', 'https://host.org/t/abc123/c', 'https://host.org/c?token=1', 't/abc123/main', 'https://me%3Asecret%40host.org/c', 'https://host.org/%74/abc/c'])(
    'are refused with credentials: %s',
    channel => {
      const said = checkChannel(channel, trans);
      expect(said).toContain('password or token');
      expect(said).not.toContain('secret');
      expect(said).not.toContain('abc');
    }
  );

  it.each(['conda-forge', 'conda-forge/label/dev', 'https://host.org/conda-forge', 'file:///srv/a@b/t/x', '/srv/t/x', 'https://host.org/c@d'])(
    'are taken: %s',
    channel => {
      expect(checkChannel(channel, trans)).toBe('');
    }
  );

  it('are known by the end of their address', () => {
    expect(channelName('https://conda.example.org/conda-forge/')).toBe('conda-forge');
    expect(channelName('https://conda.example.org/conda-forge/label/dev')).toBe('conda-forge/label/dev');
    expect(channelName('file:///srv/channels/main')).toBe('main');
    expect(channelName('https://conda.example.org')).toBe('https://conda.example.org');
    expect(channelName('bioconda')).toBe('bioconda');
  });
});

const YML = 'name: climate # mine\nchannels:\n  - conda-forge\ndependencies:\n  - numpy\n';

describe('files of conda', () => {
  it.each([
    [YML, 'environment'],
    ['dependencies: [numpy]', 'environment'],
    ['# platform: linux-64\n@EXPLICIT\nhttps://host.org/c/linux-64/a-1-0.conda\n', 'explicit'],
    ['version: 6\nenvironments:\n  default: {}\npackages: []\n', 'pixi'],
    ['version: 1\nmetadata: {}\npackage:\n  - name: a\n', 'conda-lock'],
    ['numpy>=1\nscipy\n', undefined],
    ['', undefined]
  ])('are recognised: %j', (text, kind) => {
    expect(fileKind(text)).toBe(kind);
  });

  it.each([
    [YML, 'climate'],
    ['name: "a b"\ndependencies: []\n', ''],
    ["name: 'quoted'\r\ndependencies: []\n", 'quoted'],
    ['name: $(rm)\ndependencies: []\n', ''],
    ['name:\ndependencies: []\n', ''],
    ['name: locked\nversion: 1\npackage: []\n', ''],
    [`name: ${'x'.repeat(70)}\ndependencies: []\n`, '']
  ])('give a name: %j', (text, name) => {
    expect(nameIn(text)).toBe(name);
  });

  it('start the form that reads them, when they are dropped on the list', () => {
    expect(startWith(YML, siteWithConda())).toEqual({ manager: 'conda', file: YML });
    expect(startWith(YML, site())).toEqual({ requirements: YML });
    expect(startWith('numpy\n', siteWithConda())).toEqual({ requirements: 'numpy\n' });
    const draft = newDraft(startWith(YML, siteWithConda()), 'file', 'environment.yml');
    expect([draft.start, draft.name, draft.language, draft.fileName]).toEqual(['file', 'climate', 'conda', 'environment.yml']);
  });

  it('may be longer than a list of requirements', async () => {
    const lock = `version: 1\npackage:\n${'# x\n'.repeat(300_000)}`;
    expect(await readFile(file(lock))).toBe(lock);
    expect(await readFile(file('x'.repeat(1_100_000)))).toBeNull();
    expect(await readFile(file(lock.repeat(5)))).toBeNull();
  });
});

describe('a form for conda', () => {
  const filled = {
    name: 'a',
    manager: 'conda',
    python: '3.12',
    packages: ['numpy >=1.26', 'conda-forge::gdal'],
    channels: ['bioconda', 'conda-forge'],
    virtual_packages: { glibc: '2.28', cuda: '12.4' },
    file: YML,
    location: 'scratch'
  };

  it('comes back as the request that filled it', () => {
    expect(toRequest(newDraft(filled))).toEqual(filled);
    expect(newDraft({ virtual_packages: { __cuda: '12' } }).cuda).toBe('12');
  });

  it('sends nothing that its manager does not know', () => {
    const draft = { ...newDraft(filled), requirements: 'numpy\n', installer: 'uv', systemSitePackages: true };
    expect(toRequest(draft)).toEqual(filled);
    expect(toRequest({ ...draft, manager: '', language: 'pep508' })).toEqual({
      name: 'a',
      python: '3.12',
      packages: filled.packages,
      requirements: 'numpy\n',
      installer: 'uv',
      system_site_packages: true,
      location: 'scratch'
    });
  });

  it('takes its name from the file while nobody gave it another', () => {
    const draft = { ...newDraft({ manager: 'conda' }), name: '' };
    expect(withFile(draft, YML, 'e.yml')).toEqual({ file: YML, fileName: 'e.yml', name: 'climate' });
    const follows = { ...draft, file: YML, name: 'climate' };
    expect(withFile(follows, YML.replace('climate', 'hydro'), '').name).toBe('hydro');
    expect(withFile({ ...follows, name: 'mine' }, YML, '')).not.toHaveProperty('name');
  });

  it('says what is wrong before it is sent', () => {
    const bad = { ...newDraft({ name: 'a', manager: 'conda', python: '/usr/bin/python3', channels: ['https://a:b@c/d'] }), cuda: 'new' };
    const found = problems(bad, { ok: true, text: '' }, siteWithConda(), trans);
    expect(Object.keys(found).sort()).toEqual(['channels', 'cuda', 'python']);
    expect(problems(newDraft(filled), { ok: true, text: '' }, siteWithConda(), trans)).toEqual({});
    expect(problems(newDraft({ ...filled, manager: 'gone' }), { ok: true, text: '' }, siteWithConda(), trans).manager).toContain('“gone”');
  });
});

describe('managers', () => {
  it('are offered where the site says something of them', () => {
    const names = (draft: { manager: string }, at = siteWithConda()): string[] => offered(draft, at).map(each => each.name);
    expect(names({ manager: '' })).toEqual(['venv', 'conda']);
    expect(names({ manager: 'modules' })).toEqual(['venv', 'conda', 'modules']);
    expect(names({ manager: '' }, site())).toEqual(['venv']);
  });

  it('keep what fits them, and give back what did not', () => {
    const at = siteWithConda();
    const packages = ['numpy', 'scipy>=1.14', 'dask[array]', 'a @ https://x/a.whl', 'tomli; python_version < "3.11"'];
    const draft = newDraft({ name: 'a', packages, python: '/usr/bin/python3', location: 'scratch', variables: { A: '1' } });
    const there = { ...draft, ...switched(draft, at.managers[1], at) };
    expect([there.manager, there.language, there.python]).toEqual(['conda', 'conda', '3.11']);
    expect(there.packages).toEqual(['numpy', 'scipy>=1.14']);
    expect(toRequest(there)).toMatchObject({ name: 'a', location: 'scratch', variables: { A: '1' } });
    there.packages.push('conda-forge::gdal 3.10.*');
    const back = { ...there, ...switched(there, at.managers[0], at) };
    expect([back.manager, back.language, back.python]).toEqual(['', 'pep508', '/usr/bin/python3']);
    expect(back.packages).toEqual(packages);
    expect(back.aside).toEqual(['conda-forge::gdal 3.10.*']);
  });

  it.each(['numpy=1.26', 'numpy 1.26', 'a::b', 'numpy[version=1]', 'numpy=1.26=py*', 'python 3.12|3.13'])('know %s as a match spec', spec => {
    expect([fits(spec, 'conda'), fits(spec, 'pep508')]).toEqual([true, false]);
  });

  it.each(['numpy', 'numpy>=1.26,<2', 'numpy==1.26.*', 'numpy ~=1.26', 'numpy!=2'])('know %s as both', spec => {
    expect([fits(spec, 'conda'), fits(spec, 'pep508')]).toEqual([true, true]);
  });

  it('are settled once the site is known', () => {
    const at = siteWithConda();
    expect(settled(newDraft({ file: YML }), at)).toEqual({ manager: 'conda', language: 'conda' });
    expect(settled(newDraft({}), at)).toEqual({ manager: '', language: 'pep508' });
    expect(settled(newDraft({}), site({ managers: [conda(), venv()] }))).toEqual({ manager: '', language: 'conda' });
    // nothing reads it here: it is shown, and refused by its lines
    expect(settled(newDraft({ file: YML }), site())).toEqual({ manager: '', language: 'pep508', requirements: YML });
  });
});

describe('sources of packages', () => {
  it('say what installed them, and from where', () => {
    const word = (source: string, both = true): string => sourceWord(sourceOf({ source }), both, trans);
    expect(word('conda https://conda.example.org/conda-forge')).toBe('conda, conda-forge');
    expect(word('conda')).toBe('conda');
    expect(word('index')).toBe('pip, index');
    expect(word('editable /home/a/src')).toBe('pip, editable /home/a/src');
    expect(word('index', false)).toBe('index');
    expect(word('condatorium')).toBe('pip, condatorium');
  });
});
