/** The smallest pieces: icons, buttons, segments, chips, bars. */
import { LabIcon } from '@jupyterlab/ui-components';
import React from 'react';

export function Icon(props: { icon: LabIcon; kind?: 'ok' | 'warn' | 'error' }): JSX.Element {
  const kind = props.kind ? ` jp-HpcEnv-${props.kind}` : '';
  return (
    <span className={`icon${kind}`} aria-hidden="true">
      <props.icon.react tag={null} />
    </span>
  );
}

type ButtonProps = React.ButtonHTMLAttributes<HTMLButtonElement> & {
  kind?: 'accept' | 'minimal';
  size?: 'small' | 'wide';
  icon?: LabIcon;
};

export const Button = React.forwardRef<HTMLButtonElement, ButtonProps>(function Button(
  { kind, size, icon, className, children, ...rest },
  ref
): JSX.Element {
  const classes = ['jp-HpcEnv-button', kind && `jp-mod-${kind}`, size && `jp-mod-${size}`, className];
  return (
    <button ref={ref} type="button" className={classes.filter(Boolean).join(' ')} {...rest}>
      {icon && <Icon icon={icon} />}
      {children}
    </button>
  );
});

type IconButtonProps = React.ButtonHTMLAttributes<HTMLButtonElement> & { icon: LabIcon; label: string; on?: boolean };

export const IconButton = React.forwardRef<HTMLButtonElement, IconButtonProps>(function IconButton(
  { icon, label, on, ...rest },
  ref
): JSX.Element {
  return (
    <button
      ref={ref}
      type="button"
      className={`jp-HpcEnv-iconButton${on ? ' jp-mod-on' : ''}`}
      aria-label={label}
      title={label}
      aria-pressed={on}
      {...rest}
    >
      <Icon icon={icon} />
    </button>
  );
});

export interface IChoice<T extends string> {
  value: T;
  label: string;
  /** Id of a text that says more. */
  describedBy?: string;
}

/** One of a few, all in sight: native radio buttons in a row. */
export function Segments<T extends string>(props: {
  label: string;
  name: string;
  /** Where an error of the server leads to. */
  field?: string;
  choices: IChoice<T>[];
  value: T;
  onChange: (value: T) => void;
}): JSX.Element {
  const stop = props.choices.find(choice => choice.value === props.value) ?? props.choices[0];
  return (
    <div className="jp-HpcEnv-segments" role="radiogroup" aria-label={props.label}>
      {props.choices.map(choice => (
        <label key={choice.value}>
          <input
            type="radio"
            name={props.name}
            data-field={choice === stop ? props.field : undefined}
            aria-describedby={choice.describedBy}
            checked={choice.value === props.value}
            onChange={() => props.onChange(choice.value)}
          />
          {choice.label}
        </label>
      ))}
    </div>
  );
}

/** Buttons of which one is pressed: for what is shown, not for what is asked. */
export function Toggles<T extends string>(props: {
  label: string;
  choices: IChoice<T>[];
  value: T;
  onChange: (value: T) => void;
}): JSX.Element {
  return (
    <div className="jp-HpcEnv-segments jp-mod-small" role="group" aria-label={props.label}>
      {props.choices.map(choice => (
        <button
          key={choice.value}
          type="button"
          aria-pressed={choice.value === props.value}
          onClick={() => props.onChange(choice.value)}
        >
          {choice.label}
        </button>
      ))}
    </div>
  );
}

/** How full something is; figures beside it say the same. */
export function Used(props: { part: number }): JSX.Element {
  return (
    <span className={`jp-HpcEnv-bar${props.part >= 0.85 ? ' jp-mod-warn' : ''}`} aria-hidden="true">
      <i className="used" style={{ width: `${Math.round(Math.min(1, Math.max(0, props.part)) * 1000) / 10}%` }} />
    </span>
  );
}

/** Text for ears only. */
export function Hidden(props: { children: React.ReactNode }): JSX.Element {
  return <span className="jp-HpcEnv-hidden">{props.children}</span>;
}
