/** Modules as chips, in the order in which they are loaded. */
import { caretRightIcon, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import { warnIcon } from '../icons';
import { useHpcEnv } from '../ui/context';
import { Icon, IconButton } from '../ui/controls';

export function Chain(props: {
  modules: readonly string[];
  /** A word about modules that need a look, by full name. */
  marks?: ReadonlyMap<string, string>;
  /** Without it the chips can only be looked at. */
  onRemove?: (name: string) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { onRemove } = props;
  return (
    <ol className="jp-HpcEnv-chain" aria-label={trans.__('Modules, in the order they are loaded')}>
      {props.modules.map((name, at) => {
        const mark = props.marks?.get(name);
        return (
          <li key={name}>
            {at > 0 && <Icon icon={caretRightIcon} />}
            <span className="jp-HpcEnv-chip">
              {mark && <Icon icon={warnIcon} kind="warn" />}
              <span className="jp-HpcEnv-chipText">
                {plain(name)}
                {mark && <span className="jp-HpcEnv-muted"> {mark}</span>}
              </span>
              {onRemove && (
                <IconButton
                  icon={closeIcon}
                  label={trans.__('Remove %1', plain(name))}
                  onClick={() => onRemove(name)}
                  onKeyDown={event => {
                    if (event.key === 'Backspace' || event.key === 'Delete') {
                      event.preventDefault();
                      onRemove(name);
                    }
                  }}
                />
              )}
            </span>
          </li>
        );
      })}
    </ol>
  );
}
