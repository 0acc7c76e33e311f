import { describe, expect, it } from 'vitest';
import { quote, restRequest, shellCommand } from '../src/create/command';
import { checkName, Draft, fieldOf, newDraft, problems, toRequest } from '../src/create/draft';
import { environment, operation, site, trans } from './facts';

function named(name: string, change: Partial<Draft> = {}): Draft {
  return { ...newDraft({ name }), ...change };
}

describe('checkName', () => {
  const check = (draft: Draft): string => checkName(draft, site(), [environment({ name: 'Hydro-Tools' })], [operation('running', 2)], trans).text;

  it('says that a name is free, and what the launcher shows', () => {
    expect(check(named('fresh'))).toBe('Free in home. The launcher will show “fresh (Python 3.12)”.');
    expect(check(named('fresh', { displayName: 'Fresh air' }))).toContain('“Fresh air”');
    expect(check(named('fresh', { kernel: false }))).toBe('Free in home.');
  });

  it.each([
    ['', 'An environment needs a name.'],
    ['x'.repeat(70), 'At most 63 characters; this has 70.'],
    ['a b', 'Use letters, digits, . _ -'],
    ['-r', 'Begin with a letter or digit; then letters, digits, . _ -'],
    ['base', '“base” is reserved, because Jupyter or conda uses it for something else.'],
    ['conda-x', '“conda-x” is reserved, because Jupyter or conda uses it for something else.'],
    ['Hydro-Tools', 'Taken: you have Hydro-Tools in home.'],
    ['hydro-tools', 'Differs from Hydro-Tools only by case; kernels cannot.'],
    ['running', 'Taken: you have running in home.']
  ])('refuses %j', (name, said) => {
    const result = checkName(named(name), site(), [environment({ name: 'Hydro-Tools' })], [operation('running', 2)], trans);
    expect(result).toEqual({ ok: false, text: said });
  });

  it('takes the same name in another location', () => {
    expect(check(named('Hydro-Tools', { location: 'scratch' }))).toContain('Free in scratch');
  });
});

describe('newDraft', () => {
  it('takes only what has the right type, whoever wrote it', () => {
    const hostile = { name: { toString: 1 }, packages: ['numpy', 7, null], variables: ['x'], kernel: 'no', python: 3 };
    const draft = newDraft(hostile as never);
    expect(toRequest(draft)).toEqual({ name: '', packages: ['numpy'] });
  });

  it('comes back as the request that filled it', () => {
    const request = {
      name: 'a',
      python: '3.12',
      packages: ['numpy'],
      requirements: 'scipy\n',
      location: 'scratch',
      installer: 'pip',
      system_site_packages: false,
      modules: ['GCC/14.2.0', 'OpenMPI/5.0.7'],
      variables: { OMP_NUM_THREADS: '4' },
      build_variables: { MPICC: 'mpicc' },
      display_name: 'A',
      kernel: false
    };
    expect(toRequest(newDraft(request))).toEqual(request);
    const saved = { name: 'a', collection: 'mine' };
    expect(toRequest(newDraft(saved))).toEqual(saved);
  });

  it('leaves to the server what a request left to it', () => {
    const sent = { name: 'a', system_site_packages: null, modules: [], collection: '', build_variables: {} };
    expect(toRequest(newDraft(sent))).toEqual({ name: 'a' });
  });

  it('takes a collection or modules, never both, and each module once', () => {
    expect(toRequest(newDraft({ name: 'a', collection: 'mine', modules: ['GCC'] }))).toEqual({ name: 'a', collection: 'mine' });
    expect(toRequest(newDraft({ name: 'a', modules: ['GCC', 'GCC'] })).modules).toEqual(['GCC']);
  });
});

describe('problems', () => {
  it('names the fields that are not right', () => {
    const draft = named('', { start: 'file', variables: [{ name: '1X', value: '' }], location: 'scratch' });
    const full = site();
    full.locations[1] = { ...full.locations[1], state: 'unwritable', message: 'Nobody may write there.' };
    const found = problems(draft, checkName(draft, full, [], [], trans), full, trans);
    expect(Object.keys(found).sort()).toEqual(['location', 'name', 'requirements', 'variables']);
    expect(found.location).toBe('Nobody may write there.');
  });

  it('puts an error of the server to its field', () => {
    const draft = named('a');
    expect(fieldOf('name_taken', draft)).toBe('name');
    expect(fieldOf('index_unreachable', draft)).toBeUndefined();
    expect(fieldOf('invalid_requirement', { ...draft, start: 'file' })).toBe('requirements');
    expect(fieldOf('invalid_variable', draft)).toBe('variables');
    expect(fieldOf('invalid_variable', { ...draft, buildVariables: [{ name: 'CC', value: 'mpicc' }] })).toBe('build');
    for (const code of ['module_not_found', 'module_conflict', 'module_failed', 'no_module_system']) {
      expect(fieldOf(code, draft)).toBe('modules');
    }
  });
});

describe('the same as a command', () => {
  it('quotes what a shell would read', () => {
    expect(quote(`it's $HOME`)).toBe(`'it'\\''s $HOME'`);
    expect(quote('numpy>=1')).toBe(`'numpy>=1'`);
    expect(quote('3.12')).toBe('3.12');
  });

  it('is what the form means', () => {
    const request = toRequest({
      ...newDraft({ name: 'hydro-tools', packages: ['xarray', 'dask[distributed]', 'netCDF4', 'cartopy'], python: '3.13' }),
      location: 'scratch',
      variables: [{ name: 'OMP_NUM_THREADS', value: '4' }],
      kernel: false
    });
    expect(shellCommand(request)).toBe(
      [
        'jupyter hpcenv create hydro-tools \\',
        "  xarray 'dask[distributed]' netCDF4 cartopy \\",
        '  --python 3.13 \\',
        '  --location scratch \\',
        '  --var OMP_NUM_THREADS=4 \\',
        '  --no-kernel'
      ].join('\n')
    );
    expect(shellCommand({ name: 'a', modules: ['GCC/14.2.0', 'Python/3.13.1'], system_site_packages: false, build_variables: { CC: 'mpicc -O3' } })).toBe(
      [
        'jupyter hpcenv create a \\',
        '  --module GCC/14.2.0 \\',
        '  --module Python/3.13.1 \\',
        '  --no-system-site-packages \\',
        "  --build-var 'CC=mpicc -O3'"
      ].join('\n')
    );
    expect(shellCommand({ name: 'a', collection: 'my set' })).toContain("--collection 'my set'");
    expect(JSON.parse(restRequest(request).split('\n\n')[1])).toEqual(request);
  });
});
