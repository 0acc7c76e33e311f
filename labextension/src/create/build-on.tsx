/** Where it is built: on the server's machine, or by a job of the batch system. */
import { caretDownEmptyIcon } from '@jupyterlab/ui-components';
import React from 'react';
import type { IBatchRequest, IPartition } from '../batch';
import { Wrong } from '../ui/blocks';
import { useHpcEnv, useModel } from '../ui/context';
import { Icon } from '../ui/controls';

/** The batch system's partitions, once it has answered; the form does not wait for it. */
export function usePartitions(): IPartition[] {
  const model = useModel();
  const [found, setFound] = React.useState<IPartition[]>([]);
  React.useEffect(() => {
    let wanted = true;
    model.api.targets().then(
      facts => wanted && setFound(facts.partitions),
      () => undefined // then there is nothing to choose
    );
    return () => {
      wanted = false;
    };
  }, [model]);
  return found;
}

export function BuildOn(props: {
  id: string;
  value: IBatchRequest | null;
  partitions: IPartition[];
  wrong?: string;
  onChange: (on: IBatchRequest | null) => void;
}): JSX.Element | null {
  const { trans } = useHpcEnv();
  const { id, value, partitions } = props;
  const named = value?.partition ?? '';
  if (!partitions.length && !value) {
    return null;
  }
  const known = partitions.find(each => each.name === named);
  const put = (change: Partial<IBatchRequest>): void => {
    const next = Object.fromEntries(Object.entries({ ...value, ...change }).filter(([, each]) => each));
    props.onChange(Object.keys(next).length ? next : null);
  };
  return (
    <>
      <div className="jp-HpcEnv-optionRow">
        <label htmlFor={`${id}-on`}>{trans.__('Built')}</label>
        <div>
          <span className="jp-HpcEnv-select">
            <select
              className="jp-HpcEnv-input"
              id={`${id}-on`}
              data-field="on"
              value={named}
              onChange={event => (event.target.value ? put({ partition: event.target.value }) : props.onChange(null))}
            >
              <option value="">{trans.__('Where the site builds')}</option>
              {named && !known && <option value={named}>{named}</option>}
              {partitions.map(each => (
                <option key={each.name} value={each.name}>
                  {each.up ? trans.__('In a job on %1', each.name) : trans.__('In a job on %1, which is down', each.name)}
                </option>
              ))}
            </select>
            <Icon icon={caretDownEmptyIcon} />
          </span>
          <div className="jp-HpcEnv-hint">
            {known?.features.length
              ? trans.__('Its nodes have %1. The longest time is %2.', known.features.join(', '), known.longest)
              : trans.__('A job builds for the processors of its nodes. It may have to wait.')}
          </div>
          <Wrong id={`${id}-on-wrong`} text={props.wrong} />
        </div>
      </div>
      {value && (
        <div className="jp-HpcEnv-optionRow">
          <label htmlFor={`${id}-on-account`}>{trans.__('Account')}</label>
          <input
            className="jp-HpcEnv-input"
            id={`${id}-on-account`}
            value={value.account ?? ''}
            placeholder={trans.__('Your usual one')}
            maxLength={128}
            onChange={event => put({ account: event.target.value.trim() })}
          />
        </div>
      )}
      {value && (
        <div className="jp-HpcEnv-optionRow">
          <label htmlFor={`${id}-on-time`}>{trans.__('Time')}</label>
          <div>
            <input
              className="jp-HpcEnv-input"
              id={`${id}-on-time`}
              value={value.time ?? ''}
              placeholder={trans.__('As the site has it')}
              maxLength={20}
              onChange={event => put({ time: event.target.value.trim() })}
            />
            <div className="jp-HpcEnv-hint">{trans.__('Minutes, or hours:minutes:seconds.')}</div>
          </div>
        </div>
      )}
    </>
  );
}
