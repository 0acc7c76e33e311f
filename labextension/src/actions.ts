/**
 * What a person does to environments, from whichever widget.
 *
 * These are methods, not JupyterLab commands: a command can be called by a notebook's output, and
 * whatever changes something must come from our own widgets.
 */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import type { EnvironmentsModel } from './model';
import { doing } from './operation/verbs';
import { asError } from './request';
import type { IPages } from './pages';
import type { Dialect, IChanges, ICreateRequest, IEnvironment, IKernel, IOperation, IShareRequest, ITrashItem } from './tokens';
import type { Announcer } from './ui/announcer';

type App = Pick<JupyterFrontEnd, 'commands' | 'serviceManager'>;

/** The kernel that an environment shows on the launcher; undefined while it shows none. */
export function publishedKernel(environment: Pick<IEnvironment, 'kernels'>): IKernel | undefined {
  return environment.kernels.find(kernel => kernel.path !== '');
}

export function canDelete(environment: IEnvironment): boolean {
  return environment.origin === 'own';
}

/** Tell whether it can be built again from what is kept of it; the Python of conda's is a package, and does not go alone. */
export function canRebuild(environment: IEnvironment): boolean {
  const { origin, state, manager } = environment;
  return origin === 'own' && (state === 'missing' || (state === 'python_gone' && manager !== 'conda'));
}

/** Tell whether it is one's own, and there: then it can be shared and moved. */
export function canShare(environment: IEnvironment): boolean {
  return environment.origin === 'own' && isThere(environment);
}

/** Tell whether a colleague's environment has no kernel of one's own yet. */
export function canUse(environment: IEnvironment): boolean {
  return environment.origin === 'shared' && environment.kernels.length === 0 && isThere(environment);
}

/** Tell whether a colleague's environment has a kernel of one's own; it may be gone by now. */
export function isUsed(environment: IEnvironment): boolean {
  return environment.origin === 'shared' && environment.kernels.length > 0;
}

/** Tell whether what is in it can be read, which a copy needs. */
export function canClone(environment: IEnvironment): boolean {
  return isThere(environment);
}

function isThere(environment: Pick<IEnvironment, 'state'>): boolean {
  return environment.state === 'ready' || environment.state === 'module_missing';
}

export class Actions {
  pages: IPages | null = null;

  constructor(
    private app: App,
    private model: EnvironmentsModel,
    private trans: TranslationBundle,
    readonly announcer: Announcer
  ) {}

  get canOpenNotebook(): boolean {
    return this.app.commands.hasCommand('notebook:create-new');
  }

  get canOpenTerminal(): boolean {
    return this.app.serviceManager.terminals.isAvailable() && this.app.commands.hasCommand('terminal:open');
  }

  async newNotebook(environment: IEnvironment): Promise<void> {
    const kernel = publishedKernel(environment);
    if (!kernel) {
      this.trouble(this.trans.__('%1 has no kernel on the launcher. Publish one on its page first.', environment.name));
      return;
    }
    if (!this.app.serviceManager.kernelspecs.specs?.kernelspecs[kernel.name]) {
      await this.model.refreshKernels();
    }
    await this.app.commands.execute('notebook:create-new', { kernelName: kernel.name, activate: true });
  }

  /** Start a terminal and type the environment's activation into it, as the server words it. */
  async openTerminal(environment: Pick<IEnvironment, 'id' | 'name'>): Promise<void> {
    await this.attempt(async () => {
      const { command } = await this.model.api.activation(environment.id);
      const session = await this.app.serviceManager.terminals.startNew();
      await this.app.commands.execute('terminal:open', { name: session.name });
      session.send({ type: 'stdin', content: [`${command}\r`] });
    }, this.trans.__('The terminal of %1 could not be opened.', environment.name));
  }

  async copyActivation(environment: Pick<IEnvironment, 'id' | 'name'>): Promise<void> {
    await this.attempt(async () => {
      const { command } = await this.model.api.activation(environment.id);
      Clipboard.copyToSystem(command);
      this.announcer.say(this.trans.__('Copied.'));
    }, this.trans.__('The activation of %1 could not be read.', environment.name));
  }

