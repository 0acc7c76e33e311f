/** What the server knows, as last read: widgets draw from here and never ask the server themselves for lists. */
import type { ServiceManager } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';
import { Api } from './api';
import { ModuleCatalog } from './modules/catalog';
import { changesSomething } from './operation/verbs';
import { asError, HpcEnvError } from './request';
import { IEnvironment, IOperation, ISite, isFinished } from './tokens';

/** The parts of JupyterLab's service manager that the model listens to. */
export type IServices = Pick<ServiceManager.IManager, 'serverSettings' | 'kernels' | 'kernelspecs' | 'events'>;

export class EnvironmentsModel {
  readonly api: Api;
  /** The modules of the machine. */
  readonly modules: ModuleCatalog;
  environments: readonly IEnvironment[] = [];
  operations: readonly IOperation[] = [];
  site: ISite | null = null;
  /** True once a list has arrived; before, there is nothing to show. */
  loaded = false;
  loading = false;
  /** Why the last reading failed; the lists are then those of `listedAt`. */
  error: HpcEnvError | null = null;
  listedAt: Date | null = null;
  /** When the follower tries again, as `Date.now()` counts; 0 while it does not. */
  retryAt = 0;

  constructor(readonly services: IServices) {
    this.api = new Api(services.serverSettings);
    this.modules = new ModuleCatalog(this.api, () => this.touch());
    services.kernels.runningChanged.connect(this.touch, this);
  }

  /** Emitted after any change of the state above. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted once for each operation that was seen running, or was submitted here, when it has ended. */
  get finished(): ISignal<this, IOperation> {
    return this._finished;
  }

  /** Emitted when a running operation begins a step. */
  get stepped(): ISignal<this, IOperation> {
    return this._stepped;
  }

  /** Counts changes, so that React knows when to draw. */
  get version(): number {
    return this._version;
  }

  /** This moment by the server's clock, in milliseconds; ours may be minutes off. */
  now(): number {
    return Date.now() + (Math.abs(this.api.clock) > 2000 ? this.api.clock : 0);
  }

  environment(id: string): IEnvironment | undefined {
    return this.environments.find(environment => environment.id === id);
  }

  operation(id: string): IOperation | undefined {
    return this.operations.find(operation => operation.id === id);
  }

  /** The environment that a kernel belongs to. */
  withKernel(name: string): IEnvironment | undefined {
    return this.environments.find(environment => environment.kernels.some(kernel => kernel.name === name));
  }

  get running(): IOperation[] {
    return this.operations.filter(operation => !isFinished(operation));
  }

  /** How many kernels of an environment run on this server. */
  kernelsRunning(environment: Pick<IEnvironment, 'kernels'>): number {
    const names = new Set(environment.kernels.map(kernel => kernel.name));
    let count = 0;
    for (const model of this.services.kernels.running()) {
      count += names.has(model.name) ? 1 : 0;
    }
    return count;
  }

  /** Read both lists. Calls while one is under way share one more reading after it. */
  refresh(): Promise<void> {
    return this.enqueue(true);
  }

  /** Read the operations, and the environments too where one has ended. */
  refreshOperations(): Promise<void> {
    return this.enqueue(false);
  }

  /** Read what the site offers; pages that show it call this when they open. */
  async refreshSite(): Promise<ISite> {
    this.site = await this.api.site();
    this.touch();
    return this.site;
  }

  /** Put a newer state of one operation into the list, as answers to POST bring it. */
  put(operation: IOperation): void {
    const others = this.operations.filter(other => other.id !== operation.id);
    this.apply([operation, ...others].sort((a, b) => (a.id < b.id ? 1 : -1)));
    this.touch();
    this.flush();
  }

  /** Take an operation out of the list at once; the server forgot it. */
  drop(id: string): void {
    this.operations = this.operations.filter(operation => operation.id !== id);
    this.touch();
  }

  /** Take an environment out of the list at once; the server deleted it. */
  dropEnvironment(id: string): void {
    this.environments = this.environments.filter(environment => environment.id !== id);
    this.touch();
  }

  /** Let the launcher and the kernel menus read the kernelspecs again. */
  async refreshKernels(): Promise<void> {
    try {
      await this.services.kernelspecs.refreshSpecs();
    } catch (error) {
      console.warn('hpcenv: the kernelspecs could not be read again', error);
    }
  }

  touch(): void {
    this._version++;
    this._changed.emit();
  }

  private async enqueue(everything: boolean): Promise<void> {
    this._everything ||= everything;
    this._next ??= (async () => {
      await this._current;
      this._next = null;
      const all = this._everything || !this.loaded || this.error !== null;
      this._everything = false;
      await (this._current = this.read(all));
    })();
    return this._next;
  }

  private async read(everything: boolean): Promise<void> {
    if (!this.loaded) {
      this.loading = true;
      this.touch();
    }
    try {
      // one after the other: an environment that an ended operation made must be in the list
      const ended = this.apply((await this.api.operations()).filter(changesSomething));
      if (everything || ended) {
        this.environments = await this.api.environments();
      }
      this.loaded = true;
      this.error = null;
      this.listedAt = new Date();
      this.retryAt = 0;
    } catch (error) {
      this.error = asError(error);
    } finally {
      this.loading = false;
      this.touch();
      this.flush();
    }
  }

  /** Replace the operations; remember what began or ended. Return whether one has ended. */
  private apply(operations: IOperation[]): boolean {
    const before = new Map(this.operations.map(operation => [operation.id, operation]));
    this.operations = operations;
    let ended = false;
    for (const operation of operations) {
      const old = before.get(operation.id);
      if (old && !isFinished(old) && isFinished(operation)) {
        ended = true;
        this._ended.push(operation);
      } else if (!isFinished(operation) && operation.step > 0 && (old?.step ?? 0) !== operation.step) {
        this._begun.push(operation);
      }
    }
    return ended;
  }

  /** Tell what began and ended, after the lists are whole: listeners look things up in them. */
  private flush(): void {
    for (const operation of this._begun.splice(0)) {
      this._stepped.emit(operation);
    }
    for (const operation of this._ended.splice(0)) {
      void this.refreshKernels();
      this._finished.emit(operation);
    }
  }

  private _version = 0;
  private _everything = false;
  private _current: Promise<void> | null = null;
  private _next: Promise<void> | null = null;
  private _ended: IOperation[] = [];
  private _begun: IOperation[] = [];
  private _changed = new Signal<this, void>(this);
  private _finished = new Signal<this, IOperation>(this);
  private _stepped = new Signal<this, IOperation>(this);
}
