/** A change while it runs, and how it ended: as the page of a build shows it, above the packages. */
import { checkIcon, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import { warnIcon } from '../icons';
import { Failure } from '../operation/failure';
import { LogView } from '../operation/log-view';
import { outcome, planOf, staleKernels } from '../operation/outcome';
import { Taken } from '../operation/page';
import { Steps } from '../operation/steps';
import { cancelLabel, doing, endedWell } from '../operation/verbs';
import { IEnvironment, IOperation, isFinished } from '../tokens';
import { useHpcEnv, useModel } from '../ui/context';
import { Button, Hidden, Icon, IconButton } from '../ui/controls';
import type { Changing } from './changing';
import { changeCommand, IWish, referenceOf, wishOf } from './wish';

export interface IChangeShownProps {
  environment: IEnvironment;
  operation: IOperation;
  changing: Changing;
  onPlan: (wish: IWish) => void;
}

export function ChangeShown(props: IChangeShownProps): JSX.Element {
  const { operation } = props;
  if (endedWell(operation)) {
    return <Ended key={operation.id} {...props} />;
  }
  return <Under key={operation.id} {...props} />;
}

/** Give the focus to *ref* if it went with what stood here before; a focus elsewhere is the person's and stays. */
export function useArrival(ref: React.RefObject<HTMLElement>, what: string): void {
  React.useEffect(() => {
    if (document.activeElement === document.body) {
      ref.current?.focus({ preventScroll: true });
    }
  }, [ref, what]);
}

/** It runs, or it went wrong: its steps and its log. */
function Under(props: IChangeShownProps): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const { environment, operation, changing } = props;
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
  const wish = wishOf(operation.request);
  const title = running ? doing(operation, trans) : trans.__('The last change');
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
          {(operation.state === 'interrupted' || operation.state === 'cancelled') && (
            <Button aria-disabled={busy} onClick={() => act(() => changing.repair(environment.name))}>
              {trans.__('Repair')}
            </Button>
          )}
          {operation.state === 'failed' && wish && (
            <Button onClick={() => props.onPlan(wish)}>
              {trans.__('Plan again')}
            </Button>
          )}
          {!running && (
            <IconButton icon={closeIcon} label={trans.__('Remove from list')} onClick={() => act(() => actions.forget(operation))} />
          )}
        </div>
      </header>
      {running && (
        <>
          <p className="jp-HpcEnv-muted">
            {operation.cancelling
              ? trans.__('Cancelling. What was changed so far is put back.')
              : trans.__('You can close this page; the change goes on.')}
          </p>
          <Taken operation={operation} />
        </>
      )}
      {!running && wish && (
        <p className="jp-HpcEnv-path">
          <code>{plain(changeCommand(referenceOf(environment, model.environments), wish).replace(/ \\\n +/g, ' '))}</code>
        </p>
      )}
      {!running && <Failure operation={operation} />}
      <div className="jp-HpcEnv-operation">
        <Steps operation={operation} />
        <LogView operation={operation} failed={operation.state === 'failed'} />
      </div>
    </section>
  );
}

/** It went well, or was cancelled: one sentence each for what is other now, and for what is not. */
function Ended(props: IChangeShownProps): JSX.Element {
  const { trans } = useHpcEnv();
  const model = useModel();
  const { environment, operation, changing } = props;
  const box = React.useRef<HTMLDivElement>(null);
  useArrival(box, operation.id);
  const cancelled = operation.state === 'cancelled';
  const stale = cancelled ? 0 : changing.staleKernels(operation, model.kernelsRunning(environment));
  const name = plain(environment.name);
  const done = operation.verb === 'repair' ? trans.__('Repaired %1: the change that was killed is finished, or taken back.', name) : trans.__('Changed %1.', name);
  const told = cancelled ? [trans.__('Cancelled. The packages are as they were.')] : outcome(operation, trans);
  return (
    <div className="jp-HpcEnv-callout jp-HpcEnv-ended" ref={box} tabIndex={-1}>
      <Icon icon={checkIcon} kind={cancelled ? undefined : 'ok'} />
      <div>
        <b>{told.join(' ') || done}</b>
        {stale > 0 && <p>{staleKernels(stale, trans)}</p>}
        {planOf(operation)?.warnings.map(text => (
          <p key={text} className="jp-HpcEnv-tag">
            <Icon icon={warnIcon} kind="warn" />
            <Hidden>{trans.__('Warning:')} </Hidden>
            {plain(text)}
          </p>
        ))}
      </div>
      <IconButton icon={closeIcon} label={trans.__('Close')} onClick={() => changing.dismiss(operation.id)} />
    </div>
  );
}
