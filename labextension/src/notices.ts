/** One notification for each operation, when it ends; and words for ears while it goes on. */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Actions, publishedKernel } from './actions';
import { plain, seconds } from './format';
import type { EnvironmentsModel } from './model';
import { actOutcome, differences, outcome, staleKernels } from './operation/outcome';
import { doing, endedWell, isAct, isBuild, isChange, placeOf } from './operation/verbs';
import type { IOperation } from './tokens';

/** How long an operation took, by the server's clock; null while it is not known. */
export function duration(operation: IOperation): number | null {
  const taken = (Date.parse(operation.finished) - Date.parse(operation.started || operation.submitted)) / 1000;
  return Number.isFinite(taken) && taken >= 0 ? taken : null;
}

export function connectNotices(model: EnvironmentsModel, actions: Actions, trans: TranslationBundle): void {
  const told = new Set<string>();
  model.finished.connect((_, operation) => {
    if (!told.has(operation.id)) {
      told.add(operation.id);
      tell(operation, model, actions, trans);
    }
  });
  model.stepped.connect((_, operation) => {
    const step = operation.steps[operation.step - 1];
    if (step) {
      const what = isBuild(operation) ? plain(operation.environment.name) : doing(operation, trans);
      actions.announcer.say(trans.__('%1: step %2 of %3, %4.', what, operation.step, operation.steps.length, step.title));
    }
  });
}

function tell(operation: IOperation, model: EnvironmentsModel, actions: Actions, trans: TranslationBundle): void {
  const { id } = operation.environment;
  const name = plain(operation.environment.name);
  const show = (label: string): Notification.IAction => ({
    label,
    callback: () => actions.pages?.open(placeOf(operation))
  });
  if (isChange(operation)) {
    tellChange(operation, model, actions, trans, show);
  } else if (isAct(operation)) {
    tellAct(operation, actions, trans, show);
  } else if (operation.state === 'succeeded') {
    const taken = duration(operation);
    const text = taken === null ? trans.__('%1 is ready.', name) : trans.__('%1 is ready. Built in %2.', name, seconds(taken, trans));
    const environment = model.environment(id);
    const buttons = [show(trans.__('Show'))];
    if (environment && publishedKernel(environment) && actions.canOpenNotebook) {
      buttons.push({ label: trans.__('New notebook'), displayType: 'accent', callback: () => void actions.newNotebook(environment) });
    }
    Notification.success(text, { autoClose: 10_000, actions: buttons });
    actions.announcer.say(text);
  } else if (operation.state === 'cancelled') {
    const text = trans.__('Cancelled %1. Nothing was left behind.', name);
    Notification.info(text, {
      autoClose: 8_000,
      actions: [{ label: trans.__('Create again'), callback: () => actions.pages?.create(operation.request) }]
    });
    actions.announcer.say(text);
  } else {
    const why = plain(operation.error?.message ?? '');
    const text =
      operation.state === 'interrupted' ? trans.__('%1 was interrupted. %2', name, why) : trans.__('%1 failed. %2', name, why);
    Notification.error(text.trim(), { autoClose: false, actions: [show(trans.__('Show why'))] });
    actions.announcer.alert(text.trim());
  }
}

function tellAct(operation: IOperation, actions: Actions, trans: TranslationBundle, show: (label: string) => Notification.IAction): void {
  const name = plain(operation.environment.name);
  if (operation.state === 'succeeded') {
    const other = differences(operation).length;
    const text = [
      actOutcome(operation, trans),
      other > 0 ? trans._n('%1 package is another one than before.', '%1 packages are other ones than before.', other) : ''
    ];
    const said = text.filter(Boolean).join(' ');
    Notification.success(said, { autoClose: 10_000, actions: [show(trans.__('Show'))] });
    actions.announcer.say(said);
  } else if (endedWell(operation)) {
    const text = trans.__('Cancelled. %1 is as it was.', name);
    Notification.info(text, { autoClose: 8_000, actions: [show(trans.__('Show'))] });
    actions.announcer.say(text);
  } else {
    const why = plain(operation.error?.message ?? '');
    const text = (operation.state === 'interrupted' ? trans.__('%1 was interrupted. %2', doing(operation, trans), why) : undone(operation, why, trans)).trim();
    Notification.error(text, { autoClose: false, actions: [show(trans.__('Show why'))] });
    actions.announcer.alert(text);
  }
}

/** What did not happen, and why. */
function undone(operation: IOperation, why: string, trans: TranslationBundle): string {
  const name = plain(operation.environment.name);
  switch (operation.verb) {
    case 'move':
      return trans.__('%1 was not moved. %2', name, why);
    case 'share':
      return trans.__('%1 was not shared. %2', name, why);
    case 'unshare':
      return trans.__('The sharing of %1 was not ended. %2', name, why);
    default:
      return trans.__('%1 was not built again. %2', name, why);
  }
}

function tellChange(
  operation: IOperation,
  model: EnvironmentsModel,
  actions: Actions,
  trans: TranslationBundle,
  show: (label: string) => Notification.IAction
): void {
  const name = plain(operation.environment.name);
  if (operation.state === 'succeeded') {
    const environment = model.environment(operation.environment.id);
    const running = environment ? model.kernelsRunning(environment) : 0;
    const text = [operation.verb === 'repair' ? trans.__('Repaired %1.', name) : trans.__('Changed %1.', name), ...outcome(operation, trans), staleKernels(running, trans)].filter(Boolean).join(' ');
    // it leads to where undoing is planned; nothing is undone from here
    const undo = { label: trans.__('Undo…'), callback: () => actions.pages?.open({ environment: operation.environment.id, tab: 'history' }) };
    Notification.success(text, { autoClose: 10_000, actions: operation.verb === 'change' ? [show(trans.__('Show')), undo] : [show(trans.__('Show'))] });
    actions.announcer.say(text);
  } else if (endedWell(operation)) {
    const text = trans.__('Cancelled the change of %1. Its packages are as they were.', name);
    Notification.info(text, { autoClose: 8_000, actions: [show(trans.__('Show'))] });
    actions.announcer.say(text);
  } else {
    const why = plain(operation.error?.message ?? '');
    const text =
      operation.state === 'interrupted'
        ? trans.__('The change of %1 was interrupted. %2', name, why)
        : trans.__('%1 was not changed. %2', name, why);
    Notification.error(text.trim(), { autoClose: false, actions: [show(trans.__('Show why'))] });
    actions.announcer.alert(text.trim());
  }
}
