/** A change of packages from the wish over its plan to the operation; the state of the page, apart from what draws it. */
import { UUID } from '@lumino/coreutils';
import React from 'react';
import type { Actions } from '../actions';
import { Planner, Preview } from '../create/plan';
import type { EnvironmentsModel } from '../model';
import { endedWell, isChange } from '../operation/verbs';
import { asError, HpcEnvError } from '../request';
import { IChanges, IOperation, isFinished } from '../tokens';
import { useHpcEnv } from '../ui/context';
import { IWish, toChanges } from './wish';

export class Changing {
  /** What is planned; null while nobody wants anything. */
  wish: IWish | null = null;
  /** Why a plan or a change was refused at once. */
  refused: HpcEnvError | null = null;
  sending = false;
  /** The packages in the field, and whether that is open. */
  install: string[] = [];
  installing = false;
  /** Channels of a pasted command line, which a change does not take. */
  channels: string[] = [];
  /** Counts wishes, so that the plan of each can take the focus once. */
  turn = 0;

  constructor(
    private environment: string,
    private model: EnvironmentsModel,
    private actions: Pick<Actions, 'changePackages' | 'repair'>,
    private draw: () => void,
    ended: (preview: Preview) => void = () => undefined
  ) {
    const { api } = model;
    this._planner = new Planner<IChanges>(
      {
        plan: changes => api.changes(environment, { ...changes, dry_run: true }),
        operation: id => api.operation(id),
        cancel: id => api.cancel(id),
        forget: id => api.forget(id)
      },
      draw,
      ended
    );
  }

  get preview(): Preview {
    return this._planner.preview;
  }

  /** Ask what *wish* would change; nothing is changed by it. */
  async plan(wish: IWish): Promise<void> {
    this.wish = wish;
    this.refused = null;
    this.turn++;
    this._key = UUID.uuid4();
    const { turn } = this;
    const error = await this._planner.start(toChanges(wish));
    if (turn === this.turn) {
      this.refused = error;
      this.draw();
    }
  }

  /** Do what was planned. */
  async apply(): Promise<void> {
    const { wish, turn } = this;
    if (!wish || this.sending || this.preview.is !== 'done') {
      return;
    }
    this.sending = true;
    this.refused = null;
    this.draw();
    try {
      const operation = await this.actions.changePackages({ id: this.environment }, toChanges(wish), this._key);
      this.watch(operation.id);
      if (turn === this.turn) {
        this.drop();
      }
      if (wish.verb === 'install') {
        this.installing = false;
        this.install = [];
        this.channels = [];
      }
    } catch (reason) {
      this.refused = turn === this.turn ? asError(reason) : null;
    }
    this.sending = false;
    this.draw();
  }

  /** Forget the wish and its plan; what is in the field stays. */
  drop(): void {
    this.turn++;
    this.wish = null;
    this.refused = null;
    this._planner.drop();
    this.draw();
  }

  /** Change what is in the field: a plan of what was in it says nothing any more. */
  edit(install: string[], channels: string[] = []): void {
    this.install = install;
    this.channels = [...new Set([...this.channels, ...channels])];
    if (this.wish?.verb === 'install') {
      this.drop();
    }
    this.draw();
  }

  openField(open: boolean): void {
    this.installing = open;
    if (!open) {
      this.edit([]);
      this.channels = [];
    }
    this.draw();
  }

  async repair(name: string): Promise<void> {
    const operation = await this.actions.repair({ id: this.environment, name });
    if (operation) {
      this.watch(operation.id);
    }
  }

  /** Remember an operation, so that its good end is shown as well. */
  watch(id: string): void {
    this._watched.add(id);
  }

  /** Show no more of an operation that went well. */
  dismiss(id: string): void {
    this._watched.delete(id);
    this.draw();
  }

  /** The operation to show: the newest one, if it runs or went wrong, or if its good end was awaited here. */
  get shown(): IOperation | undefined {
    const [newest] = this.model.operations
      .filter(operation => operation.environment.id === this.environment && isChange(operation))
      .sort((a, b) => (a.id < b.id ? 1 : -1));
    return newest && (!endedWell(newest) || this._watched.has(newest.id)) ? newest : undefined;
  }

  /** How many of the kernels that ran when *operation* ended may still have what was there before; *running* run now. */
  staleKernels(operation: IOperation, running: number): number {
    const then = this._running.get(operation.id) ?? running;
    this._running.set(operation.id, then);
    return Math.min(then, running);
  }

  private _planner: Planner<IChanges>;
  private _key = '';
  private _watched = new Set<string>();
  private _running = new Map<string, number>();
}

/** The change of one page; a plan that is still worked out is cancelled when the page goes. */
export function useChanging(environment: string, ended: (preview: Preview) => void): Changing {
  const { model, actions } = useHpcEnv();
  const [, draw] = React.useReducer((n: number) => n + 1, 0);
  const latest = React.useRef(ended);
  latest.current = ended;
  const changing = React.useMemo(
    () => new Changing(environment, model, actions, draw, preview => latest.current(preview)),
    [environment, model, actions]
  );
  React.useEffect(() => () => changing.drop(), [changing]);
  const { shown } = changing;
  React.useEffect(() => {
    if (shown && !isFinished(shown)) {
      changing.watch(shown.id);
    }
  }, [changing, shown]);
  return changing;
}
