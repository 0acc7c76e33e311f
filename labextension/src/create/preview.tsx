/** What a create or a change would do, as far as the server has worked it out: packages, how much there is to fetch, what to know. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { bytes, count, plain, seconds } from '../format';
import { noteIcon, warnIcon } from '../icons';
import { duration } from '../notices';
import { ProgressBar } from '../operation/steps';
import type { IErrorBody, IOperation, IPlan, IPlanned } from '../tokens';
import { Callout, Reason } from '../ui/blocks';
import { useDelay, useHpcEnv } from '../ui/context';
import { Hidden, Icon } from '../ui/controls';
import type { Preview } from './plan';
import { nameAndRest } from './packages';
import { channelName } from './specs';

export function PlanBox(props: { preview: Preview }): JSX.Element | null {
  const { preview } = props;
  switch (preview.is) {
    case 'none':
      return null;
    case 'working':
      return <Working operation={preview.operation} offline={preview.offline} />;
    case 'failed':
      return <Failed error={preview.error} />;
    case 'done':
      return <Plan plan={preview.plan} operation={preview.operation} />;
  }
}

/** In words for ears: how a preview ended. */
export function toldOf(preview: Preview, trans: TranslationBundle): string {
  if (preview.is === 'failed') {
    return preview.error.message || trans.__('The preview failed.');
  }
  return preview.is === 'done' ? [counted(preview.plan, trans), fetched(preview.plan, trans)].filter(Boolean).join(', ') : '';
}

function Working(props: { operation: IOperation | null; offline: boolean }): JSX.Element | null {
  const { trans } = useHpcEnv();
  const late = useDelay(200);
  const { operation, offline } = props;
  if (!late) {
    return null;
  }
  return (
    <section className="jp-HpcEnv-preview" aria-label={trans.__('Preview')} aria-busy="true">
      <header className="jp-HpcEnv-planHead">
        <h3>{trans.__('Preview')}</h3>
        <PlanStanding operation={operation} offline={offline} />
      </header>
      {operation && <ProgressBar operation={operation} label={trans.__('Preview')} taken="" />}
    </section>
  );
}

/** What the server is at while it works out a plan. */
export function PlanStanding(props: { operation: IOperation | null; offline: boolean }): JSX.Element {
  const { trans } = useHpcEnv();
  const { operation, offline } = props;
  const step = operation?.steps[operation.step - 1];
  return (
    <span className="jp-HpcEnv-tag">
      <span className="jp-HpcEnv-spinner" />
      {offline ? trans.__('No connection, trying again…') : step ? trans.__('%1…', plain(step.title)) : trans.__('Waiting to begin…')}
    </span>
  );
}

function Failed(props: { error: IErrorBody }): JSX.Element {
  const { trans } = useHpcEnv();
  const hint = trans.__('Ask for it again, or create the environment and read its log.');
  return (
    <section className="jp-HpcEnv-preview" aria-label={trans.__('Preview')}>
      <PlanFailure error={props.error} silent={trans.__('The preview failed.')} hint={hint} />
    </section>
  );
}

/** Why there is no plan; *silent* and *hint* stand where the server gave no reason. */
export function PlanFailure(props: { error: IErrorBody; silent: string; hint: string }): JSX.Element {
  const { error } = props;
  return (
    <>
      <Callout kind="error" role="alert">
        <b>{plain(error.message) || props.silent}</b>
        {error.hints.map(hint => (
          <p key={hint}>{plain(hint)}</p>
        ))}
        {error.hints.length === 0 && !error.message && <p>{props.hint}</p>}
      </Callout>
      {error.reason && <Reason text={error.reason} />}
    </>
  );
}

function Plan(props: { plan: IPlan; operation: IOperation }): JSX.Element {
  const { trans } = useHpcEnv();
  const { plan } = props;
  const taken = duration(props.operation);
  return (
    <section className="jp-HpcEnv-preview" aria-label={trans.__('Preview')}>
      <header className="jp-HpcEnv-planHead">
        <h3>{trans.__('Preview')}</h3>
        <span className="jp-HpcEnv-tag">
          <Icon icon={checkIcon} kind="ok" />
          {taken === null ? trans.__('Worked out') : trans.__('Worked out in %1', seconds(taken, trans))}
        </span>
      </header>
      <PlanBody
        plan={plan}
        count={coming(plan).length}
        unit={trans._n('package', 'packages', coming(plan).length)}
        label={trans.__('Packages of the preview')}
        none={trans.__('No conda package comes, goes or changes.')}
      />
    </section>
  );
}

