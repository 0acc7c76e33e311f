/** The questions of the form that are one control each. */
import { addIcon, caretDownEmptyIcon, checkIcon, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import { failIcon, warnIcon } from '../icons';
import { facts, Filled } from '../room/filled';
import type { ILocation, IPythonFact } from '../tokens';
import { Wrong } from '../ui/blocks';
import { useHpcEnv, useRested } from '../ui/context';
import { Button, Icon, IconButton } from '../ui/controls';
import { checkVariable, INameCheck, IVariable } from './draft';

/** One line of the form: what is asked, and the control beside it. */
export function Question(props: { id: string; label: string; htmlFor?: string; children: React.ReactNode }): JSX.Element {
  return (
    <div className="jp-HpcEnv-question" role="group" aria-labelledby={props.id}>
      {props.htmlFor ? (
        <label id={props.id} htmlFor={props.htmlFor}>
          {props.label}
        </label>
      ) : (
        <div id={props.id}>{props.label}</div>
      )}
      <div>{props.children}</div>
    </div>
  );
}

export function NameField(props: {
  id: string;
  value: string;
  check: INameCheck;
  /** Said by the server, or found at submission: shown at once. */
  wrong?: string;
  onChange: (value: string) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const rested = useRested(props.value, 300);
  const show = props.wrong ?? (rested === props.value && props.value ? props.check.text : '');
  const ok = !props.wrong && props.check.ok;
  return (
    <>
      <input
        className="jp-HpcEnv-input jp-HpcEnv-nameInput"
        id={props.id}
        data-first=""
        data-field="name"
        value={props.value}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        required
        aria-invalid={!!show && !ok}
        aria-describedby={`${props.id}-hint`}
        onChange={event => props.onChange(event.target.value)}
      />
      <div className={`jp-HpcEnv-hint${show && !ok ? ' jp-mod-error' : ''}`} id={`${props.id}-hint`} role="status">
        {show && <Icon icon={ok ? checkIcon : failIcon} kind={ok ? 'ok' : 'error'} />}
        {show || trans.__('For example climate-2025. It names the folder and the kernel.')}
      </div>
    </>
  );
}

const ANOTHER = '\u0000another';

export function PythonField(props: {
  id: string;
  value: string;
  pythons: IPythonFact[];
  wrong?: string;
  /** Stands in front, in the same line. */
  before?: React.ReactNode;
  onChange: (value: string) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { pythons, value } = props;
  const known = value === '' || pythons.some(python => python.path === value);
  const [another, setAnother] = React.useState(!known);
  const first = pythons.find(python => python.default) ?? pythons[0];
  const chosen = another || !known ? ANOTHER : value || first?.path || '';
  return (
    <>
      <div className="jp-HpcEnv-pair">
        {props.before}
        <span className="jp-HpcEnv-select">
          <select
            className="jp-HpcEnv-input"
            id={props.id}
            data-field="python"
            value={chosen}
            aria-describedby={props.wrong ? `${props.id}-wrong` : undefined}
            onChange={event => {
              const wanted = event.target.value;
              setAnother(wanted === ANOTHER);
              props.onChange(wanted === ANOTHER || wanted === first?.path ? '' : wanted);
            }}
          >
            {pythons.map(python => (
              <option key={python.path} value={python.path} title={python.path}>
                {python.label}
              </option>
            ))}
            <option value={ANOTHER}>{trans.__('Another…')}</option>
          </select>
          <Icon icon={caretDownEmptyIcon} />
        </span>
        {chosen === ANOTHER && (
          <input
            className="jp-HpcEnv-input jp-HpcEnv-mono jp-HpcEnv-pythonInput"
            aria-label={trans.__('Version or path of the interpreter')}
            placeholder={trans.__('3.12, or the path of an interpreter')}
            spellCheck={false}
            value={value}
            onChange={event => props.onChange(event.target.value)}
          />
        )}
      </div>
      <Wrong id={`${props.id}-wrong`} text={props.wrong} />
      {!props.wrong && pythons.length === 0 && (
        <div className="jp-HpcEnv-hint">{trans.__('No Python was found. Give the path of one.')}</div>
      )}
    </>
  );
}

export function LocationField(props: {
  name: string;
  locations: ILocation[];
  value: string;
  wrong?: string;
  onChange: (value: string) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  return (
    <>
      <div role="radiogroup" aria-label={trans.__('Location')}>
        {props.locations.map(location => (
          <label className="jp-HpcEnv-place" key={location.name}>
            <input
              type="radio"
              className="jp-HpcEnv-radio"
              name={props.name}
              data-field={location.name === props.value ? 'location' : undefined}
              checked={location.name === props.value}
              onChange={() => props.onChange(location.name)}
            />
            <span>
              <b>{plain(location.name)}</b>
              {location.state === 'ready' ? (
                <span className="jp-HpcEnv-muted" title={plain(location.root)}>
                  {plain(location.description || location.root)}
                </span>
              ) : (
                <span className="jp-HpcEnv-muted">
                  <Icon icon={warnIcon} kind="warn" />
                  {plain(location.message) || trans.__('not available now')}
                </span>
              )}
              {facts(location, trans).map(fact => (
                <span className="jp-HpcEnv-muted" key={fact}>
                  {fact}
                </span>
              ))}
            </span>
            <Filled location={location} what="bytes" />
            <Filled location={location} what="files" />
          </label>
        ))}
      </div>
      <Wrong id={`${props.name}-wrong`} text={props.wrong} />
    </>
  );
}

export function VariableRows(props: {
  id: string;
  rows: IVariable[];
  /** Where an error of the server leads to. */
  field: 'variables' | 'build';
  wrong?: string;
  onChange: (rows: IVariable[]) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { rows } = props;
  const put = (at: number, change: Partial<IVariable>): void =>
    props.onChange(rows.map((row, index) => (index === at ? { ...row, ...change } : row)));
  const list = React.useRef<HTMLDivElement>(null);
  const added = React.useRef(false);
  React.useLayoutEffect(() => {
    if (added.current) {
      added.current = false;
      list.current?.querySelector<HTMLElement>('.jp-HpcEnv-vars > input:nth-last-of-type(2)')?.focus();
    }
  }, [rows.length]);
  const add = (): void => {
    added.current = true;
    props.onChange([...rows, { name: '', value: '' }]);
  };
  return (
    <div ref={list}>
      {rows.length > 0 && (
        <div className="jp-HpcEnv-vars">
          {rows.map((row, at) => {
            const bad = checkVariable(row, rows, trans) !== '';
            return (
              <React.Fragment key={at}>
                <input
                  className="jp-HpcEnv-input jp-HpcEnv-mono"
                  aria-label={trans.__('Name of variable %1', at + 1)}
                  aria-invalid={bad}
                  data-field={bad || props.wrong ? props.field : undefined}
                  spellCheck={false}
                  value={row.name}
                  onChange={event => put(at, { name: event.target.value })}
                />
                <input
                  className="jp-HpcEnv-input jp-HpcEnv-mono"
                  aria-label={row.name ? trans.__('Value of %1', plain(row.name)) : trans.__('Value of variable %1', at + 1)}
                  spellCheck={false}
                  value={row.value}
                  onChange={event => put(at, { value: event.target.value })}
                />
                <IconButton
                  icon={closeIcon}
                  label={row.name ? trans.__('Remove %1', plain(row.name)) : trans.__('Remove variable %1', at + 1)}
                  onClick={() => props.onChange(rows.filter((_, index) => index !== at))}
                />
              </React.Fragment>
            );
          })}
        </div>
      )}
      <Wrong id={`${props.id}-wrong`} text={props.wrong} />
      <Button kind="minimal" size="small" icon={addIcon} onClick={add}>
        {trans.__('Add a variable')}
      </Button>
    </div>
  );
}
