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
