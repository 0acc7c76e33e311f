/** What a change did, in sentences. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { asPlan } from '../create/plan';
import { plain } from '../format';
import type { IOperation, IPlan, IPlanned } from '../tokens';

/** What a change did; null where nobody noted it, as when its worker was killed at the end. */
export function planOf(operation: IOperation): IPlan | null {
  const plan = operation.result?.plan;
  return plan && typeof plan === 'object' ? asPlan(plan as Record<string, unknown>) : null;
}

/** “Installed rich 14.1.”, “Updated 4 packages.”, “Removed attrs.” */
export function outcome(operation: IOperation, trans: TranslationBundle): string[] {
  const plan = planOf(operation);
  if (!plan) {
    return [];
  }
  const word = (each: IPlanned): string => plain(`${each.name} ${each.version}`.trim());
  const lines = [
    plan.install.length > 0 && trans._n('Installed %2.', 'Installed %1 packages.', plan.install.length, word(plan.install[0])),
    plan.change.length > 0 && trans._n('%2 is %3 now.', 'Changed %1 packages.', plan.change.length, plain(plan.change[0].name), plain(plan.change[0].new.version)),
    plan.remove.length > 0 && trans._n('Removed %2.', 'Removed %1 packages.', plan.remove.length, plain(plan.remove[0].name)),
    plan.pip.length > 0 && trans.__('Changed by pip: %1.', plan.pip.map(plain).join(', '))
  ].filter((line): line is string => !!line);
  return lines.length > 0 ? lines : [trans.__('All packages are as they were.')];
}

/** With whom an environment is shared. */
export function sharedWith(shared: { group?: string }, trans: TranslationBundle): string {
  return shared.group ? trans.__('the group %1', plain(shared.group)) : trans.__('everybody on this machine');
}

/** What was done to an environment as a whole: “Moved climate to scratch.” */
export function actOutcome(operation: Pick<IOperation, 'verb' | 'environment' | 'request'>, trans: TranslationBundle): string {
  const name = plain(operation.environment.name);
  switch (operation.verb) {
    case 'move':
      return trans.__('Moved %1 to %2. What was there before is in the trash.', name, plain(operation.environment.location));
    case 'share':
      return trans.__('Shared %1 with %2.', name, sharedWith({ group: operation.request.group }, trans));
    case 'unshare':
      return trans.__('%1 is not shared any more: only you can enter it.', name);
    default:
      return trans.__('Built %1 again.', name);
  }
}

/** Which packages are other ones than before, a sentence each. */
export function differences(operation: Pick<IOperation, 'result'>): string[] {
  const told = operation.result?.differences;
  return Array.isArray(told) ? told.filter((each): each is string => typeof each === 'string').map(plain) : [];
}

/** What running kernels have of a change: nothing, until they are started again. */
export function staleKernels(running: number, trans: TranslationBundle): string {
  return running > 0
    ? trans._n(
        '%1 running kernel keeps what it has imported until it is restarted.',
        '%1 running kernels keep what they have imported until they are restarted.',
        running
      )
    : '';
}
