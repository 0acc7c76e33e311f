/** The questions that depend on the manager: which one, which Python it brings, and for which computer it builds. */
import React from 'react';
import { plain } from '../format';
import type { IManagerFacts } from '../tokens';
import { Wrong } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Segments } from '../ui/controls';

/** The managers side by side; nothing where there is only one. */
export function ManagerChoice(props: {
  id: string;
  managers: IManagerFacts[];
  value: IManagerFacts | undefined;
  onChange: (manager: IManagerFacts) => void;
}): JSX.Element | null {
  const { trans } = useHpcEnv();
  const { managers } = props;
  if (managers.length < 2 && props.value) {
    return null;
  }
  return (
    <Segments
      label={trans.__('Manager')}
      name={props.id}
      field="manager"
      choices={managers.map(each => ({
        value: each.name,
        label: plain(each.name),
        describedBy: each.description ? `${props.id}-${each.name}` : undefined
      }))}
      value={props.value?.name ?? ''}
      onChange={name => {
        const manager = managers.find(each => each.name === name);
        if (manager) {
          props.onChange(manager);
        }
      }}
    />
  );
}

/** What the site says of each manager. */
export function ManagerNotes(props: { id: string; managers: IManagerFacts[]; wrong?: string }): JSX.Element {
  const told = props.managers.filter(each => each.description);
  return (
    <>
      <Wrong id={`${props.id}-wrong`} text={props.wrong} />
      {props.managers.length > 1 && told.length > 0 && (
        <dl className="jp-HpcEnv-managers">
          {told.map(each => (
            <div key={each.name}>
              <dt>{plain(each.name)}</dt>
              <dd id={`${props.id}-${each.name}`}>{plain(each.description)}</dd>
            </div>
          ))}
        </dl>
      )}
    </>
  );
}

/** The version of a Python that is a package like others. */
export function VersionField(props: {
  id: string;
  value: string;
  wrong?: string;
  before: React.ReactNode;
  onChange: (value: string) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  return (
    <>
      <div className="jp-HpcEnv-pair">
        {props.before}
        <input
          className="jp-HpcEnv-input jp-HpcEnv-versionInput"
          id={props.id}
          data-field="python"
          value={props.value}
          placeholder={trans.__('3.12; empty: the newest that fits')}
          autoComplete="off"
          spellCheck={false}
          aria-invalid={!!props.wrong}
          aria-describedby={props.wrong ? `${props.id}-wrong` : undefined}
          onChange={event => props.onChange(event.target.value)}
        />
      </div>
      <Wrong id={`${props.id}-wrong`} text={props.wrong} />
    </>
  );
}

/** Whether it is for a computer with a GPU, which this one need not have. */
export function GpuField(props: {
  id: string;
  /** The CUDA version; null: as this computer has it. */
  value: string | null;
  wrong?: string;
  onChange: (value: string | null) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { value } = props;
  const input = React.useRef<HTMLInputElement>(null);
  const turned = React.useRef(false);
  React.useLayoutEffect(() => {
    if (turned.current) {
      turned.current = false;
      input.current?.focus();
    }
  }, [value]);
  return (
    <>
      <label className="jp-HpcEnv-check">
        <input
          type="checkbox"
          checked={value !== null}
          onChange={event => {
            turned.current = event.target.checked;
            props.onChange(event.target.checked ? '' : null);
          }}
        />
        <span>
          {trans.__('Build it for a computer with a GPU')}
          <span className="jp-HpcEnv-hint">
            {trans.__('For when this one has none, such as a login node. Otherwise variants without GPU are taken.')}
          </span>
        </span>
      </label>
      {value !== null && (
        <div className="jp-HpcEnv-optionRow jp-HpcEnv-gpu">
          <label htmlFor={props.id}>{trans.__('CUDA version that its driver supports')}</label>
          <input
            className="jp-HpcEnv-input jp-HpcEnv-versionInput"
            id={props.id}
            ref={input}
            data-field="cuda"
            value={value}
            placeholder="12.4"
            autoComplete="off"
            spellCheck={false}
            aria-invalid={!!props.wrong}
            aria-describedby={`${props.id}-hint`}
            onChange={event => props.onChange(event.target.value)}
          />
          <Wrong id={`${props.id}-wrong`} text={props.wrong} />
          <div className="jp-HpcEnv-hint" id={`${props.id}-hint`}>
            {trans.__('“nvidia-smi” on that computer shows it.')}
          </div>
        </div>
      )}
    </>
  );
}
