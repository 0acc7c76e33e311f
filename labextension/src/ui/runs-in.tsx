/** Where a kernel runs: beside the server, or in a job with resources that the site offers. */
import { caretDownEmptyIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import type { IProfile } from '../job';
import { useHpcEnv, useModel } from './context';
import { Icon } from './controls';

/** The site's profiles, once it has answered; none where it has none. */
export function useProfiles(): IProfile[] {
  const model = useModel();
  const [found, setFound] = React.useState<IProfile[]>([]);
  React.useEffect(() => {
    let wanted = true;
    model.api.profiles().then(
      profiles => wanted && setFound(profiles),
      () => undefined // then there is nothing to choose
    );
    return () => {
      wanted = false;
    };
  }, [model]);
  return found;
}

export function RunsIn(props: {
  id: string;
  value: string;
  profiles: IProfile[];
  onChange: (profile: string) => void;
}): JSX.Element | null {
  const { trans } = useHpcEnv();
  const { id, value, profiles } = props;
  if (!profiles.length && !value) {
    return null;
  }
  const known = profiles.find(each => each.name === value);
  return (
    <div className="jp-HpcEnv-optionRow">
      <label htmlFor={`${id}-runs-in`}>{trans.__('Runs in')}</label>
      <div>
        <span className="jp-HpcEnv-select">
          <select
            className="jp-HpcEnv-input"
            id={`${id}-runs-in`}
            data-field="profile"
            value={value}
            onChange={event => props.onChange(event.target.value)}
          >
            <option value="">{trans.__('The server, as Jupyter itself')}</option>
            {value && !known && <option value={value}>{trans.__('%1, which the site does not offer now', plain(value))}</option>}
            {profiles.map(each => (
              <option key={each.name} value={each.name}>
                {plain(each.display_name)}
              </option>
            ))}
          </select>
          <Icon icon={caretDownEmptyIcon} />
        </span>
        <div className="jp-HpcEnv-hint">
          {known
            ? plain(known.description) || trans.__('A job of the batch system. It may have to wait, and ends with the kernel.')
            : trans.__('Others run it in a job of the batch system.')}
        </div>
      </div>
    </div>
  );
}
