/** What can be done with a row, in the order of its menu. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { addIcon, deleteIcon, LabIcon, notebookIcon, refreshIcon, terminalIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import { Actions, canClone, canDelete, canRebuild, canUse, isUsed, publishedKernel } from '../actions';
import { moduleIcon } from '../icons';
import { cancelLabel, placeOf } from '../operation/verbs';
import { IEnvironment, IOperation, isFinished } from '../tokens';
import type { IRow } from './rows';

export interface IAct {
  id: string;
  label: string;
  icon?: LabIcon;
  /** Acts of one section stand together. */
  section: number;
  run: () => void;
}

export interface IActContext {
  actions: Actions;
  trans: TranslationBundle;
  open: (row: IRow) => void;
  /** Delete what is selected, if the row is part of it, else the row. */
  remove: (row: IRow) => void;
}

/** Everything that applies to the row as it is now; nothing is shown that does not. */
export function actsOf(row: IRow, context: IActContext): IAct[] {
  const { actions, trans } = context;
  const { environment, operation } = row;
  const acts: IAct[] = [];
  const add = (id: string, section: number, label: string, run: () => void, icon?: LabIcon): void => {
    acts.push({ id, section, label, run, icon });
  };
  if (operation) {
    addOperationActs(operation, actions, trans, add);
  } else if (environment) {
    const usable = environment.state === 'ready' || environment.state === 'newer';
    if (environment.state === 'module_missing' && environment.origin === 'own') {
      const place = { environment: environment.id, tab: 'modules' } as const;
      add('modules', 0, trans.__('Choose modules'), () => actions.pages?.open(place), moduleIcon);
    }
    if (canRebuild(environment)) {
      add('rebuild', 0, trans.__('Build again'), () => rebuild(environment, actions), refreshIcon);
    }
    if (canUse(environment)) {
      add('use', 0, trans.__('Use'), () => void actions.tryUse(environment), addIcon);
    }
    if (usable && publishedKernel(environment) && actions.canOpenNotebook) {
      add('notebook', 0, trans.__('New notebook'), () => void actions.newNotebook(environment), notebookIcon);
    }
    if (usable && actions.canOpenTerminal) {
      add('terminal', 0, trans.__('Open terminal'), () => void actions.openTerminal(environment), terminalIcon);
    }
  }
  add('open', 1, trans.__('Open'), () => context.open(row));
  if (environment && !operation) {
    add('activation', 2, trans.__('Copy activation'), () => void actions.copyActivation(environment));
    if (canClone(environment)) {
      add('clone', 2, trans.__('Clone…'), () => actions.pages?.create({ clone_of: environment.id }));
    }
    if (isUsed(environment)) {
      add('unuse', 3, trans.__('Stop using'), () => void actions.tryUnuse(environment));
    }
    if (canDelete(environment)) {
      add('delete', 3, trans.__('Delete'), () => context.remove(row), deleteIcon);
    }
  }
  return acts;
}

function rebuild(environment: IEnvironment, actions: Actions): void {
  void actions.tryRebuild(environment).then(operation => operation && actions.pages?.open(placeOf(operation)));
}

function addOperationActs(
  operation: IOperation,
  actions: Actions,
  trans: TranslationBundle,
  add: (id: string, section: number, label: string, run: () => void) => void
): void {
  if (!isFinished(operation)) {
    if (!operation.cancelling) {
      add('cancel', 0, cancelLabel(operation, trans), () => void actions.cancel(operation));
    }
    return;
  }
  add('retry', 0, trans.__('Try again'), () => {
    void actions.retry(operation).then(next => {
      if (next) {
        actions.pages?.open({ operation: next.id, environment: next.environment.id });
      }
    });
  });
  add('change', 0, trans.__('Change the request…'), () => actions.pages?.create(operation.request));
  add('forget', 3, trans.__('Remove from list'), () => void actions.forget(operation));
}

/**
 * Open the menu of a row.
 *
 * Its commands live in a registry that is made for it: JupyterLab's own can be called by the output
 * of a notebook, and these change things.
 */
export function openMenu(acts: IAct[], x: number, y: number, label: string): Menu {
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  menu.node.setAttribute('aria-label', label);
  acts.forEach((act, index) => {
    if (index > 0 && act.section !== acts[index - 1].section) {
      menu.addItem({ type: 'separator' });
    }
    commands.addCommand(act.id, { label: act.label, icon: act.icon?.bindprops({ stylesheet: 'menuItem' }), execute: act.run });
    menu.addItem({ command: act.id });
  });
  // the chosen command runs after the menu has closed
  menu.aboutToClose.connect(() => window.setTimeout(() => menu.dispose(), 500));
  menu.open(x, y);
  return menu;
}
