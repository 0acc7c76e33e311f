/** Requests that staff prepared: one is chosen, its parameters are given, and the form is filled with what it says. */
import { checkIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import { asError } from '../request';
import type { IParameter, IPreset } from '../preset';
import type { ICreateRequest } from '../tokens';
import { Wrong } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';

export type Parameters = Record<string, unknown>;

/** What a preset's parameters are before anybody gives one. */
export function defaults(preset: IPreset): Parameters {
  const properties = Object.entries(preset.parameters.properties ?? {});
  return Object.fromEntries(properties.map(([name, each]) => [name, each.default ?? first(each)]));
}

function first(parameter: IParameter): unknown {
  if (parameter.enum) {
    return parameter.enum[0];
  }
  return parameter.type === 'boolean' ? false : parameter.type === 'string' || !parameter.type ? '' : (parameter.minimum ?? 0);
}

export function Presets(props: {
  id: string;
  presets: IPreset[];
  /** The name of the chosen one; empty while none is. */
  value: string;
  parameters: Parameters;
  onChosen: (preset: IPreset, parameters: Parameters, request: ICreateRequest) => void;
}): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const [refused, setRefused] = React.useState('');
  // what is shown while the server works it out; the last choice counts, whichever answer comes last
  const [chosen, setChosen] = React.useState({ name: props.value, parameters: props.parameters });
  const turn = React.useRef(0);
  const fill = async (preset: IPreset, parameters: Parameters): Promise<void> => {
    const mine = ++turn.current;
    setChosen({ name: preset.name, parameters });
    try {
      const request = await model.api.fillPreset(preset.name, parameters);
      if (mine === turn.current) {
        setRefused('');
        props.onChosen(preset, parameters, request);
        actions.announcer.say(trans.__('The form says now what %1 asks for.', plain(preset.title)));
      }
    } catch (reason) {
      if (mine === turn.current) {
        const error = asError(reason);
        setRefused([error.message, ...error.hints].map(plain).join(' '));
        actions.announcer.alert(error.message);
      }
    }
  };
  const current = props.presets.find(each => each.name === chosen.name);
  return (
    <>
      <div className="jp-HpcEnv-cards" role="radiogroup" aria-label={trans.__('Preset')}>
        {props.presets.map(each => (
          <label key={each.name} className="jp-HpcEnv-card">
            <input
              type="radio"
              name={`${props.id}-preset`}
              checked={each.name === chosen.name}
              disabled={each.message !== ''}
              onChange={() => void fill(each, defaults(each))}
            />
            <checkIcon.react tag="span" className="jp-HpcEnv-cardMark" aria-hidden="true" />
            <b>{plain(each.title)}</b>
            <span>{plain(each.message || each.description)}</span>
          </label>
        ))}
      </div>
      {current &&
        Object.entries(current.parameters.properties ?? {}).map(([name, parameter]) => (
          <ParameterField
            key={`${current.name} ${name}`}
            id={`${props.id}-parameter-${name}`}
            name={name}
            parameter={parameter}
            value={chosen.parameters[name]}
            onChange={value => void fill(current, { ...chosen.parameters, [name]: value })}
          />
        ))}
      <Wrong id={`${props.id}-preset-wrong`} text={refused} />
    </>
  );
}

function ParameterField(props: {
  id: string;
  name: string;
  parameter: IParameter;
  value: unknown;
  onChange: (value: unknown) => void;
}): JSX.Element {
  const { id, parameter, value } = props;
  const label = plain(parameter.title || props.name);
  const hint = parameter.description && (
    <span className="jp-HpcEnv-hint" id={`${id}-hint`}>
      {plain(parameter.description)}
    </span>
  );
  const described = parameter.description ? `${id}-hint` : undefined;
  if (parameter.type === 'boolean' && !parameter.enum) {
    return (
      <div className="jp-HpcEnv-parameter">
        <label>
          <input
            type="checkbox"
            aria-describedby={described}
            checked={value === true}
            onChange={event => props.onChange(event.target.checked)}
          />{' '}
          {label}
        </label>
        {hint}
      </div>
    );
  }
  return (
    <div className="jp-HpcEnv-parameter">
      <label htmlFor={id}>{label}</label>
      {parameter.enum ? (
        <select
          className="jp-HpcEnv-input"
          id={id}
          aria-describedby={described}
          value={parameter.enum.indexOf(value)}
          onChange={event => props.onChange(parameter.enum?.[Number(event.target.value)])}
        >
          {parameter.enum.map((each, at) => (
            <option key={at} value={at}>
              {plain(String(each))}
            </option>
          ))}
        </select>
      ) : (
        <Typed {...props} described={described} />
      )}
      {hint}
    </div>
  );
}

/** A text or a number; it counts when the field is left, or with Enter. */
function Typed(props: {
  id: string;
  parameter: IParameter;
  value: unknown;
  described?: string;
  onChange: (value: unknown) => void;
}): JSX.Element {
  const { parameter } = props;
  const number = parameter.type === 'integer' || parameter.type === 'number';
  const [text, setText] = React.useState(typeof props.value === 'number' || typeof props.value === 'string' ? `${props.value}` : '');
  const done = (): void => {
    const value = number && text.trim() !== '' && !Number.isNaN(Number(text)) ? Number(text) : text;
    if (value !== props.value) {
      props.onChange(value);
    }
  };
  return (
    <input
      className="jp-HpcEnv-input"
      id={props.id}
      inputMode={number ? 'decimal' : undefined}
      aria-describedby={props.described}
      spellCheck={false}
      value={text}
      onChange={event => setText(event.target.value)}
      onBlur={done}
      onKeyDown={event => {
        if (event.key === 'Enter') {
          event.preventDefault();
          done();
        }
      }}
    />
  );
}
