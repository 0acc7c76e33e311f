/** The section “Environment operations” among what runs. */
import type { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Actions } from './actions';
import { layersIcon } from './icons';
import type { EnvironmentsModel } from './model';
import { doing, isBuild, placeOf } from './operation/verbs';
import type { IOperation } from './tokens';

function item(operation: IOperation, actions: Actions, trans: TranslationBundle): IRunningSessions.IRunningItem {
  const { name } = operation.environment;
  const step = operation.steps[operation.step - 1];
  return {
    label: () => (isBuild(operation) ? name : doing(operation, trans)),
    labelTitle: () =>
      step ? trans.__('Step %1 of %2, %3', operation.step, operation.steps.length, step.title) : trans.__('Waiting to begin'),
    detail: () => (operation.step > 0 ? `${operation.step}/${operation.steps.length}` : ''),
    icon: () => layersIcon,
    open: () => actions.pages?.open(placeOf(operation)),
    shutdown: () => void actions.cancel(operation)
  };
}

export function addRunningSection(
  managers: IRunningSessionManagers,
  model: EnvironmentsModel,
  actions: Actions,
  trans: TranslationBundle
): void {
  managers.add({
    name: trans.__('Environment operations'),
    running: () => model.running.map(operation => item(operation, actions, trans)),
    shutdownAll: () => model.running.forEach(operation => void actions.cancel(operation)),
    refreshRunning: () => void model.refresh(),
    runningChanged: model.changed,
    shutdownLabel: trans.__('Cancel'),
    shutdownAllLabel: trans.__('Cancel All'),
    shutdownAllConfirmationText: trans.__('Cancel all operations? What they did so far is taken back.')
  });
}
