/** A change while it runs, and how it ended: as the page of a build shows it, above the packages. */
import React from 'react';
import { plain } from '../format';
import { warnIcon } from '../icons';
import { outcome, planOf, staleKernels } from '../operation/outcome';
import { doing, endedWell } from '../operation/verbs';
import { IEnvironment, IOperation, isFinished } from '../tokens';
import { useHpcEnv, useModel } from '../ui/context';
import { Button, Hidden, Icon } from '../ui/controls';
import type { Changing } from './changing';
import { EndedWell, UnderWay } from './under-way';
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

function Under(props: IChangeShownProps): JSX.Element {
  const { trans, model } = useHpcEnv();
  const { environment, operation, changing } = props;
  const wish = wishOf(operation.request);
  const repairable = operation.state === 'interrupted' || operation.state === 'cancelled';
  return (
    <UnderWay
      operation={operation}
      title={isFinished(operation) ? trans.__('The last change') : doing(operation, trans)}
      running={trans.__('You can close this page; the change goes on.')}
      cancelling={trans.__('Cancelling. What was changed so far is put back.')}
      onRepair={repairable ? () => changing.repair(environment.name) : undefined}
      acts={operation.state === 'failed' && wish && <Button onClick={() => props.onPlan(wish)}>{trans.__('Plan again')}</Button>}
      asked={
        wish && (
          <p className="jp-HpcEnv-path">
            <code>{plain(changeCommand(referenceOf(environment, model.environments), wish).replace(/ \\\n +/g, ' '))}</code>
          </p>
        )
      }
    />
  );
}

/** It went well, or was cancelled: one sentence each for what is other now, and for what is not. */
function Ended(props: IChangeShownProps): JSX.Element {
  const { trans } = useHpcEnv();
  const model = useModel();
  const { environment, operation, changing } = props;
  const cancelled = operation.state === 'cancelled';
  const stale = cancelled ? 0 : changing.staleKernels(operation, model.kernelsRunning(environment));
  const name = plain(environment.name);
  const done = operation.verb === 'repair' ? trans.__('Repaired %1: the change that was killed is finished, or taken back.', name) : trans.__('Changed %1.', name);
  const told = cancelled ? [trans.__('Cancelled. The packages are as they were.')] : outcome(operation, trans);
  return (
    <EndedWell operation={operation} title={told.join(' ') || done} onClose={() => changing.dismiss(operation.id)}>
      {stale > 0 && <p>{staleKernels(stale, trans)}</p>}
      {planOf(operation)?.warnings.map(text => (
        <p key={text} className="jp-HpcEnv-tag">
          <Icon icon={warnIcon} kind="warn" />
          <Hidden>{trans.__('Warning:')} </Hidden>
          {plain(text)}
        </p>
      ))}
    </EndedWell>
  );
}
