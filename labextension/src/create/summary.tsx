/** Beside the form: what will be made, what to know about it, and the button. */
import React from 'react';
import { plain } from '../format';
import { noteIcon, warnIcon } from '../icons';
import type { IChecked } from '../modules/check';
import type { HpcEnvError } from '../request';
import type { ISite } from '../tokens';
import { Callout } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Icon } from '../ui/controls';
import { chosenLocation, chosenPython, Draft } from './draft';

export function Summary(props: {
  draft: Draft;
  site: ISite;
  checked: IChecked;
  /** What the server refused that belongs to no field. */
  refusal: HpcEnvError | null;
  children: React.ReactNode;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { draft, site, checked } = props;
  const modules = draft.collection ? trans.__('collection %1', draft.collection) : draft.modules.join(', ');
  const python = !draft.python && checked.value?.python;
  return (
    <section className="jp-HpcEnv-plan">
      <h2>{trans.__('What you get')}</h2>
      <dl className="jp-HpcEnv-facts">
        <dt>{trans.__('Name')}</dt>
        <dd>{plain(draft.name) || '–'}</dd>
        <dt>{trans.__('Python')}</dt>
        <dd>{python ? trans.__('%1, of the modules', plain(python)) : (chosenPython(draft, site)?.version ?? (plain(draft.python) || '–'))}</dd>
        <dt>{trans.__('Packages')}</dt>
        <dd>{packagesAsked(draft, trans.__('none besides ipykernel'), trans.__('a file'))}</dd>
        {modules && (
          <>
            <dt>{trans.__('Modules')}</dt>
            <dd>{plain(modules)}</dd>
          </>
        )}
        <dt>{trans.__('Location')}</dt>
        <dd>{chosenLocation(draft, site)?.name ?? '–'}</dd>
      </dl>
      <ul className="jp-HpcEnv-notes">
        {checked.value?.brings_packages &&
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
      {props.refusal && <Refusal error={props.refusal} />}
      {props.children}
    </section>
  );
}

function packagesAsked(draft: Draft, none: string, file: string): string {
  const parts = draft.packages.map(plain);
  if (draft.start === 'file' && draft.requirements.trim()) {
    parts.push(file);
  }
  return parts.length > 0 ? parts.join(', ') : none;
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
        </>
      )}
    </Callout>
  );
}
