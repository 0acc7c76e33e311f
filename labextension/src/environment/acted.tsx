/** What is done to an environment as a whole, over its overview: while it runs, and how it ended. */
import { checkIcon, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { Failure } from '../operation/failure';
import { LogView } from '../operation/log-view';
import { actOutcome, differences } from '../operation/outcome';
import { Taken } from '../operation/page';
import { Steps } from '../operation/steps';
import { cancelLabel, doing, endedWell, isAct } from '../operation/verbs';
import { IEnvironment, IOperation, isFinished } from '../tokens';
import { useHpcEnv, useModel } from '../ui/context';
import { Button, Icon, IconButton } from '../ui/controls';
import { useArrival } from './change-shown';

/** How many packages are named of those that are other ones than before; the log has all. */
const NAMED = 8;

export interface IActed {
  /** What runs or went wrong, or went well while somebody looked; undefined: nothing to show. */
  operation: IOperation | undefined;
  dismiss: () => void;
}

/** The newest act on an environment; kept by the page, because a look at another tab must not lose its end. */
export function useActed(environment: string): IActed {
  const model = useModel();
  const [, draw] = React.useReducer((n: number) => n + 1, 0);
  const watched = React.useRef(new Set<string>());
  const [newest] = model.operations
    .filter(operation => operation.environment.id === environment && isAct(operation))
    .sort((a, b) => (a.id < b.id ? 1 : -1));
  if (newest && !isFinished(newest)) {
    watched.current.add(newest.id);
  }
  const shown = newest && (!endedWell(newest) || watched.current.has(newest.id));
  return {
    operation: shown ? newest : undefined,
    dismiss: () => {
      if (newest) {
        watched.current.delete(newest.id);
        draw();
      }
    }
  };
}

export function Acted(props: { environment: IEnvironment; acted: IActed }): JSX.Element | null {
  const { operation, dismiss } = props.acted;
  if (!operation) {
    return null;
  }
  return (
    <div className="jp-HpcEnv-warnings">
      {isFinished(operation) && endedWell(operation) ? (
        <Ended key={operation.id} operation={operation} onClose={dismiss} />
      ) : (
        <Under key={operation.id} environment={props.environment} operation={operation} />
      )}
    </div>
  );
}

function Under(props: { environment: IEnvironment; operation: IOperation }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { environment, operation } = props;
  const [busy, setBusy] = React.useState(false);
  const heading = React.useRef<HTMLHeadingElement>(null);
  useArrival(heading, operation.state);
  const act = (work: () => Promise<unknown>): void => {
    if (!busy) {
      setBusy(true);
      void work().finally(() => setBusy(false));
    }
  };
  const running = !isFinished(operation);
  const title = doing(operation, trans);
  // a killed sharing has changed permissions, which a repair puts back; what is built anew is put right by itself
  const repairable = (operation.verb === 'share' || operation.verb === 'unshare') && operation.state !== 'failed';
  return (
    <section className="jp-HpcEnv-change" aria-label={title}>
      <header>
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <div className="jp-HpcEnv-actions jp-HpcEnv-push">
          {running && (
            <Button aria-disabled={operation.cancelling || busy} onClick={() => !operation.cancelling && act(() => actions.cancel(operation))}>
              {operation.cancelling ? trans.__('Cancelling…') : cancelLabel(operation, trans)}
            </Button>
          )}
          {!running && repairable && (
            <Button aria-disabled={busy} onClick={() => act(() => actions.repair(environment))}>
              {trans.__('Repair')}
            </Button>
          )}
          {!running && (
            <IconButton icon={closeIcon} label={trans.__('Remove from list')} onClick={() => act(() => actions.forget(operation))} />
          )}
        </div>
      </header>
      {running ? (
        <>
          <p className="jp-HpcEnv-muted">
            {operation.cancelling ? trans.__('Cancelling. What was done so far is taken back.') : trans.__('You can close this page; it goes on.')}
          </p>
          <Taken operation={operation} />
        </>
      ) : (
        <Failure operation={operation} />
      )}
      <div className="jp-HpcEnv-operation">
        <Steps operation={operation} />
        <LogView operation={operation} failed={operation.state === 'failed'} />
      </div>
    </section>
  );
}

function Ended(props: { operation: IOperation; onClose: () => void }): JSX.Element {
  const { trans } = useHpcEnv();
  const { operation } = props;
  const box = React.useRef<HTMLDivElement>(null);
  useArrival(box, operation.id);
  const cancelled = operation.state === 'cancelled';
  const other = cancelled ? [] : differences(operation);
  return (
    <div className="jp-HpcEnv-callout jp-HpcEnv-ended" ref={box} tabIndex={-1}>
      <Icon icon={checkIcon} kind={cancelled ? undefined : 'ok'} />
      <div>
        <b>{cancelled ? trans.__('Cancelled. Everything is as it was.') : actOutcome(operation, trans)}</b>
        {other.slice(0, NAMED).map(text => (
          <p key={text}>{text}</p>
        ))}
        {other.length > NAMED && <p>{trans.__('And %1 more packages are other ones than before.', other.length - NAMED)}</p>}
      </div>
      <IconButton icon={closeIcon} label={trans.__('Close')} onClick={props.onClose} />
    </div>
  );
}