  /** Submit a request; *key* makes a repeated submission the same operation. Throws `HpcEnvError`. */
  async submit(request: ICreateRequest, key: string = UUID.uuid4()): Promise<IOperation> {
    const operation = await this.model.api.create(request, key);
    this.model.put(operation);
    this.announcer.say(this.trans.__('Building %1.', request.name));
    return operation;
  }

  /** Submit the same request again; the failed operation is forgotten, the new one takes its row. */
  async retry(operation: IOperation): Promise<IOperation | null> {
    return this.attempt(
      async () => {
        const next = await this.submit(operation.request as ICreateRequest);
        await this.model.api.forget(operation.id).catch(() => undefined);
        this.model.drop(operation.id);
        return next;
      },
      this.trans.__('%1 could not be tried again.', operation.environment.name)
    );
  }

  async cancel(operation: IOperation): Promise<void> {
    await this.attempt(async () => {
      this.model.put(await this.model.api.cancel(operation.id));
    }, this.trans.__('%1 could not be cancelled.', operation.environment.name));
  }

  async forget(operation: IOperation): Promise<void> {
    await this.attempt(async () => {
      await this.model.api.forget(operation.id);
      this.model.drop(operation.id);
    }, this.trans.__('%1 could not be removed from the list.', operation.environment.name));
  }

  /** Delete at once and offer to undo it; ask only where kernels run. Return how many were deleted. */
  async remove(environments: IEnvironment[]): Promise<number> {
    const own = environments.filter(canDelete);
    const busy = own.filter(environment => this.model.kernelsRunning(environment) > 0);
    if (busy.length > 0 && !(await this.confirm(busy))) {
      return 0;
    }
    const deleted: ITrashItem[] = [];
    for (const environment of own) {
      const item = await this.attempt(
        () => this.removeOne(environment, busy.includes(environment)),
        this.trans.__('%1 could not be deleted.', environment.name)
      );
      if (item) {
        deleted.push(item);
        this.model.dropEnvironment(environment.id);
      }
    }
    if (deleted.length > 0) {
      this.offerUndo(deleted);
      await Promise.all([this.model.refresh(), this.model.refreshKernels()]);
    }
    return deleted.length;
  }

  async restore(items: Pick<ITrashItem, 'id' | 'name'>[]): Promise<void> {
    const names: string[] = [];
    for (const item of items) {
      const back = await this.attempt(
        () => this.model.api.restore(item.id),
        this.trans.__('%1 could not be restored.', item.name)
      );
      if (back) {
        names.push(back.name);
      }
    }
    if (names.length > 0) {
      const text = this.trans._n('%2 is back.', '%1 environments are back.', names.length, names[0]);
      Notification.success(text, { autoClose: 5000 });
      await Promise.all([this.model.refresh(), this.model.refreshKernels()]);
    }
  }

  /** Ask first, then delete what lies in the trash for good. Return how many went. */
  async deleteForGood(items: readonly Pick<ITrashItem, 'id' | 'name'>[]): Promise<number> {
    const trans = this.trans;
    if (items.length === 0 || !(await this.confirmForGood(items))) {
      return 0;
    }
    const gone: string[] = [];
    for (const item of items) {
      const done = await this.attempt(async () => {
        await this.model.api.deleteForGood(item.id);
        return true;
      }, trans.__('%1 could not be deleted for good.', item.name));
      if (done) {
        gone.push(item.name);
      }
    }
    if (gone.length > 0) {
      this.announcer.say(trans._n('%2 is deleted for good.', '%1 environments are deleted for good.', gone.length, gone[0]));
    }
    return gone.length;
  }

  /** Change packages; *key* makes a repeated sending the same operation. Throws `HpcEnvError`. */
  async changePackages(environment: Pick<IEnvironment, 'id'>, changes: IChanges, key: string = UUID.uuid4()): Promise<IOperation> {
    return this.begun(await this.model.api.changes(environment.id, changes, key));
  }

  /** Build it again, on another *python* where one is named. Throws `HpcEnvError`, as the five after it do. */
  async rebuild(environment: Pick<IEnvironment, 'id'>, python = '', key: string = UUID.uuid4()): Promise<IOperation> {
    return this.begun(await this.model.api.rebuild(environment.id, python, key));
  }

