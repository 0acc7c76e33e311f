/** Keep the model fresh: events of the server at once, a clock for what they miss, and every return of the person. */
import type { Event } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import type { EnvironmentsModel } from './model';
import { ENVIRONMENT_EVENT, OPERATION_EVENT } from './tokens';

const WHILE_RUNNING = 1_000;
const WHILE_RUNNING_HIDDEN = 5_000;
const FIRST_RETRY = 2_000;
const LAST_RETRY = 60_000;
/** Focus comes twice for one return (window and page visibility). */
const FOCUS_APART = 2_000;

export class Follower implements IDisposable {
  /** Seconds between readings while nothing runs; from the settings. */
  seconds = 30;

  constructor(private model: EnvironmentsModel) {
    model.services.events.stream.connect(this.onEvent, this);
    model.changed.connect(this.schedule, this);
    window.addEventListener('focus', this.onReturn);
    window.addEventListener('online', this.onReturn);
    document.addEventListener('visibilitychange', this.onReturn);
    void model.refresh();
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    window.clearTimeout(this._timer);
    this.model.services.events.stream.disconnect(this.onEvent, this);
    this.model.changed.disconnect(this.schedule, this);
    window.removeEventListener('focus', this.onReturn);
    window.removeEventListener('online', this.onReturn);
    document.removeEventListener('visibilitychange', this.onReturn);
  }

  /** Milliseconds until the next reading; null: wait for the person to come back. */
  private get interval(): number | null {
    const hidden = document.visibilityState === 'hidden';
    if (this.model.error) {
      return Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(this._failures, 5));
    }
    if (this.model.running.length > 0) {
      return hidden ? WHILE_RUNNING_HIDDEN : WHILE_RUNNING;
    }
    return hidden ? null : this.seconds * 1000;
  }

  /** Set the clock once after each reading; other changes of the model leave it as it is. */
  private schedule(): void {
    const model = this.model;
    const key = `${model.listedAt?.getTime()} ${model.running.length > 0} ${model.error !== null} ${this._failures}`;
    if (model.loading || this._disposed || (key === this._key && this._timer)) {
      return;
    }
    this._key = key;
    window.clearTimeout(this._timer);
    this._timer = 0;
    const interval = this.interval;
    if (interval === null) {
      return;
    }
    model.retryAt = model.error ? Date.now() + interval : 0;
    this._timer = window.setTimeout(() => void this.tick(), interval);
  }

  private async tick(): Promise<void> {
    this._timer = 0;
    const due = !this.model.listedAt || Date.now() - this._whole >= this.seconds * 1000;
    if (due || this.model.running.length === 0) {
      this._whole = Date.now();
      await this.model.refresh();
    } else {
      await this.model.refreshOperations();
    }
    this._failures = this.model.error ? this._failures + 1 : 0;
    this._key = '';
    this.schedule();
  }

  private onEvent(_: unknown, event: Event.Emission): void {
    if (event.schema_id === OPERATION_EVENT) {
      void this.model.refreshOperations();
    } else if (event.schema_id === ENVIRONMENT_EVENT) {
      void this.model.refresh().then(() => this.model.refreshKernels());
    }
  }

  /** The event socket has no replay: what happened while nobody listened is read when the person comes back. */
  private onReturn = (): void => {
    if (document.visibilityState !== 'hidden' && Date.now() - this._returned > FOCUS_APART) {
      this._returned = Date.now();
      this._failures = 0;
      void this.model.refresh();
    }
  };

  private _timer = 0;
  private _key = '';
  private _whole = Date.now();
  private _failures = 0;
  private _returned = 0;
  private _disposed = false;
}
