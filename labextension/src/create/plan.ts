/** Ask the server what a create would install, and follow that until it is known. */
import React from 'react';
import type { Api } from '../api';
import { asError, HpcEnvError } from '../request';
import { ICreateRequest, IErrorBody, IOperation, IPlan, isFinished } from '../tokens';
import { useHpcEnv } from '../ui/context';

export type Preview =
  | { is: 'none' }
  /** The operation is null until the server has taken the request. */
  | { is: 'working'; operation: IOperation | null; offline: boolean }
  | { is: 'done'; plan: IPlan; operation: IOperation }
  | { is: 'failed'; error: IErrorBody };

const FIRST_WAIT = 200;
const LAST_WAIT = 1_500;
const OFFLINE_WAIT = 3_000;
const NONE: Preview = { is: 'none' };

/** Where plans are asked for, and what is asked for them. */
export interface IPlanning<R> extends Pick<Api, 'operation' | 'cancel' | 'forget'> {
  plan(request: R): Promise<IOperation>;
}

export class Planner<R = ICreateRequest> {
  preview: Preview = NONE;

  constructor(
    private api: IPlanning<R>,
    private draw: () => void,
    /** Called with how a preview ended. */
    private ended: (preview: Preview) => void = () => undefined
  ) {}

  /** Begin a preview in place of any other. Return the error of a request that was refused at once. */
  async start(request: R): Promise<HpcEnvError | null> {
    this.drop();
    const turn = this._turn;
    this.put({ is: 'working', operation: null, offline: false });
    let operation: IOperation;
    try {
      operation = await this.api.plan(request);
    } catch (reason) {
      if (turn !== this._turn) {
        return null;
      }
      this.put(NONE);
      return asError(reason);
    }
    if (turn !== this._turn) {
      this.stop(operation.id);
    } else {
      await this.follow(operation, turn);
    }
    return null;
  }

  /** Forget the preview; one that is still under way is cancelled. */
  drop(): void {
    const { preview } = this;
    this._turn++;
    if (preview.is === 'working' && preview.operation) {
      this.stop(preview.operation.id);
    }
    if (preview.is !== 'none') {
      this.put(NONE);
    }
  }

  private async follow(operation: IOperation, turn: number): Promise<void> {
    let wait = FIRST_WAIT;
    let offline = false;
    while (!isFinished(operation)) {
      this.put({ is: 'working', operation, offline });
      await new Promise(resolve => window.setTimeout(resolve, wait));
      wait = Math.min(LAST_WAIT, wait * 1.5);
      if (turn !== this._turn) {
        return;
      }
      try {
        operation = await this.api.operation(operation.id);
        offline = false;
      } catch (reason) {
        const error = asError(reason);
        if (turn !== this._turn) {
          return;
        }
        if (!error.offline) {
          return this.end({ is: 'failed', error });
        }
        wait = OFFLINE_WAIT;
        offline = true;
      }
      if (turn !== this._turn) {
        return;
      }
    }
    // it was for this form alone: nobody misses it in a list
    this.api.forget(operation.id).catch(() => undefined);
    if (operation.state === 'succeeded') {
      return this.end({ is: 'done', plan: asPlan(operation.result), operation });
    }
    const error = operation.error ?? { message: '', reason: '', code: operation.state, hints: [] };
    this.end({ is: 'failed', error });
  }

  private end(preview: Preview): void {
    this.put(preview);
    this.ended(preview);
  }

  private stop(id: string): void {
    this.api.cancel(id).catch(() => undefined);
  }

  private put(preview: Preview): void {
    this.preview = preview;
    this.draw();
  }

  private _turn = 0;
}

/** A plan of which every part is there, whatever the server left out. */
export function asPlan(result: Record<string, unknown> | null): IPlan {
  const plan = (result ?? {}) as Partial<IPlan>;
  return {
    install: plan.install ?? [],
    change: plan.change ?? [],
    remove: plan.remove ?? [],
    download_bytes: plan.download_bytes ?? null,
    files: plan.files ?? null,
    requested: plan.requested ?? [],
    notes: plan.notes ?? [],
    pip: plan.pip ?? [],
    warnings: plan.warnings ?? []
  };
}

/** A planner for one form; what it works at is cancelled when the form goes. */
export function usePlanner(ended: (preview: Preview) => void): Planner {
  const { model } = useHpcEnv();
  const [, draw] = React.useReducer((n: number) => n + 1, 0);
  const latest = React.useRef(ended);
  latest.current = ended;
  const planner = React.useMemo(() => new Planner(model.api, draw, preview => latest.current(preview)), [model]);
  React.useEffect(() => () => planner.drop(), [planner]);
  return planner;
}
