/** What a form means as a command, to copy into a script. */
import React from 'react';
import { Code } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Toggles } from '../ui/controls';

export function CommandBox(props: { shell: string; rest: string }): JSX.Element {
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
        text={form === 'shell' ? props.shell : props.rest}
      />
    </section>
  );
}
