/** A build while it runs, or how it ended when it did not end well. */
import { closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { moment, seconds } from '../format';
import { IOperation, isFinished } from '../tokens';
import { useHpcEnv, useTicking } from '../ui/context';
import { Button, IconButton } from '../ui/controls';
import { PageHead } from '../ui/head';
import { Failure } from './failure';
import { LogView } from './log-view';
import { ProgressBar, Steps } from './steps';

export interface IOperationPageProps {
  operation: IOperation;
  /** True when the person has just come here, so that the heading takes the focus. */
  arrived: boolean;
  onChange: () => void;
  onRetry: () => Promise<void>;
  onForget: () => Promise<void>;
}

export function OperationPage(props: IOperationPageProps): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { operation } = props;
  const running = !isFinished(operation);
  const [busy, setBusy] = React.useState(false);
  const act = (work: () => Promise<void>): void => {
    if (!busy) {
      setBusy(true);
      void work().finally(() => setBusy(false));
    }
  };
  const again = (
    <>
      <Button kind="accept" onClick={props.onChange}>
        {operation.state === 'cancelled' ? trans.__('Create again') : trans.__('Change the request')}
      </Button>
      {operation.state !== 'cancelled' && (
        <Button aria-disabled={busy} onClick={() => act(props.onRetry)}>
          {trans.__('Try again')}
        </Button>
      )}
      <IconButton icon={closeIcon} label={trans.__('Remove from list')} onClick={() => act(props.onForget)} />
    </>
  );
  const cancel = (
    <Button aria-disabled={operation.cancelling || busy} onClick={() => !operation.cancelling && act(() => actions.cancel(operation))}>
      {operation.cancelling ? trans.__('Cancelling…') : trans.__('Cancel build')}
    </Button>
  );
  return (
    <div className="jp-HpcEnv jp-HpcEnv-page jp-mod-fill">
      <PageHead
        name={operation.environment.name}
        text={<Standing operation={operation} />}
        actions={running ? cancel : again}
        arrived={props.arrived}
      />
      {running && <Taken operation={operation} />}
      {(operation.state === 'failed' || operation.state === 'interrupted') && <Failure operation={operation} />}
      <div className="jp-HpcEnv-operation">
        <Steps operation={operation} />
        <LogView operation={operation} failed={operation.state === 'failed'} />
      </div>
    </div>
  );
}

/** The bar over the steps, with the time since it began. */
export function Taken(props: { operation: IOperation }): JSX.Element {
  const { trans, model } = useHpcEnv();
  useTicking(true, 1000);
  const since = Date.parse(props.operation.started);
  const taken = (model.now() - since) / 1000;
  return <ProgressBar operation={props.operation} taken={Number.isNaN(since) ? '' : seconds(Math.max(0, taken), trans)} />;
}

function Standing(props: { operation: IOperation }): JSX.Element {
  const { trans } = useHpcEnv();
  const { operation } = props;
  const when = moment(operation.finished);
  const step = operation.steps[operation.step - 1];
  switch (operation.state) {
    case 'pending':
      return operation.waiting ? (
        <>{trans.__('%1 You can close this page; the build begins by itself.', operation.waiting)}</>
      ) : (
        <>{trans.__('Waiting to begin. You can close this page; the build goes on.')}</>
      );
    case 'running':
      return operation.cancelling ? (
        <>{trans.__('Cancelling. What was built so far is being removed.')}</>
      ) : (
        <>{trans.__('Building. You can close this page; the build goes on.')}</>
      );
    case 'cancelled':
      return <>{trans.__('Cancelled %1. Nothing was left behind.', operation.environment.name)}</>;
    case 'interrupted':
      return <>{step ? trans.__('Interrupted at step %1 of %2, %3, %4.', operation.step, operation.steps.length, step.title, when) : trans.__('Interrupted, %1.', when)}</>;
    default:
      return step ? (
        <>{trans.__('Failed at step %1 of %2, %3, %4. Nothing was left behind.', operation.step, operation.steps.length, step.title, when)}</>
      ) : (
        <>{trans.__('Failed, %1. Nothing was left behind.', when)}</>
      );
  }
}
