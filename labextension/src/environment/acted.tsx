/** What is done to an environment as a whole, over its overview: while it runs, and how it ended. */
import React from 'react';
import { actOutcome, differences } from '../operation/outcome';
import { doing, endedWell, isAct } from '../operation/verbs';
import { IEnvironment, IOperation, isFinished } from '../tokens';
import { useHpcEnv, useModel } from '../ui/context';
import { EndedWell, UnderWay } from './under-way';

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
  // a killed sharing has changed permissions, which a repair puts back; what is built anew is put right by itself
  const repairable = (operation.verb === 'share' || operation.verb === 'unshare') && operation.state !== 'failed';
  return (
    <UnderWay
      operation={operation}
      title={doing(operation, trans)}
      running={trans.__('You can close this page; it goes on.')}
      cancelling={trans.__('Cancelling. What was done so far is taken back.')}
      onRepair={repairable ? () => actions.repair(environment) : undefined}
    />
  );
}

function Ended(props: { operation: IOperation; onClose: () => void }): JSX.Element {
  const { trans } = useHpcEnv();
  const { operation } = props;
  const cancelled = operation.state === 'cancelled';
  const other = cancelled ? [] : differences(operation);
  return (
    <EndedWell
      operation={operation}
      title={cancelled ? trans.__('Cancelled. Everything is as it was.') : actOutcome(operation, trans)}
      onClose={props.onClose}
    >
      {other.slice(0, NAMED).map(text => (
        <p key={text}>{text}</p>
      ))}
      {other.length > NAMED && <p>{trans.__('And %1 more packages are other ones than before.', other.length - NAMED)}</p>}
    </EndedWell>
  );
}
