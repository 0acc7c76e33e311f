/** Where an installed package came from: conda or pip, and the channel or index behind it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { plain } from '../format';
import { channelName } from '../create/specs';
import type { IPackage } from '../tokens';

export interface ISource {
  /** What installed it, or where it is seen. */
  by: 'conda' | 'pip' | 'module' | 'system';
  /** The channel's address, the module, or what else the source says. */
  from: string;
}

export function sourceOf(package_: Pick<IPackage, 'source' | 'inherited'>): ISource {
  if (package_.inherited) {
    const module = /^module\s+(.*)$/s.exec(package_.source);
    return module ? { by: 'module', from: module[1] } : { by: 'system', from: package_.source };
  }
  const match = /^conda(?:\s+(.*))?$/.exec(package_.source);
  return match ? { by: 'conda', from: match[1] ?? '' } : { by: 'pip', from: package_.source };
}

/** A source as it stands in a table; *both* where packages of conda and of pip stand in one. */
export function sourceWord(source: ISource, both: boolean, trans: TranslationBundle): string {
  if (source.by === 'conda') {
    return plain(source.from ? trans.__('conda, %1', channelName(source.from)) : 'conda');
  }
  if (source.by === 'module') {
    return plain(trans.__('module %1', source.from));
  }
  if (source.by === 'system') {
    return plain(source.from || trans.__('its Python'));
  }
  return plain(both ? (source.from ? trans.__('pip, %1', source.from) : 'pip') : source.from);
}
