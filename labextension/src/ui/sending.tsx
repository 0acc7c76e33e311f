/** A request that a button sends: once at a time, and what the server refused stands beside the button. */
import { UUID } from '@lumino/coreutils';
import React from 'react';
import { plain } from '../format';
import { asError, HpcEnvError } from '../request';
import { Callout, Reason } from './blocks';
import { useHpcEnv } from './context';

export interface ISending {
  busy: boolean;
  refused: HpcEnvError | null;
  /** Run *work* unless another one is under way; its key stays the same until the server has answered or *what* is another. */
  send: (what: string, work: (key: string) => Promise<unknown>) => Promise<boolean>;
  /** Forget what was refused. */
  forget: () => void;
}

export function useSending(): ISending {
  const { actions } = useHpcEnv();
  const [busy, setBusy] = React.useState(false);
  const [refused, setRefused] = React.useState<HpcEnvError | null>(null);
  const under = React.useRef(false);
  const sent = React.useRef({ what: '', key: '' });
  const send = async (what: string, work: (key: string) => Promise<unknown>): Promise<boolean> => {
    if (under.current) {
      return false;
    }
    under.current = true;
    setBusy(true);
    setRefused(null);
    if (sent.current.what !== what || !sent.current.key) {
      sent.current = { what, key: UUID.uuid4() };
    }
    let error: HpcEnvError | null = null;
    try {
      await work(sent.current.key);
    } catch (reason) {
      error = asError(reason);
      setRefused(error);
      actions.announcer.alert(error.message);
    }
    if (!error?.offline) {
      // else it may have arrived, and sending it again must not do it twice
      sent.current = { what: '', key: '' };
    }
    under.current = false;
    setBusy(false);
    return !error;
  };
  return { busy, refused, send, forget: () => setRefused(null) };
}

/** What the server refused, in its words, and what it says to do. */
export function Refused(props: { error: HpcEnvError | null }): JSX.Element | null {
  const { trans } = useHpcEnv();
  const { error } = props;
  if (!error) {
    return null;
  }
  return (
    <Callout kind="error" role="alert">
      {error.offline ? (
        trans.__('The server does not answer. Nothing was lost; try again.')
      ) : (
        <>
          <b>{plain(error.message)}</b>
          {error.hints.map(hint => (
            <p key={hint}>{plain(hint)}</p>
          ))}
          {error.reason && <Reason text={error.reason} />}
        </>
      )}
    </Callout>
  );
}