  async move(environment: Pick<IEnvironment, 'id'>, location: string, key: string = UUID.uuid4()): Promise<IOperation> {
    return this.begun(await this.model.api.move(environment.id, location, key));
  }

  async share(environment: Pick<IEnvironment, 'id'>, request: IShareRequest, key: string = UUID.uuid4()): Promise<IOperation> {
    return this.begun(await this.model.api.share(environment.id, request, key));
  }

  async unshare(environment: Pick<IEnvironment, 'id'>, key: string = UUID.uuid4()): Promise<IOperation> {
    return this.begun(await this.model.api.unshare(environment.id, key));
  }

  /** Undo the last change of its packages. Throws `HpcEnvError`. */
  async undo(environment: Pick<IEnvironment, 'id'>, key: string = UUID.uuid4()): Promise<IOperation> {
    return this.begun(await this.model.api.undo(environment.id, key));
  }

  /** Trust a colleague's environment and get a kernel of one's own for it; false where it has none to give. */
  async use(environment: Pick<IEnvironment, 'id' | 'name'>): Promise<boolean> {
    const { kernels, warnings } = await this.model.api.use(environment.id);
    const published = kernels.length > 0;
    const text = published
      ? this.trans.__('You can use %1: its kernel is on the launcher.', environment.name)
      : this.trans.__('%1 was added without a kernel, for its owner made it without one. It can be used in a terminal.', environment.name);
    await this.told(text, warnings ?? []);
    return published;
  }

  /** Take that kernel away. */
  async unuse(environment: Pick<IEnvironment, 'id' | 'name' | 'kernels'>): Promise<void> {
    await this.model.api.unuse(environment.id);
    const text =
      environment.kernels.length > 0
        ? this.trans.__('You do not use %1 any more: its kernel is gone from the launcher.', environment.name)
        : this.trans.__('You do not use %1 any more.', environment.name);
    await this.told(text);
  }

  /** The same from where no page can say why not. */
  async tryRebuild(environment: IEnvironment): Promise<IOperation | null> {
    return this.attempt(() => this.rebuild(environment), this.trans.__('%1 could not be built again.', environment.name), 3);
  }

  async tryUse(environment: IEnvironment): Promise<void> {
    await this.attempt(() => this.use(environment), this.trans.__('%1 could not be used.', environment.name), 3);
  }

  async tryUnuse(environment: IEnvironment): Promise<void> {
    await this.attempt(() => this.unuse(environment), this.trans.__('The kernel of %1 could not be taken away.', environment.name), 3);
  }

  /** Finish or take back a change that was killed. */
  async repair(environment: Pick<IEnvironment, 'id' | 'name'>): Promise<IOperation | null> {
    return this.attempt(
      async () => this.begun(await this.model.api.repair(environment.id)),
      this.trans.__('%1 could not be repaired.', environment.name)
    );
  }

  /** Give the environment other modules; its kernel is proven again first. Return what to know of it. Throws `HpcEnvError`. */
  async changeModules(environment: IEnvironment, modules: string[]): Promise<string[]> {
    const warnings = (await this.model.api.change(environment.id, { modules })).warnings ?? [];
    const running = this.model.kernelsRunning(environment);
    const text = [
      this.trans.__('Updated the modules of %1.', environment.name),
      running > 0
        ? this.trans._n('%1 running kernel has the old ones until it is restarted.', '%1 running kernels have the old ones until they are restarted.', running)
        : ''
    ].filter(Boolean);
    Notification.success(text.join(' '), { autoClose: 8000 });
    this.announcer.say([...text, ...warnings].join(' '));
    await Promise.all([this.model.refresh(), this.model.refreshKernels()]);
    return warnings;
  }

  async installActivation(environment: Pick<IEnvironment, 'id' | 'name'>, dialect: Dialect): Promise<void> {
    await this.attempt(async () => {
      await this.model.api.installActivation(environment.id, dialect);
      this.announcer.say(this.trans.__('Installed the modulefile of %1.', environment.name));
    }, this.trans.__('The modulefile of %1 could not be installed.', environment.name));
  }

