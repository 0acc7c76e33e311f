/** Something that the server measures meanwhile: asked again until it is known. */
import React from 'react';
import type { ILoaded } from './context';

const FIRST_WAIT = 1_000;
const LAST_WAIT = 15_000;

/** The answer of *ask* for a *key*, asked for again while *again* says so; without *ask* nobody is asked. */
export function useAskedAgain<T>(ask: (() => Promise<T>) | null, again: (answer: T) => boolean, key: string): ILoaded<T> {
  const [state, setState] = React.useState<{ value: T | null; error: unknown }>({ value: null, error: null });
  const [turn, reload] = React.useReducer((n: number) => n + 1, 0);
  const latest = React.useRef({ ask, again });
  latest.current = { ask, again };
  const asked = ask !== null;
  React.useEffect(() => setState({ value: null, error: null }), [asked, key]);
  React.useEffect(() => {
    if (!asked) {
      return;
    }
    let timer = 0;
    let wanted = true;
    const next = async (wait: number): Promise<void> => {
      try {
        const answer = await latest.current.ask?.();
        if (wanted && answer !== undefined) {
          setState({ value: answer, error: null });
          if (latest.current.again(answer)) {
            timer = window.setTimeout(() => void next(Math.min(LAST_WAIT, wait * 1.5)), wait);
          }
        }
      } catch (error) {
        if (wanted) {
          setState(old => ({ ...old, error }));
        }
      }
    };
    void next(FIRST_WAIT);
    return () => {
      wanted = false;
      window.clearTimeout(timer);
    };
  }, [asked, key, turn]);
  return { ...state, reload };
}
