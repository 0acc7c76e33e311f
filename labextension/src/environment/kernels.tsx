/** Kernels of an environment: which of them the launcher shows. */
import { checkIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import type { IEnvironmentDetail } from '../tokens';
import { Blank } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Button, Icon } from '../ui/controls';
import { RunsIn, useProfiles } from '../ui/runs-in';

export function Kernels(props: { environment: IEnvironmentDetail }): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const { environment } = props;
  const own = environment.origin === 'own';
  const profiles = useProfiles();
  const runIn = async (profile: string): Promise<void> => {
    await actions.attempt(
      () => model.api.change(environment.id, { profile }),
      trans.__('Where the kernel of %1 runs could not be changed.', environment.name)
    );
    await Promise.all([model.refresh(), model.refreshKernels()]);
  };
  if (environment.kernels.length === 0) {
    return (
      <Blank
        text={[
          own
            ? trans.__('It was made without a kernel: for terminals and scripts.')
            : trans.__('No kernel of ours belongs to it.')
        ]}
      />
    );
  }
  return (
    <div className="jp-HpcEnv-packages">
      <ul className="jp-HpcEnv-uses jp-mod-kernels">
        {environment.kernels.map(kernel => (
          <li key={kernel.name}>
            <div>
              <b>{plain(kernel.display_name)}</b>
              <code className="jp-HpcEnv-muted">{kernel.name}</code>
            </div>
            <span className="jp-HpcEnv-tag">
              {kernel.path ? (
                <>
                  <Icon icon={checkIcon} kind="ok" />
                  {trans.__('On the launcher')}
                </>
              ) : (
                trans.__('Not on the launcher')
              )}
            </span>
            {own ? (
              <Button
                size="small"
                onClick={() => void (kernel.path ? actions.unpublish(environment, kernel) : actions.publish(environment, kernel))}
              >
                {kernel.path ? trans.__('Take off') : trans.__('Put on')}
              </Button>
            ) : (
              <span />
            )}
          </li>
        ))}
      </ul>
      {own && (
        <RunsIn
          id={`hpcenv-${environment.id}`}
          value={environment.profile ?? ''}
          profiles={profiles}
          onChange={profile => void runIn(profile)}
        />
      )}
      <p className="jp-HpcEnv-hint">
        {trans.__('Taking a kernel off the launcher leaves the environment as it is; notebooks that run on it go on.')}
      </p>
    </div>
  );
}