/** Figures, packages and notes of a plan; *none* is said where no package comes, goes or changes. */
export function PlanBody(props: {
  plan: IPlan;
  /** The first figure, and what it counts. */
  count: number;
  unit: string;
  label: string;
  none: string;
  /** What stands over pip's part. */
  pip?: string;
  /** More notes, as list items. */
  children?: React.ReactNode;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { plan } = props;
  const toFetch = fetched(plan, trans);
  return (
    <>
      <dl className="jp-HpcEnv-figures">
        <Figure value={count(props.count)} label={props.unit} />
        {toFetch && <Figure value={figure(plan, trans)} label={trans.__('to download')} />}
        {plan.files !== null && <Figure value={count(plan.files)} label={trans._n('file', 'files', plan.files)} />}
      </dl>
      <Packages plan={plan} label={props.label} none={props.none} />
      {plan.pip.length > 0 && (
        <div>
          <h4>{props.pip ?? trans.__('Then pip installs')}</h4>
          <ul className="jp-HpcEnv-pip">
            {plan.pip.map(line => (
              <li key={line}>
                <code>{plain(line)}</code>
              </li>
            ))}
          </ul>
        </div>
      )}
      {(plan.warnings.length + plan.notes.length > 0 || props.children) && (
        <ul className="jp-HpcEnv-notes">
          {plan.warnings.map(text => (
            <li key={`warning ${text}`}>
              <Icon icon={warnIcon} kind="warn" />
              <span>
                <Hidden>{trans.__('Warning:')} </Hidden>
                {plain(text)}
              </span>
            </li>
          ))}
          {plan.notes.map(text => (
            <li key={`note ${text}`}>
              <Icon icon={noteIcon} />
              <span>{plain(text)}</span>
            </li>
          ))}
          {props.children}
        </ul>
      )}
    </>
  );
}

function Figure(props: { value: string; label: string }): JSX.Element {
  return (
    <div>
      <dt>{props.label}</dt>
      <dd>{props.value}</dd>
    </div>
  );
}

/** All packages that are not there yet as they will be. */
function coming(plan: IPlan): IPlanned[] {
  return [...plan.install, ...plan.change.map(each => each.new)];
}

function counted(plan: IPlan, trans: TranslationBundle): string {
  const packages = coming(plan).length;
  return trans._n('%1 package', '%1 packages', packages);
}

/** True where a channel does not say how large something is that has to be fetched. */
function vague(plan: IPlan): boolean {
  return coming(plan).some(each => !each.cached && each.bytes <= 0);
}

function figure(plan: IPlan, trans: TranslationBundle): string {
  if (!plan.download_bytes) {
    return trans.__('nothing');
  }
  const size = bytes(plan.download_bytes);
  return vague(plan) ? trans.__('over %1', size) : size;
}

/** How much there is to download, for a sentence; empty while that is not known at all. */
function fetched(plan: IPlan, trans: TranslationBundle): string {
  return plan.download_bytes === null || (plan.download_bytes <= 0 && vague(plan)) ? '' : trans.__('%1 to download', figure(plan, trans));
}

interface ILine {
  name: string;
  version: string;
  build: string;
  size: string;
  asked: boolean;
}

/** The packages in groups, each with its word; what was asked for comes first. */
function groups(plan: IPlan, trans: TranslationBundle): { id: string; title: string; lines: ILine[] }[] {
  const asked = new Set(plan.requested.map(spec => nameAndRest(spec)[0].replace(/^.*::/, '').toLowerCase()));
  const several = new Set(coming(plan).map(each => each.channel)).size > 1;
  const line = (each: IPlanned, old?: IPlanned): ILine => ({
    name: each.name,
    version: old && old.version !== each.version ? trans.__('%1 → %2', old.version, each.version) : each.version,
    build: [each.build, several ? channelName(each.channel) : ''].filter(Boolean).join(' · '),
    size: each.cached ? trans.__('in the cache') : each.bytes > 0 ? bytes(each.bytes) : '',
    asked: asked.has(each.name.toLowerCase())
  });
  const sorted = (lines: ILine[]): ILine[] =>
    lines.sort((a, b) => Number(b.asked) - Number(a.asked) || a.name.localeCompare(b.name, undefined, { sensitivity: 'base' }));
  return [
    { id: 'new', title: trans.__('New'), lines: sorted(plan.install.map(each => line(each))) },
    { id: 'changes', title: trans.__('Changes'), lines: sorted(plan.change.map(each => line(each.new, each.old))) },
    { id: 'goes', title: trans.__('Goes'), lines: sorted(plan.remove.map(each => ({ ...line(each), size: '' }))) }
  ].filter(group => group.lines.length > 0);
}

function Packages(props: { plan: IPlan; label: string; none: string }): JSX.Element {
  const { trans } = useHpcEnv();
  const shown = groups(props.plan, trans);
  if (shown.length === 0) {
    return <p className="jp-HpcEnv-muted">{props.none}</p>;
  }
  const lines = shown.flatMap(group => group.lines);
  const sized = lines.some(each => each.size);
  return (
    <div className="jp-HpcEnv-planTable" role="group" tabIndex={0} aria-label={props.label}>
      <table className="jp-HpcEnv-table jp-mod-plain">
        <thead>
          <tr>
            <th scope="col">{lines.some(each => each.build) ? trans.__('Package, build') : trans.__('Package')}</th>
            <th scope="col">{trans.__('Version')}</th>
            {sized && (
              <th scope="col" className="jp-HpcEnv-num">
                {trans.__('Size')}
              </th>
            )}
          </tr>
        </thead>
        {shown.map(group => (
          <tbody key={group.id}>
            <tr className="jp-mod-group">
              <th scope="rowgroup" colSpan={sized ? 3 : 2}>
                {trans.__('%1, %2', group.title, count(group.lines.length))}
              </th>
            </tr>
            {group.lines.map((each, at) => (
              <tr key={at}>
                <td>
                  {each.asked ? <b>{plain(each.name)}</b> : plain(each.name)}
                  {each.asked && <Hidden>, {trans.__('asked for')}</Hidden>}
                  {each.build && <small>{plain(each.build)}</small>}
                </td>
                <td>{plain(each.version)}</td>
                {sized && <td className="jp-HpcEnv-num jp-HpcEnv-muted">{each.size}</td>}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}
