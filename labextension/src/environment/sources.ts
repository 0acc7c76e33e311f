/** Where an installed package came from: conda or pip, and the channel or index behind it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { plain } from '../format';
import { channelName } from '../create/specs';
import type { IPackage } from '../tokens';

export interface ISource {
  /** What installed it. */
  by: 'conda' | 'pip';
  /** The channel's address, or what else the source says. */
  from: string;
}

export function sourceOf(package_: Pick<IPackage, 'source'>): ISource {
  const match = /^conda(?:\s+(.*))?$/.exec(package_.source);
  return match ? { by: 'conda', from: match[1] ?? '' } : { by: 'pip', from: package_.source };
}

/** A source as it stands in a table; *both* where packages of conda and of pip stand in one. */
export function sourceWord(source: ISource, both: boolean, trans: TranslationBundle): string {
  if (source.by === 'conda') {
    return plain(source.from ? trans.__('conda, %1', channelName(source.from)) : 'conda');
  }
  return plain(both ? (source.from ? trans.__('pip, %1', source.from) : 'pip') : source.from);
}
