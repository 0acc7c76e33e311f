/** What a state means, in words: a state is an icon and a word, and ready is silent. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { EnvironmentState, IEnvironment } from '../tokens';

/** The state as a short phrase; empty for ready. */
export function stateWord(state: EnvironmentState, trans: TranslationBundle): string {
  switch (state) {
    case 'ready':
      return '';
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
    case 'missing':
      return trans.__('Create it again with the packages listed here, or delete its entry.');
    case 'python_gone':
      return trans.__('The Python it was made from was removed. Create it again with another one.');
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
