/** Beside the form: what will be made, what to know about it, and the button. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { plain } from '../format';
import { noteIcon, warnIcon } from '../icons';
import type { IChecked } from '../modules/check';
import type { HpcEnvError } from '../request';
import type { ISite } from '../tokens';
import { Callout, Reason } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Icon } from '../ui/controls';
import { chosenLocation, chosenPython, Draft, fileText } from './draft';
import { fileKind } from './described';
import { chosenManager } from './managers';
import { useCopied } from './copied';
import { PlanBox } from './preview';
import type { Preview } from './plan';
import { channelName } from './specs';

export function Summary(props: {
  draft: Draft;
  site: ISite;
  checked: IChecked;
  /** What the server refused that belongs to no field. */
  refusal: HpcEnvError | null;
  preview: Preview;
  children: React.ReactNode;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { draft, site, checked } = props;
  const modules = draft.collection ? trans.__('collection %1', draft.collection) : draft.modules.join(', ');
  const conda = draft.language === 'conda';
  const copied = useCopied(draft);
  const ofModules = !conda && !draft.python && checked.value?.python;
  const python = conda ? condaPython(draft, trans) : (chosenPython(draft, site)?.version ?? plain(draft.python));
  const channels = conda ? condaChannels(draft, site, trans) : '';
  return (
    <section className="jp-HpcEnv-plan">
      <h2>{trans.__('What you get')}</h2>
      <dl className="jp-HpcEnv-facts">
        <dt>{trans.__('Name')}</dt>
        <dd>{plain(draft.name) || '–'}</dd>
        {!draft.cloneOf && (
          <>
            <dt>{trans.__('Python')}</dt>
            <dd>{ofModules ? trans.__('%1, of the modules', plain(ofModules)) : python || '–'}</dd>
          </>
        )}
        <dt>{trans.__('Packages')}</dt>
        <dd>{draft.cloneOf ? trans.__('exactly those of %1', copied) : packagesAsked(draft, trans.__('none besides ipykernel'), plain(draft.fileName) || trans.__('a file'))}</dd>
        {channels && (
          <>
            <dt>{trans.__('Channels')}</dt>
            <dd>{channels}</dd>
          </>
        )}
        {conda && (draft.cuda !== null || Object.keys(draft.virtual).length > 0) && (
          <>
            <dt>{trans.__('Built for')}</dt>
            <dd>{builtFor(draft)}</dd>
          </>
        )}
        {modules && (
          <>
            <dt>{trans.__('Modules')}</dt>
            <dd>{plain(modules)}</dd>
          </>
        )}
        <dt>{trans.__('Location')}</dt>
        <dd>{chosenLocation(draft, site)?.name ?? '–'}</dd>
        {draft.on && !draft.cloneOf && (
          <>
            <dt>{trans.__('Built')}</dt>
            <dd>{draft.on.partition ? trans.__('in a job on %1', plain(draft.on.partition)) : trans.__('in a job')}</dd>
          </>
        )}
      </dl>
      <ul className="jp-HpcEnv-notes">
        {!conda &&
          checked.value?.brings_packages &&
          (draft.installer === 'uv' ? (
            <li>
              <Icon icon={warnIcon} kind="warn" />
              {trans.__('uv does not see packages that come from modules: it may install them a second time.')}
            </li>
          ) : (
            <li>
              <Icon icon={noteIcon} />
              {trans.__('Installed with pip: uv does not see packages that come from modules.')}
            </li>
          ))}
        <li>
          <Icon icon={noteIcon} />
          {draft.kernel
            ? trans.__('The kernel is started once before it appears on the launcher.')
            : trans.__('Without a kernel: for terminals and scripts.')}
        </li>
      </ul>
      <PlanBox preview={props.preview} />
      {props.refusal && <Refusal error={props.refusal} />}
      {props.children}
    </section>
  );
}

function packagesAsked(draft: Draft, none: string, file: string): string {
  const parts = draft.packages.map(plain);
  if (draft.start !== 'scratch' && fileText(draft).trim()) {
    parts.push(file);
  }
  return parts.length > 0 ? parts.join(', ') : none;
}

function condaPython(draft: Draft, trans: TranslationBundle): string {
  const asked = draft.python.trim();
  const ofFile = draft.start !== 'scratch' && fileKind(draft.file) !== undefined;
  return asked ? trans.__('%1, of the channels', plain(asked)) : ofFile ? trans.__('as the file has it') : trans.__('the newest that fits');
}

function condaChannels(draft: Draft, site: ISite, trans: TranslationBundle): string {
  const named = draft.channels.map(each => plain(channelName(each))).join(', ');
  const ofFile = draft.start !== 'scratch' && fileKind(draft.file) !== undefined ? trans.__('those of the file') : '';
  const configured = (chosenManager(draft, site)?.channels ?? []).map(each => plain(channelName(each))).join(', ');
  return [named, ofFile].filter(Boolean).join(', ') || configured;
}

function builtFor(draft: Draft): string {
  const all = { ...(draft.cuda === null ? {} : { cuda: draft.cuda }), ...draft.virtual };
  return Object.entries(all)
    .map(([name, version]) => plain(`${name} ${version}`.trim()))
    .join(', ');
}

function Refusal(props: { error: HpcEnvError }): JSX.Element {
  const { trans } = useHpcEnv();
  const { error } = props;
  return (
    <Callout kind="error" role="alert">
      {error.offline ? (
        trans.__('The server does not answer. Nothing was lost; try again.')
      ) : (
        <>
          <b>{error.message}</b>
          {error.hints.map(hint => (
            <p key={hint}>{hint}</p>
          ))}
          {error.reason && <Reason text={error.reason} />}
        </>
      )}
    </Callout>
  );
}
