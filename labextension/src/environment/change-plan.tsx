/** The plan of a change, which stands before it: what comes, changes and goes, and the button that does it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { restRequest } from '../create/command';
import { CommandBox } from '../create/command-box';
import { PlanBody, PlanFailure, PlanStanding } from '../create/preview';
import { plain } from '../format';
import { noteIcon, warnIcon } from '../icons';
import { ProgressBar } from '../operation/steps';
import type { HpcEnvError } from '../request';
import type { IEnvironment, IErrorBody, IPlan } from '../tokens';
import { Callout } from '../ui/blocks';
import { useDelay, useHpcEnv, useModel } from '../ui/context';
import { Button, Hidden, Icon, IconButton } from '../ui/controls';
import type { Changing } from './changing';
import { changeCommand, IWish, planTitle, referenceOf, toChanges } from './wish';

/** How many packages a plan touches. */
export function touched(plan: IPlan): number {
  return plan.install.length + plan.change.length + plan.remove.length + plan.pip.length;
}

/** The same in words for ears. */
export function planTold(plan: IPlan, trans: TranslationBundle): string {
  const many = touched(plan);
  return many > 0 ? trans._n('The plan is there: %1 package changes.', 'The plan is there: %1 packages change.', many) : trans.__('Nothing would change.');
}

export function ChangePlan(props: { environment: IEnvironment; changing: Changing; wish: IWish; onCancel: () => void }): JSX.Element {
  const { trans } = useHpcEnv();
  const model = useModel();
  const { environment, changing, wish, onCancel } = props;
  const heading = React.useRef<HTMLHeadingElement>(null);
  React.useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    heading.current?.scrollIntoView?.({ block: 'nearest' });
  }, [changing.turn]);
  const { preview, refused, sending } = changing;
  const path = `environments/${environment.id}/changes`;
  const cancel = <Button onClick={onCancel}>{trans.__('Cancel')}</Button>;
  const failed = (error: IErrorBody): JSX.Element => (
    <>
      <PlanFailure error={error} silent={trans.__('There is no plan.')} hint={trans.__('Ask for it again.')} />
      <div className="jp-HpcEnv-actions">
        <Button onClick={() => void changing.plan(wish)}>{trans.__('Plan again')}</Button>
        {cancel}
      </div>
    </>
  );
  return (
    <aside
      className="jp-HpcEnv-aside jp-HpcEnv-changePlan"
      aria-label={trans.__('Plan')}
      onKeyDown={event => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          event.stopPropagation();
          void changing.apply();
        } else if (event.key === 'Escape' && !event.defaultPrevented) {
          event.preventDefault();
          event.stopPropagation();
          onCancel();
        }
      }}
    >
      <section className="jp-HpcEnv-plan jp-HpcEnv-preview" aria-busy={preview.is === 'working'}>
        <header className="jp-HpcEnv-planHead">
          <h2 ref={heading} tabIndex={-1}>
            {planTitle(wish, trans)}
          </h2>
          <IconButton icon={closeIcon} label={trans.__('Discard plan')} onClick={onCancel} />
        </header>
        {preview.is === 'working' && (
          <>
            <Working>
              <PlanStanding operation={preview.operation} offline={preview.offline} />
              {preview.operation && <ProgressBar operation={preview.operation} label={trans.__('Plan')} taken="" />}
            </Working>
            <div className="jp-HpcEnv-actions">{cancel}</div>
          </>
        )}
        {preview.is === 'none' && refused && failed(shown(refused, trans.__('The server does not answer. Nothing was lost; try again.')))}
        {preview.is === 'failed' && failed(preview.error)}
        {preview.is === 'done' && (
          <>
            <PlanBody
              plan={preview.plan}
              count={touched(preview.plan)}
              unit={trans._n('package changes', 'packages change', touched(preview.plan))}
              label={trans.__('Packages of the plan')}
              pip={trans.__('Changed by pip')}
              none={nothing(wish, preview.plan, trans)}
            >
              {touched(preview.plan) > 0 && <Notes running={model.kernelsRunning(environment)} />}
            </PlanBody>
            {refused && <Refused error={refused} />}
            <div className="jp-HpcEnv-actions">
              {touched(preview.plan) > 0 && (
                <Button kind="accept" className="jp-HpcEnv-apply" aria-disabled={sending} onClick={() => void changing.apply()}>
                  {sending ? trans.__('Sending…') : trans.__('Apply')}
                </Button>
              )}
              {cancel}
            </div>
          </>
        )}
      </section>
      <CommandBox
        shell={changeCommand(referenceOf(environment, model.environments), wish)}
        rest={restRequest(toChanges(wish), path)}
      />
    </aside>
  );
}

/** Notes say why something stays that is not the newest. */
function nothing(wish: IWish, plan: IPlan, trans: TranslationBundle): string {
  if (plan.pip.length > 0) {
    return trans.__('No conda package comes, goes or changes.');
  }
  return (wish.verb === 'update' || wish.verb === 'update_all') && plan.notes.length === 0
    ? trans.__('Nothing would change: all is as new as it can be.')
    : trans.__('Nothing would change.');
}

function shown(error: HpcEnvError, offline: string): IErrorBody {
  return error.offline ? { message: offline, reason: '', code: error.code, hints: [] } : error;
}

/** What is over quickly shows no sign of waiting. */
function Working(props: { children: React.ReactNode }): JSX.Element | null {
  return useDelay(200) ? <>{props.children}</> : null;
}

function Refused(props: { error: HpcEnvError }): JSX.Element {
  const { trans } = useHpcEnv();
  const error = shown(props.error, trans.__('The server does not answer. Nothing was lost; try again.'));
  return (
    <Callout kind="error" role="alert">
      <b>{plain(error.message)}</b>
      {error.hints.map(hint => (
        <p key={hint}>{plain(hint)}</p>
      ))}
    </Callout>
  );
}

/** What to know of any change before it is done. */
export function Notes(props: { running: number }): JSX.Element {
  const { trans } = useHpcEnv();
  return (
    <>
      {props.running > 0 && (
        <li>
          <Icon icon={warnIcon} kind="warn" />
          <span>
            <Hidden>{trans.__('Warning:')} </Hidden>
            {trans._n(
              '%1 running kernel keeps the old packages until it is restarted.',
              '%1 running kernels keep the old packages until they are restarted.',
              props.running
            )}
          </span>
        </li>
      )}
      <li>
        <Icon icon={noteIcon} />
        <span>{trans.__('If the kernel does not start afterwards, everything is put back.')}</span>
      </li>
    </>
  );
}
