/** Blocks of a page: callouts, blanks, code to copy, tabs. */
import { Clipboard } from '@jupyterlab/apputils';
import { checkIcon, copyIcon, LabIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { failIcon, noteIcon, warnIcon } from '../icons';
import { asError } from '../request';
import { plain } from '../format';
import { useHpcEnv } from './context';
import { Button, Icon, IconButton } from './controls';

export function Callout(props: {
  kind?: 'warn' | 'error';
  role?: 'status' | 'alert';
  children: React.ReactNode;
  actions?: React.ReactNode;
}): JSX.Element {
  const icon = props.kind === 'error' ? failIcon : props.kind === 'warn' ? warnIcon : noteIcon;
  return (
    <div className={`jp-HpcEnv-callout${props.kind ? ` jp-mod-${props.kind}` : ''}`} role={props.role}>
      <Icon icon={icon} kind={props.kind} />
      <div>
        {props.children}
        {props.actions && <div className="jp-HpcEnv-actions">{props.actions}</div>}
      </div>
    </div>
  );
}

/** What is wrong with a field, under it. */
export function Wrong(props: { id: string; text?: string }): JSX.Element | null {
  return props.text ? (
    <div className="jp-HpcEnv-hint jp-mod-error" id={props.id} role="alert">
      <Icon icon={failIcon} kind="error" />
      {props.text}
    </div>
  ) : null;
}

/** In place of a list or page with nothing in it: what this is, and what to do. */
export function Blank(props: {
  icon?: LabIcon;
  kind?: 'error';
  title?: string;
  text: string[];
  role?: 'alert' | 'status';
  actions?: React.ReactNode;
  level?: 1 | 2;
}): JSX.Element {
  const Heading = props.level === 1 ? 'h1' : 'h2';
  return (
    <div className="jp-HpcEnv-blank" role={props.role}>
      {props.icon && <Icon icon={props.icon} kind={props.kind} />}
      {props.title && <Heading>{props.title}</Heading>}
      {props.text.map(text => (
        <p key={text}>{plain(text)}</p>
      ))}
      {props.actions && <div className="jp-HpcEnv-actions">{props.actions}</div>}
    </div>
  );
}

/** An error of the server where it happened: what, what to do, and the way to try again. */
export function Trouble(props: { error: unknown; title: string; onRetry?: () => void; level?: 1 | 2 }): JSX.Element {
  const { trans } = useHpcEnv();
  const error = asError(props.error);
  const said = error.offline
    ? [trans.__('The server does not answer.'), trans.__('It may be restarting, or your connection is gone.')]
    : [error.message, ...error.hints];
  return (
    <Blank
      icon={failIcon}
      kind="error"
      role="alert"
      level={props.level}
      title={props.title}
      text={said}
      actions={props.onRetry && <Button onClick={props.onRetry}>{trans.__('Try again')}</Button>}
    />
  );
}

/** A button that copies and says so for two seconds. */
export function CopyButton(props: { text: string; label: string; small?: boolean }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const [done, setDone] = React.useState(false);
  React.useEffect(() => {
    if (done) {
      const timer = window.setTimeout(() => setDone(false), 2000);
      return () => window.clearTimeout(timer);
    }
    return undefined;
  }, [done]);
  return (
    <IconButton
      icon={done ? checkIcon : copyIcon}
      label={props.label}
      onClick={() => {
        Clipboard.copyToSystem(props.text);
        setDone(true);
        actions.announcer.say(trans.__('Copied.'));
      }}
    />
  );
}

export function Code(props: { text: string; label: string }): JSX.Element {
  return (
    <div className="jp-HpcEnv-codeBox">
      <pre className="jp-HpcEnv-code" tabIndex={0} aria-label={props.label}>
        {plain(props.text)}
      </pre>
      <CopyButton text={props.text} label={props.label} />
    </div>
  );
}

/** What a program said, to scroll and copy; a tree keeps its lines, other text is wrapped. */
export function Reason(props: { text: string }): JSX.Element {
  const { trans } = useHpcEnv();
  const tree = /[├└│]/.test(props.text);
  return (
    <div className="jp-HpcEnv-codeBox">
      <pre className={`jp-HpcEnv-reason${tree ? ' jp-mod-tree' : ''}`} tabIndex={0} aria-label={trans.__('What the program said')}>
        {plain(props.text)}
      </pre>
      <CopyButton text={props.text} label={trans.__('Copy what the program said')} />
    </div>
  );
}

export interface ITab<T extends string> {
  value: T;
  label: string;
  count?: number;
}

/** Tabs of a page; arrows, Home and End move, and the page follows the focus. */
export function Tabs<T extends string>(props: {
  id: string;
  label: string;
  tabs: ITab<T>[];
  value: T;
  onChange: (value: T) => void;
}): JSX.Element {
  const list = React.useRef<HTMLDivElement>(null);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const at = props.tabs.findIndex(tab => tab.value === props.value);
    const last = props.tabs.length - 1;
    const to = { ArrowLeft: at === 0 ? last : at - 1, ArrowRight: at === last ? 0 : at + 1, Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      props.onChange(props.tabs[to].value);
      list.current?.querySelectorAll<HTMLElement>('[role="tab"]')[to]?.focus();
    }
  };
  return (
    <div className="jp-HpcEnv-tabBar">
      <div className="jp-HpcEnv-tabs" role="tablist" aria-label={props.label} ref={list} onKeyDown={onKeyDown}>
        {props.tabs.map(tab => (
          <button
            key={tab.value}
            type="button"
            role="tab"
            id={`${props.id}-tab-${tab.value}`}
            aria-controls={tab.value === props.value ? `${props.id}-panel` : undefined}
            aria-selected={tab.value === props.value}
            tabIndex={tab.value === props.value ? 0 : -1}
            onClick={() => props.onChange(tab.value)}
          >
            {tab.label}
            {tab.count !== undefined && <span>{tab.count}</span>}
          </button>
        ))}
      </div>
    </div>
  );
}
