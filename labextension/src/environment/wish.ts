/** What a person wants changed: one kind of change at a time, as one command has it. Pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { broken, quote } from '../create/command';
import { plain } from '../format';
import type { IChanges, IEnvironment } from '../tokens';

export interface IWish {
  verb: 'install' | 'update' | 'update_all' | 'remove';
  /** Requirements or match specs to install, names of others; empty for all. */
  packages: string[];
}

export function toChanges(wish: IWish): IChanges {
  return wish.verb === 'update_all' ? { update_all: true } : { [wish.verb]: wish.packages };
}

/** The wish behind a request; null for one that wants several things at once, which no button here means. */
export function wishOf(request: IChanges): IWish | null {
  const found = (['install', 'update', 'remove'] as const).filter(verb => (request[verb]?.length ?? 0) > 0);
  if (request.update_all) {
    return found.length === 0 ? { verb: 'update_all', packages: [] } : null;
  }
  return found.length === 1 ? { verb: found[0], packages: request[found[0]] ?? [] } : null;
}

/** The heading of its plan. */
export function planTitle(wish: IWish, trans: TranslationBundle): string {
  const [first] = wish.packages.map(plain);
  const many = wish.packages.length;
  switch (wish.verb) {
    case 'install':
      return trans._n('Plan: install %2', 'Plan: install %1 packages', many, first);
    case 'update':
      return trans._n('Plan: update %2', 'Plan: update %1 packages', many, first);
    case 'remove':
      return trans._n('Plan: remove %2', 'Plan: remove %1 packages', many, first);
    default:
      return trans.__('Plan: update all packages');
  }
}

/** The word by which the command line finds an environment among *all*: its name, as far as that is enough. */
export function referenceOf(environment: Pick<IEnvironment, 'id' | 'name' | 'location'>, all: readonly IEnvironment[]): string {
  const others = all.filter(other => other.name === environment.name && other.id !== environment.id && other.origin !== 'foreign');
  if (others.length === 0) {
    return environment.name;
  }
  return others.some(other => other.location === environment.location) ? environment.id : `${environment.location}/${environment.name}`;
}

/** The same as a command of a shell. */
export function changeCommand(reference: string, wish: IWish): string {
  const verb = wish.verb === 'update_all' ? 'update' : wish.verb;
  const words = wish.verb === 'update_all' ? ['--all'] : wish.packages.map(quote);
  const head = `jupyter hpcenv ${verb} ${quote(reference)}`;
  const line = [head, ...words].join(' ');
  return line.length <= 44 ? line : broken(head, words);
}
