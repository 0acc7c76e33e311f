/** What a state means, in words: a state is an icon and a word, and ready is silent. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { EnvironmentState, IDrift, IEnvironment, IEnvironmentDetail } from '../tokens';

/** The state as a short phrase; empty for ready. */
export function stateWord(state: EnvironmentState, trans: TranslationBundle): string {
  switch (state) {
    case 'ready':
      return '';
    case 'module_missing':
      return trans.__('Module missing');
    case 'missing':
      return trans.__('Folder gone');
    case 'python_gone':
      return trans.__('Python gone');
    case 'newer':
      return trans.__('Made by a newer version');
    case 'slow':
      return trans.__('Not answering');
    default:
      return trans.__('Broken');
  }
}

/** Which modules a message names, since a row has room for names only; the whole message where it quotes none. */
export function missingModules(message: string): string {
  const named = [...message.matchAll(/“([^”]+)”/g)].map(match => match[1]);
  return named.length > 0 ? [...new Set(named)].join(', ') : message;
}

/** What has changed since the modules were captured; a server that can not tell says nothing. */
export function driftOf(environment: IEnvironmentDetail): IDrift[] {
  const drift: (IDrift & { kind?: string })[] = environment.drift ?? [];
  return drift.map(each => ({ ...each, what: each.what ?? each.kind ?? '' }));
}

/** How a module differs from what was captured; a word of a newer server stands as it is. */
export function driftWord(what: string, trans: TranslationBundle): string {
  switch (what) {
    case 'gone':
      return trans.__('gone');
    case 'changed':
      return trans.__('changed');
    case 'unreadable':
      return trans.__('cannot be read');
    default:
      return what;
  }
}

/** Where an environment is, for the second line of its row and for its page. */
export function placeWord(environment: IEnvironment, trans: TranslationBundle): string {
  if (environment.origin === 'shared' && environment.owner) {
    return trans.__('by %1', environment.owner);
  }
  return environment.location === 'elsewhere' ? trans.__('elsewhere') : environment.location;
}

/** What to do about a state that is not ready. */
export function stateAdvice(environment: IEnvironment, trans: TranslationBundle): string {
  switch (environment.state) {
    case 'module_missing':
      return environment.origin === 'own'
        ? trans.__('Choose other modules, or ask the staff whether it comes back.')
        : trans.__('Ask its owner to choose other modules, or the staff whether it comes back.');
    case 'missing':
      return environment.origin === 'own'
        ? trans.__('Build it again: the same packages are taken, as far as they can still be had. Or delete its entry.')
        : trans.__('Ask its owner. The list of its packages was kept for you.');
    case 'python_gone':
      return environment.origin !== 'own'
        ? trans.__('Ask its owner to build it again.')
        : environment.manager === 'conda'
          ? trans.__('Create it again with the packages listed here, or delete it.')
          : trans.__('Build it again with the same packages, on the same version of Python or the nearest.');
    case 'newer':
      return trans.__('Update jupyter_hpcenv to change it. It can be used as it is.');
    case 'slow':
      return trans.__('Wait until the filesystem answers again, or ask the staff.');
    case 'broken':
      return trans.__('Create it again, or delete it.');
    default:
      return '';
  }
}
