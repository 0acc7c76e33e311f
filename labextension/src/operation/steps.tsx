/** The steps of an operation: the same list that the sidebar's n/m and the status item count. */
import { checkIcon, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { bytes, seconds } from '../format';
import { failIcon } from '../icons';
import { IOperation, IProgress, IStep, isFinished } from '../tokens';
import { useHpcEnv } from '../ui/context';
import { Hidden, Icon } from '../ui/controls';
import { doing, isBuild } from './verbs';

/** The share of the running step that is done; null where nobody knows. */
export function fraction(progress: IProgress | null): number | null {
  const part = (done: number | null, total: number | null): number | null =>
    done !== null && total !== null && total > 0 ? Math.min(1, done / total) : null;
  return progress ? (part(progress.bytes_done, progress.bytes_total) ?? part(progress.packages_done, progress.packages_total)) : null;
}

export function Steps(props: { operation: IOperation }): JSX.Element {
  const { trans } = useHpcEnv();
  const { operation } = props;
  return (
    <ol className="jp-HpcEnv-steps" aria-label={trans.__('Steps')}>
      {operation.steps.map((step, at) => (
        <StepLine
          key={step.name}
          step={step}
          current={at === operation.step - 1 && !isFinished(operation)}
          cancelled={operation.state === 'cancelled'}
          progress={step.state === 'running' ? operation.progress : null}
        />
      ))}
    </ol>
  );
}

function StepLine(props: { step: IStep; current: boolean; cancelled: boolean; progress: IProgress | null }): JSX.Element {
  const { trans } = useHpcEnv();
  const { step, current, cancelled, progress } = props;
  // a step that somebody ended did not go wrong
  const ended = cancelled && step.state === 'failed' ? 'cancelled' : step.state;
  const state = ended === 'running' && !current ? 'todo' : ended;
  const said = {
    todo: trans.__('to do'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  }[state];
  const detail = [figures(progress, trans.__.bind(trans)), step.detail].filter(Boolean).join(', ');
  return (
    <li className={{ todo: 'todo', running: 'now', done: 'ok', failed: 'fail', cancelled: 'todo' }[state]} aria-current={current ? 'step' : undefined}>
      {state === 'done' ? (
        <Icon icon={checkIcon} kind="ok" />
      ) : state === 'failed' ? (
        <Icon icon={failIcon} kind="error" />
      ) : state === 'cancelled' ? (
        <Icon icon={closeIcon} />
      ) : (
        <span className={state === 'running' ? 'jp-HpcEnv-spinner' : 'jp-HpcEnv-ring'} />
      )}
      <span>
        {step.title}
        {state === 'cancelled' ? <>, {said}</> : <Hidden>, {said}</Hidden>}
      </span>
      <span className="jp-HpcEnv-num jp-HpcEnv-small">{step.seconds !== null && state !== 'todo' ? seconds(step.seconds, trans) : ''}</span>
      {detail && <small>{detail}</small>}
    </li>
  );
}

function figures(progress: IProgress | null, __: (text: string, ...values: string[]) => string): string {
  if (!progress) {
    return '';
  }
  const parts: string[] = [];
  if (progress.bytes_done !== null && progress.bytes_total !== null) {
    parts.push(__('%1 of %2', bytes(progress.bytes_done), bytes(progress.bytes_total)));
  } else if (progress.bytes_done) {
    parts.push(bytes(progress.bytes_done));
  }
  if (progress.packages_done !== null && progress.packages_total !== null) {
    parts.push(__('%1 of %2 packages', String(progress.packages_done), String(progress.packages_total)));
  }
  return parts.join(', ');
}

/** The bar over the steps: whole steps, and a part of the running one only where it is known. */
export function ProgressBar(props: { operation: IOperation; taken: string; label?: string }): JSX.Element {
  const { trans } = useHpcEnv();
  const { operation } = props;
  const all = operation.steps.length || 1;
  const done = operation.steps.filter(step => step.state === 'done').length;
  const known = fraction(operation.progress);
  const step = operation.steps[operation.step - 1];
  const said = step
    ? trans.__('Step %1 of %2, %3', operation.step, all, step.title)
    : trans.__('Waiting to begin');
  const value = Math.round(((done + (known ?? 0)) / all) * 100);
  return (
    <div className="jp-HpcEnv-progress">
      <div
        className="jp-HpcEnv-bar"
        role="progressbar"
        aria-label={props.label ?? (isBuild(operation) ? trans.__('Build of %1', operation.environment.name) : doing(operation, trans))}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={value}
        aria-valuetext={said}
      >
        <i style={{ width: `${value}%` }} />
        {known === null && <i className="jp-mod-unknown" style={{ width: `${100 / all}%` }} />}
      </div>
      <span>{[step ? trans.__('Step %1 of %2', operation.step, all) : said, props.taken].filter(Boolean).join(' · ')}</span>
    </div>
  );
}
