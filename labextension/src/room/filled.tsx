/** How full a location is, and what holds for files there: said in the same words wherever a location is shown. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { bytes, bytesPair, compact, plain } from '../format';
import type { ILocation } from '../tokens';
import { useHpcEnv } from '../ui/context';
import { Used } from '../ui/controls';

/** How long files stay there, and who else may use them. */
export function facts(location: ILocation, trans: TranslationBundle): string[] {
  return [
    location.purge_days
      ? trans._n('Files that nobody used go after %1 day.', 'Files that nobody used go after %1 days.', location.purge_days)
      : '',
    location.backed_up === true ? trans.__('Backed up.') : location.backed_up === false ? trans.__('Not backed up.') : '',
    location.sharing ? trans.__('For sharing with colleagues.') : '',
    location.quota_message ? plain(location.quota_message) : ''
  ].filter(Boolean);
}

interface IRoom {
  used: number | null;
  whole: number | null;
  free: number | null;
  /** Whether the whole is what one may use, and not the disk. */
  quota: boolean;
}

function of(quota: number | null | undefined, mine: number | null | undefined, free: number | null, whole: number | null): IRoom {
  if (quota !== null && quota !== undefined && mine !== null && mine !== undefined) {
    return { used: mine, whole: quota, free: null, quota: true };
  }
  return { used: free !== null && whole !== null ? whole - free : null, whole, free, quota: false };
}

export function Filled(props: { location: ILocation; what: 'bytes' | 'files' }): JSX.Element {
  const { trans } = useHpcEnv();
  const { location, what } = props;
  const { used, whole, free, quota } =
    what === 'bytes'
      ? of(location.quota_bytes, location.used_bytes, location.free_bytes, location.total_bytes)
      : of(location.quota_files, location.used_files, location.free_files, location.total_files);
  if (used === null || whole === null || whole <= 0) {
    // the whole is not known: then what is free is all that can be said
    const rest = free === null ? '' : what === 'bytes' ? trans.__('%1 free', bytes(free)) : trans.__('%1 files free', compact(free));
    return <span>{whole === null && rest}</span>;
  }
  const pair = what === 'bytes' ? bytesPair(used, whole) : [compact(used), compact(whole)];
  const said =
    what === 'bytes'
      ? quota
        ? trans.__('%1 of %2 of your quota', ...pair)
        : trans.__('%1 of %2 used', ...pair)
      : quota
        ? trans.__('%1 of %2 files of your quota', ...pair)
        : trans.__('%1 of %2 files used', ...pair);
  return (
    <span>
      {said}
      <Used part={used / whole} />
    </span>
  );
}
