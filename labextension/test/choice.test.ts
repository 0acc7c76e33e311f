import { describe, expect, it } from 'vitest';
import { addition, brings, dependents, easiest, families, nameAndVersion, usual } from '../src/modules/choice';
import { folded } from '../src/environment/packages';
import type { IModule } from '../src/tokens';
import { module } from './facts';

const GCC14 = module('GCC/14.2.0', { default: true });
const GCC12 = module('GCC/12.3.0');
const MPI = module('OpenMPI/5.0.7', { prerequisites: [['GCC/14.2.0']] });
const MPI4 = module('OpenMPI/4.1.6', { prerequisites: [['GCC/12.3.0']] });
const HDF5 = module('HDF5/1.14', { prerequisites: [['GCC/14.2.0'], ['GCC/14.2.0', 'OpenMPI/5.0.7']] });
const NETCDF = module('netCDF/4.9.3', { prerequisites: [['GCC/14.2.0', 'OpenMPI/5.0.7'], ['GCC/12.3.0', 'OpenMPI/4.1.6']] });
const known = new Map<string, IModule>([GCC14, GCC12, MPI, MPI4, HDF5, NETCDF].map(each => [each.name, each]));

describe('adding a module', () => {
  it('adds what it needs first, in load order', () => {
    expect(addition(GCC14, [], known).add).toEqual(['GCC/14.2.0']);
    expect(addition(NETCDF, [], known).result).toEqual(['GCC/14.2.0', 'OpenMPI/5.0.7', 'netCDF/4.9.3']);
    expect(addition(NETCDF, ['GCC/14.2.0', 'OpenMPI/5.0.7'], known)).toMatchObject({ add: ['netCDF/4.9.3'], replaces: [] });
  });

  it('goes along the chain that replaces nothing, though it is not the first', () => {
    const way = addition(NETCDF, ['GCC/12.3.0'], known);
    expect(way).toMatchObject({ needs: ['GCC/12.3.0', 'OpenMPI/4.1.6'], add: ['OpenMPI/4.1.6', 'netCDF/4.9.3'], replaces: [] });
  });

  it('replaces other versions and what stands on them, and says so', () => {
    const way = addition(MPI4, ['Python/3.13.1', 'GCC/14.2.0', 'HDF5/1.14'], known);
    expect(way.replaces).toEqual(['GCC/14.2.0', 'HDF5/1.14']);
    expect(way.result).toEqual(['Python/3.13.1', 'GCC/12.3.0', 'OpenMPI/4.1.6']);
  });

  it('replaces the other one of a family', () => {
    const [gcc, intel] = [module('gcc/13', { family: 'compiler' }), module('intel/2023', { family: 'compiler' })];
    const all = new Map([gcc, intel, module('gdb/14')].map(each => [each.name, each]));
    expect(addition(intel, ['gdb/14', 'gcc/13'], all)).toMatchObject({ replaces: ['gcc/13'], result: ['gdb/14', 'intel/2023'] });
  });

  it('takes a name without version for any of its versions', () => {
    expect(addition(MPI, ['GCC'], known)).toMatchObject({ add: ['OpenMPI/5.0.7'], replaces: [] });
  });

  it('adds nothing that is there', () => {
    expect(addition(GCC14, ['GCC/14.2.0'], known)).toMatchObject({ add: [], replaces: [], result: ['GCC/14.2.0'] });
  });
});

describe('removing a module', () => {
  it('takes along what can not be loaded without it, over several steps', () => {
    expect(dependents(['GCC/14.2.0'], ['GCC/14.2.0', 'OpenMPI/5.0.7', 'netCDF/4.9.3', 'Python/3.13.1'], known)).toEqual([
      'OpenMPI/5.0.7',
      'netCDF/4.9.3'
    ]);
  });

  it('leaves what has another chain', () => {
    expect(dependents(['OpenMPI/5.0.7'], ['GCC/14.2.0', 'OpenMPI/5.0.7', 'HDF5/1.14'], known)).toEqual([]);
  });
});

describe('versions', () => {
  it('stand under their name, and the default is taken', () => {
    const [gcc, other] = families([GCC12, GCC14, module('a/b/1')]);
    expect([gcc.name, gcc.versions.length, other.name]).toEqual(['GCC', 2, 'a/b']);
    expect(usual(gcc, []).name).toBe('GCC/14.2.0');
    expect(usual(gcc, ['GCC/12.3.0']).name).toBe('GCC/12.3.0');
    expect([nameAndVersion('GCC/14.2.0'), nameAndVersion('cray')]).toEqual([['GCC', '14.2.0'], ['cray', '']]);
  });
});

describe('packages of modules', () => {
  const old = module('SciPy-bundle/2023', { extensions: ['numpy/1.25.1'], prerequisites: [['GCC/12.3.0']] });
  const fresh = module('SciPy-bundle/2025', { extensions: ['Num_Py/2.3.1'], prerequisites: [['GCC/14.2.0']] });

  it('are found by their folded name, with a version where there is one', () => {
    expect(brings(old, folded, 'NumPy')).toBe('1.25.1');
    expect(brings(fresh, folded, 'num-py')).toBe('2.3.1');
    expect(brings(module('x', { extensions: ['numpy'] }), folded, 'numpy')).toBe('');
    expect(brings(old, folded, 'scipy')).toBeNull();
  });

  it('come from the module that changes least', () => {
    expect(easiest([fresh, old], ['GCC/12.3.0'], known)?.name).toBe('SciPy-bundle/2023');
    expect(easiest([old, fresh], ['GCC/14.2.0'], known)?.name).toBe('SciPy-bundle/2025');
    expect(easiest([], [], known)).toBeUndefined();
  });
});
