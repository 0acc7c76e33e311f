/** Ask the server what a choice of modules gives, once it has rested. */
import React from 'react';
import { asError, HpcEnvError } from '../request';
import type { IModuleCheck } from '../tokens';
import { useHpcEnv } from '../ui/context';

export const REST = 500;

export interface IChecked {
  /** What the last choice that could be loaded gives; it stands while another one is checked. */
  value: IModuleCheck | null;
  /** Why the choice can not be loaded. */
  error: HpcEnvError | null;
  checking: boolean;
}

const NOTHING: IChecked = { value: null, error: null, checking: false };

/** What loading *modules*, or *collection*, gives; asked half a second after the last change, and never for nothing. */
export function useModuleCheck(modules: readonly string[], collection: string): IChecked {
  const { model } = useHpcEnv();
  const key = JSON.stringify([modules, collection]);
  const empty = modules.length === 0 && !collection;
  const active = !empty && model.modules.present;
  const [state, setState] = React.useState(NOTHING);
  React.useEffect(() => {
    if (!active) {
      setState(NOTHING);
      return;
    }
    // an answer to what is not chosen any more says nothing
    let wanted = true;
    setState(old => ({ ...old, error: null, checking: true }));
    const timer = window.setTimeout(() => {
      const [names, saved] = JSON.parse(key) as [string[], string];
      model.api.checkModules(names, saved).then(
        value => wanted && setState({ value, error: null, checking: false }),
        (error: unknown) => wanted && setState({ value: null, error: asError(error), checking: false })
      );
    }, REST);
    return () => {
      wanted = false;
      window.clearTimeout(timer);
    };
  }, [active, key, model]);
  return state;
}
