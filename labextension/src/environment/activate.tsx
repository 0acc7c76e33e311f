/** The lines that make the environment the current one in a shell. */
import React from 'react';
import type { IEnvironmentDetail } from '../tokens';
import { Code, Trouble } from '../ui/blocks';
import { useHpcEnv, useLoaded } from '../ui/context';
import { Segments } from '../ui/controls';

type Dialect = 'sh' | 'csh' | 'fish';

export function Activate(props: { environment: IEnvironmentDetail }): JSX.Element {
  const { trans, model } = useHpcEnv();
  const { environment } = props;
  const [dialect, setDialect] = React.useState<Dialect>('sh');
  const activation = useLoaded(() => model.api.activation(environment.id, dialect), `${environment.id} ${dialect}`);
  return (
    <div className="jp-HpcEnv-activation">
      <Segments<Dialect>
        label={trans.__('Shell')}
        name={`hpcenv-${environment.id}-dialect`}
        choices={[
          { value: 'sh', label: 'bash, zsh, sh' },
          { value: 'csh', label: 'tcsh, csh' },
          { value: 'fish', label: 'fish' }
        ]}
        value={dialect}
        onChange={setDialect}
      />
      {activation.error ? (
        <Trouble title={trans.__('The activation could not be read')} error={activation.error} onRetry={activation.reload} />
      ) : (
        activation.value && (
          <>
            <p>{trans.__('Type this in a terminal, or put it into a batch script before the first command that needs the environment:')}</p>
            <Code text={activation.value.command} label={trans.__('Copy activation')} />
            <p className="jp-HpcEnv-muted">{trans.__('“deactivate” undoes it.')}</p>
          </>
        )
      )}
    </div>
  );
}