  async publish(environment: IEnvironment, kernel: IKernel): Promise<void> {
    await this.attempt(
      () => this.model.api.publish(environment.id, kernel),
      this.trans.__('%1 could not be put on the launcher.', kernel.display_name)
    );
    await Promise.all([this.model.refresh(), this.model.refreshKernels()]);
  }

  async unpublish(environment: IEnvironment, kernel: IKernel): Promise<void> {
    await this.attempt(
      () => this.model.api.unpublish(environment.id, kernel.name),
      this.trans.__('%1 could not be taken off the launcher.', kernel.display_name)
    );
    await Promise.all([this.model.refresh(), this.model.refreshKernels()]);
  }

  private async told(text: string, warnings: string[] = []): Promise<void> {
    const said = [text, ...warnings].join(' ');
    Notification.success(said, { autoClose: 8000 });
    this.announcer.say(said);
    await Promise.all([this.model.refresh(), this.model.refreshKernels()]);
  }

  private begun(operation: IOperation): IOperation {
    this.model.put(operation);
    this.announcer.say(`${doing(operation, this.trans)}.`);
    return operation;
  }

  private async removeOne(environment: IEnvironment, force: boolean): Promise<ITrashItem | null> {
    try {
      return await this.model.api.delete(environment.id, force);
    } catch (error) {
      if (force || asError(error).code !== 'kernel_running' || !(await this.confirm([environment]))) {
        if (asError(error).code === 'kernel_running') {
          return null;
        }
        throw error;
      }
      return this.model.api.delete(environment.id, true);
    }
  }

  private confirmForGood(items: readonly Pick<ITrashItem, 'name'>[]): Promise<boolean> {
    const trans = this.trans;
    const title = trans._n('Delete %2 for good?', 'Delete %1 environments for good?', items.length, items[0].name);
    const body = trans._n('It can not be restored afterwards.', 'They can not be restored afterwards.', items.length);
    return this.ask(title, body, trans.__('Delete for good'));
  }

  private confirm(busy: IEnvironment[]): Promise<boolean> {
    const trans = this.trans;
    const kernels = busy.reduce((sum, environment) => sum + this.model.kernelsRunning(environment), 0);
    const title =
      busy.length === 1 ? trans.__('Delete %1?', busy[0].name) : trans.__('Delete %1 environments with running kernels?', busy.length);
    const body =
      kernels > 0
        ? trans._n('%1 kernel is running.', '%1 kernels are running.', kernels)
        : trans.__('A kernel of it is running outside this server.');
    return this.ask(title, body, trans.__('Shut down and delete'));
  }

  /** Ask before what can not be taken back, with the focus on Cancel. */
  private async ask(title: string, body: string, accept: string): Promise<boolean> {
    const buttons = [Dialog.cancelButton({ label: this.trans.__('Cancel') }), Dialog.warnButton({ label: accept })];
    return (await showDialog({ title, body, buttons, defaultButton: 0 })).button.accept;
  }

  private offerUndo(items: ITrashItem[]): void {
    const trans = this.trans;
    const days = this.model.site?.trash_days ?? Math.round((Date.parse(items[0].expires) - Date.parse(items[0].deleted)) / 86_400_000);
    const what = trans._n('Deleted %2.', 'Deleted %1 environments.', items.length, items[0].name);
    const where =
      days > 0
        ? trans._n('It stays in the trash for %1 day.', 'It stays in the trash for %1 days.', days)
        : trans.__('It is in the trash.');
    Notification.info(items.length === 1 ? `${what} ${where}` : what, {
      autoClose: 10_000,
      actions: [{ label: trans.__('Undo'), callback: () => void this.restore(items) }]
    });
  }

  /** Run *work*; an error becomes one notification that says what did not happen, why, and what to do. */
  async attempt<T>(work: () => Promise<T>, failed: string, most = 1): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      const { message, hints, offline } = asError(error);
      const why = offline ? this.trans.__('The server does not answer.') : message;
      this.trouble([failed, why, ...hints.slice(0, most)].join(' '));
      return null;
    }
  }

  private trouble(text: string): void {
    Notification.error(text, { autoClose: false });
    this.announcer.alert(text);
  }
}
