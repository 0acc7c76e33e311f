import { describe, expect, it } from 'vitest';
import { nameAndRest, splitPackages } from '../src/create/packages';

describe('splitPackages', () => {
  it.each([
    ['numpy', ['numpy']],
    ['numpy pandas', ['numpy', 'pandas']],
    ['numpy, pandas,scipy', ['numpy', 'pandas', 'scipy']],
    ['numpy>=1.26,<2 pandas', ['numpy>=1.26,<2', 'pandas']],
    ['numpy >= 1.26, < 2, pandas', ['numpy >= 1.26, < 2', 'pandas']],
    ['dask[array,distributed], xarray', ['dask[array,distributed]', 'xarray']],
    ['tomli; python_version < "3.11"', ['tomli; python_version < "3.11"']],
    ['pkg @ git+https://example.org/pkg.git', ['pkg @ git+https://example.org/pkg.git']],
    ['pip install numpy "scipy>=1.14"', ['numpy', 'scipy>=1.14']],
    ['# a comment\nnumpy  # why\n\npandas', ['numpy', 'pandas']],
    ['numpy\nnumpy', ['numpy']],
    ['--index-url https://example.org', ['--index-url https://example.org']],
    ['  ,, ', []]
  ])('cuts %j', (text, parts) => {
    expect(splitPackages(text)).toEqual(parts);
  });

  it('tells a name from its versions', () => {
    expect(nameAndRest('matplotlib>=3.9')).toEqual(['matplotlib', '>=3.9']);
    expect(nameAndRest('dask[distributed]')).toEqual(['dask[distributed]', '']);
  });
});
