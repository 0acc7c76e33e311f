/** What the check of a choice says: why it can not be loaded, or what it brings. */
import React from 'react';
import { plain } from '../format';
import { useDelay, useHpcEnv } from '../ui/context';
import { Wrong } from '../ui/blocks';
import type { IChecked } from './check';

export function Said(props: { id: string; checked: IChecked; wrong?: string }): JSX.Element {
  const { trans } = useHpcEnv();
  const { error, value, checking } = props.checked;
  const found = error && !error.offline ? [error.message, ...error.hints].map(plain).join(' ') : '';
  const also = (value?.loaded ?? []).filter(name => !value?.load.includes(name));
  return (
    <div className="jp-HpcEnv-said">
      <Wrong id={`${props.id}-wrong`} text={props.wrong || found} />
      <div className="jp-HpcEnv-hint" role="status">
        {checking ? (
          <Checking />
        ) : error?.offline ? (
          trans.__('The server does not answer; it looks at the modules again when you press the button.')
        ) : also.length > 0 ? (
          trans.__('Loads also %1.', also.map(plain).join(', '))
        ) : (
          value && trans.__('These modules load together.')
        )}
      </div>
      {value?.python && !checking && (
        <div className="jp-HpcEnv-hint">{trans.__('Python comes from them: %1', plain(value.python))}</div>
      )}
      {value && !checking && value.messages.length > 0 && <Messages messages={value.messages} />}
    </div>
  );
}

function Checking(): JSX.Element | null {
  const { trans } = useHpcEnv();
  // most choices are looked at in less: no words that come and go
  return useDelay(700) ? <>{trans.__('Loading them in a shell of their own…')}</> : null;
}

/** The modules' own words. */
export function Messages(props: { messages: string[] }): JSX.Element {
  const { trans } = useHpcEnv();
  return (
    <div className="jp-HpcEnv-words">
      <h3>{trans.__('What the modules said')}</h3>
      <pre className="jp-HpcEnv-reason" tabIndex={0} aria-label={trans.__('What the modules said')}>
        {plain(props.messages.join('\n'))}
      </pre>
    </div>
  );
}
