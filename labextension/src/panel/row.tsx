/** A row of the list: two lines, one icon for its state, and the next sensible act on the pointer. */
import { addIcon, closeIcon, ellipsesIcon, LabIcon, notebookIcon, refreshIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { failIcon, layersIcon, moduleIcon, warnIcon } from '../icons';
import { useHpcEnv } from '../ui/context';
import { Icon, IconButton } from '../ui/controls';
import type { IAct } from './menu';
import type { IRow } from './rows';

export interface IRowProps {
  row: IRow;
  position: number;
  size: number;
  selected: boolean;
  stale: boolean;
  tabIndex: number;
  act: IAct | undefined;
  onClick: (event: React.MouseEvent) => void;
  onMenu: (event: React.MouseEvent) => void;
  onAct: () => void;
}

const ACT_ICONS: Record<string, LabIcon> = { notebook: notebookIcon, cancel: closeIcon, retry: refreshIcon, rebuild: refreshIcon, use: addIcon, modules: moduleIcon };

function StateIcon(props: { row: IRow }): JSX.Element {
  switch (props.row.kind) {
    case 'running':
      return <span className="jp-HpcEnv-spinner" />;
    case 'failed':
      return <Icon icon={failIcon} kind="error" />;
    case 'trouble':
      return <Icon icon={warnIcon} kind="warn" />;
    default:
      return <Icon icon={layersIcon} />;
  }
}

export function EnvironmentRow(props: IRowProps): JSX.Element {
  const { trans } = useHpcEnv();
  const { row, act } = props;
  return (
    <div
      className={`jp-HpcEnv-row${props.stale ? ' jp-mod-stale' : ''}`}
      role="treeitem"
      aria-level={2}
      aria-setsize={props.size}
      aria-posinset={props.position}
      aria-selected={props.selected}
      aria-label={row.label}
      tabIndex={props.tabIndex}
      data-line={row.key}
      onClick={props.onClick}
      onContextMenu={props.onMenu}
    >
      {row.running > 0 && <span className="jp-HpcEnv-rowRunning" title={trans._n('%1 kernel running', '%1 kernels running', row.running)} />}
      <span className="jp-HpcEnv-rowIcon">
        <StateIcon row={row} />
      </span>
      <span className="jp-HpcEnv-rowText">
        <span className="jp-HpcEnv-rowLine">
          <span className="jp-HpcEnv-rowName" title={row.name}>
            {row.name}
          </span>
          {row.tag && <span className="jp-HpcEnv-rowTag">{row.tag}</span>}
        </span>
        <span className="jp-HpcEnv-rowInfo" title={[row.strong, row.rest].filter(Boolean).join(' ')}>
          {row.strong && <b>{row.strong}</b>} {row.rest}
        </span>
      </span>
      <span className="jp-HpcEnv-rowActions">
        {act && (
          <IconButton
            icon={ACT_ICONS[act.id] ?? layersIcon}
            label={act.label}
            tabIndex={-1}
            onClick={event => {
              event.stopPropagation();
              props.onAct();
            }}
          />
        )}
        <IconButton
          icon={ellipsesIcon}
          label={trans.__('More actions')}
          tabIndex={-1}
          onClick={event => {
            event.stopPropagation();
            props.onMenu(event);
          }}
        />
      </span>
      {row.done !== null && (
        <span className="jp-HpcEnv-bar">
          <i style={{ width: `${Math.round(row.done * 100)}%` }} />
        </span>
      )}
    </div>
  );
}
