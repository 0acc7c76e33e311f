/** An operation on an environment that is there, over what it is about: while it runs, and how it ended. */
import { checkIcon, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { Failure } from '../operation/failure';
import { LogView } from '../operation/log-view';
import { Taken } from '../operation/page';
import { Steps } from '../operation/steps';
import { cancelLabel } from '../operation/verbs';
import { IOperation, isFinished } from '../tokens';
import { useHpcEnv } from '../ui/context';
import { Button, Icon, IconButton } from '../ui/controls';

/** Give the focus to *ref* if it went with what stood here before; a focus elsewhere is the person's and stays. */
function useArrival(ref: React.RefObject<HTMLElement>, what: string): void {
  React.useEffect(() => {
    if (document.activeElement === document.body) {
      ref.current?.focus({ preventScroll: true });
    }
  }, [ref, what]);
}

/** It runs, or it went wrong: its steps and its log, and what can be done. */
export function UnderWay(props: {
  operation: IOperation;
  title: string;
  /** What happens while it runs, and once it is being cancelled. */
  running: string;
  cancelling: string;
  /** Puts right what it left; undefined where that is not needed. */
  onRepair?: () => Promise<unknown>;
  /** More buttons once it has ended. */
  acts?: React.ReactNode;
  /** What was asked for, once it has ended. */
  asked?: React.ReactNode;
}): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { operation, title, onRepair } = props;
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
          {!running && onRepair && (
            <Button aria-disabled={busy} onClick={() => act(onRepair)}>
              {trans.__('Repair')}
            </Button>
          )}
          {!running && props.acts}
          {!running && (
            <IconButton icon={closeIcon} label={trans.__('Remove from list')} onClick={() => act(() => actions.forget(operation))} />
          )}
        </div>
      </header>
      {running ? (
        <>
          <p className="jp-HpcEnv-muted">{operation.cancelling ? props.cancelling : props.running}</p>
          <Taken operation={operation} />
        </>
      ) : (
        <>
          {props.asked}
          <Failure operation={operation} />
        </>
      )}
      <div className="jp-HpcEnv-operation">
        <Steps operation={operation} />
        <LogView operation={operation} failed={operation.state === 'failed'} />
      </div>
    </section>
  );
}

/** It went well, or was cancelled: a sentence for what is other now, and more about it. */
export function EndedWell(props: { operation: IOperation; title: string; onClose: () => void; children?: React.ReactNode }): JSX.Element {
  const { trans } = useHpcEnv();
  const box = React.useRef<HTMLDivElement>(null);
  useArrival(box, props.operation.id);
  return (
    <div className="jp-HpcEnv-callout jp-HpcEnv-ended" ref={box} tabIndex={-1}>
      <Icon icon={checkIcon} kind={props.operation.state === 'cancelled' ? undefined : 'ok'} />
      <div>
        <b>{props.title}</b>
        {props.children}
      </div>
      <IconButton icon={closeIcon} label={trans.__('Close')} onClick={props.onClose} />
    </div>
  );
}
