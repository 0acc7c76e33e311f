/** What an operation does, in words, and where it is shown. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { plain } from '../format';
import type { IOperation } from '../tokens';

type Of = Pick<IOperation, 'verb'>;

/** Tell whether an operation makes or changes something; a plan is followed by the form that asked for it. */
export function changesSomething(operation: Of): boolean {
  return operation.verb !== 'plan' && operation.verb !== 'plan_change';
}

/** Tell whether an operation is about what is in an environment that is there, and is shown on its page. */
export function isChange(operation: Of): boolean {
  return operation.verb === 'change' || operation.verb === 'repair';
}

/** Tell whether an operation is about an environment as a whole that is there, or was; it is shown over the overview of its page. */
export function isAct(operation: Of): boolean {
  return ['rebuild', 'move', 'share', 'unshare'].includes(operation.verb);
}

/** Tell whether an operation makes an environment that was not there before. */
export function isBuild(operation: Of): boolean {
  return !isChange(operation) && !isAct(operation);
}

/** Tell whether a change was done, or was cancelled and taken back; else something is to be looked at. */
export function endedWell(operation: IOperation): boolean {
  const { state, error } = operation;
  // one whose worker died, or that could not be taken back, says so although it was cancelled
  return state === 'succeeded' || (state === 'cancelled' && (!error || (error.code === 'cancelled' && error.hints.length === 0)));
}

/** What it is doing to which environment: “Changing packages of climate”. */
export function doing(operation: Pick<IOperation, 'verb' | 'environment'>, trans: TranslationBundle): string {
  const name = plain(operation.environment.name);
  switch (operation.verb) {
    case 'change':
      return trans.__('Changing packages of %1', name);
    case 'plan_change':
      return trans.__('Planning a change of %1', name);
    case 'plan':
      return trans.__('Planning %1', name);
    case 'repair':
      return trans.__('Repairing %1', name);
    case 'rebuild':
      return trans.__('Building %1 again', name);
    case 'move':
      return trans.__('Moving %1', name);
    case 'share':
      return trans.__('Sharing %1', name);
    case 'unshare':
      return trans.__('Ending the sharing of %1', name);
    default:
      return trans.__('Building %1', name);
  }
}

/** The same for a place that has the name already: “changing packages”. */
export function doingWord(operation: Of, trans: TranslationBundle): string {
  switch (operation.verb) {
    case 'change':
      return trans.__('changing packages');
    case 'plan_change':
    case 'plan':
      return trans.__('planning');
    case 'repair':
      return trans.__('repairing');
    case 'rebuild':
      return trans.__('building again');
    case 'move':
      return trans.__('moving');
    case 'share':
      return trans.__('sharing');
    case 'unshare':
      return trans.__('ending the sharing');
    default:
      return trans.__('building');
  }
}

/** The button that ends it. */
export function cancelLabel(operation: Of, trans: TranslationBundle): string {
  switch (operation.verb) {
    case 'change':
      return trans.__('Cancel change');
    case 'repair':
      return trans.__('Cancel repair');
    case 'move':
      return trans.__('Cancel move');
    case 'share':
      return trans.__('Cancel sharing');
    case 'unshare':
      return trans.__('Cancel');
    default:
      return trans.__('Cancel build');
  }
}

/** Where it is shown; on the page of its environment, unless it makes one: a change beside the packages. */
export function placeOf(operation: IOperation): { operation: string; environment: string; tab?: 'packages' | 'overview' } {
  const place = { operation: operation.id, environment: operation.environment.id };
  return isBuild(operation) ? place : { ...place, tab: isChange(operation) ? 'packages' : 'overview' };
}
