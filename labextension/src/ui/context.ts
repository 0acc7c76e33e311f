/** What every component needs, handed down once. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { Actions } from '../actions';
import type { EnvironmentsModel } from '../model';

export interface IContext {
  model: EnvironmentsModel;
  actions: Actions;
  trans: TranslationBundle;
}

export const Context = React.createContext<IContext | null>(null);

export function useHpcEnv(): IContext {
  const context = React.useContext(Context);
  if (!context) {
    throw new Error('A component of jupyter-hpcenv is drawn outside its context.');
  }
  return context;
}

/** Draw again whenever the model changes. */
export function useModel(): EnvironmentsModel {
  const { model } = useHpcEnv();
  const subscribe = React.useCallback(
    (draw: () => void) => {
      model.changed.connect(draw);
      return () => {
        model.changed.disconnect(draw);
      };
    },
    [model]
  );
  React.useSyncExternalStore(subscribe, () => model.version);
  return model;
}

/** Draw again every *milliseconds* while *active*: for what counts time. */
export function useTicking(active: boolean, milliseconds: number): void {
  const [, tick] = React.useReducer((n: number) => n + 1, 0);
  React.useEffect(() => {
    if (!active) {
      return;
    }
    const timer = window.setInterval(tick, milliseconds);
    return () => window.clearInterval(timer);
  }, [active, milliseconds]);
}

/** False for the first *milliseconds*: what is over quickly shows no sign of waiting. */
export function useDelay(milliseconds: number): boolean {
  const [over, setOver] = React.useState(false);
  React.useEffect(() => {
    const timer = window.setTimeout(() => setOver(true), milliseconds);
    return () => window.clearTimeout(timer);
  }, [milliseconds]);
  return over;
}

/** *value* as it was when it last rested for *milliseconds*. */
export function useRested<T>(value: T, milliseconds: number): T {
  const [rested, setRested] = React.useState(value);
  React.useEffect(() => {
    const timer = window.setTimeout(() => setRested(value), milliseconds);
    return () => window.clearTimeout(timer);
  }, [value, milliseconds]);
  return rested;
}

/** Something read from the server when a component appears, or when *key* changes. */
export interface ILoaded<T> {
  value: T | null;
  error: unknown;
  reload: () => void;
}

export function useLoaded<T>(load: () => Promise<T>, key: string): ILoaded<T> {
  const [state, setState] = React.useState<{ value: T | null; error: unknown; key: string }>({ value: null, error: null, key });
  const [turn, reload] = React.useReducer((n: number) => n + 1, 0);
  const latest = React.useRef(load);
  latest.current = load;
  React.useEffect(() => {
    let wanted = true;
    latest.current().then(
      value => wanted && setState({ value, error: null, key }),
      (error: unknown) => wanted && setState(old => ({ value: old.key === key ? old.value : null, error, key }))
    );
    return () => {
      wanted = false;
    };
  }, [key, turn]);
  return { value: state.value, error: state.error, reload };
}
