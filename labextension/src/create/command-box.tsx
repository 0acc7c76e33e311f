/** The form as a command, to copy into a script. */
import React from 'react';
import type { ICreateRequest } from '../tokens';
import { Code } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Toggles } from '../ui/controls';
import { restRequest, shellCommand } from './command';

export function CommandBox(props: { request: ICreateRequest }): JSX.Element {
  const { trans } = useHpcEnv();
  const [form, setForm] = React.useState<'shell' | 'rest'>('shell');
  return (
    <section className="jp-HpcEnv-command" aria-label={trans.__('The same as a command')}>
      <header className="jp-HpcEnv-planHead">
        <h2>{trans.__('The same as a command')}</h2>
        <Toggles
          label={trans.__('Form of the command')}
          choices={[
            { value: 'shell', label: trans.__('Shell') },
            { value: 'rest', label: trans.__('REST') }
          ]}
          value={form}
          onChange={setForm}
        />
      </header>
      <Code
        label={form === 'shell' ? trans.__('Copy the shell command') : trans.__('Copy the REST request')}
        text={form === 'shell' ? shellCommand(props.request) : restRequest(props.request)}
      />
    </section>
  );
}
