/** The table of packages; where they can be changed it has check boxes and buttons, and one tab stop for its rows. */
import { caretDownIcon, caretUpIcon, deleteIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import { newerIcon } from '../icons';
import { useHpcEnv } from '../ui/context';
import { Hidden, Icon, IconButton } from '../ui/controls';
import { ICell, moved, tabStop, toggled } from './table-keys';

export interface ILine {
  key: string;
  name: string;
  version: string;
  source: string;
  /** The whole address behind the source. */
  from: string;
  asked: boolean;
  /** Seen, and not the environment's own: nothing can be done with it here. */
  inherited: boolean;
  /** Which other package of this name it hides, or is hidden by. */
  note: string;
  /** What a change calls it. */
  called: string;
}

export type Column = 'name' | 'version' | 'source';

export interface ISort {
  by: Column;
  up: boolean;
}

/** What can be done with rows. */
export interface IActs {
  selected: ReadonlySet<string>;
  onSelect: (selected: ReadonlySet<string>) => void;
  onUpdate: (lines: ILine[]) => void;
  onRemove: (lines: ILine[]) => void;
  onFilter: () => void;
}

export function PackageTable(props: { lines: ILine[]; sort: ISort; onSort: (sort: ISort) => void; acts?: IActs }): JSX.Element {
  const { trans } = useHpcEnv();
  const { lines, sort, acts } = props;
  const [kept, setAt] = React.useState<ICell | null>(null);
  const anchor = React.useRef<string>();
  const table = React.useRef<HTMLTableElement>(null);
  const rows = lines.filter(line => !line.inherited).map(line => line.key);
  const at = tabStop(kept, rows);
  const all = rows.length > 0 && rows.every(row => acts?.selected.has(row));

  // where it can be focused, the keyboard is there from then on; the buttons are not drawn on the narrowest pages
  const focus = (cell: ICell): void => {
    table.current?.querySelector<HTMLElement>(`[data-cell="${CSS.escape(`${cell.column} ${cell.row}`)}"]`)?.focus();
  };
  const select = (row: string, whole: boolean): void => {
    acts?.onSelect(toggled(acts.selected, row, rows, whole ? anchor.current : undefined));
    anchor.current = row;
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const cell = (event.target as HTMLElement).dataset.cell;
    const accel = event.ctrlKey || event.metaKey;
    if (!acts || !at || cell === undefined || event.altKey) {
      return;
    }
    const here = moved(event.key, at, rows, 3);
    if (here && !accel) {
      focus(here);
    } else if (event.key === 'a' && accel) {
      acts.onSelect(new Set(rows));
    } else if (event.key === 'Escape' && acts.selected.size > 0) {
      acts.onSelect(new Set());
    } else if (event.key === 'Delete') {
      const chosen = lines.filter(line => acts.selected.has(line.key));
      acts.onRemove(chosen.length > 0 ? chosen : lines.filter(line => line.key === at.row));
    } else if (event.key === '/') {
      acts.onFilter();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const head = (by: Column, label: string, className?: string): JSX.Element => (
    <th scope="col" className={className} aria-sort={sort.by === by ? (sort.up ? 'ascending' : 'descending') : 'none'}>
      <button type="button" onClick={() => props.onSort({ by, up: sort.by === by ? !sort.up : true })}>
        {label}
        {sort.by === by && <Icon icon={sort.up ? caretUpIcon : caretDownIcon} />}
      </button>
    </th>
  );
  return (
    <table
      className={`jp-HpcEnv-table ${acts ? 'jp-mod-acts' : 'jp-mod-plain'}`}
      ref={table}
      role={acts && 'grid'}
      aria-label={trans.__('Packages')}
      aria-multiselectable={acts && true}
      onKeyDown={onKeyDown}
      onFocus={event => {
        const [column, ...row] = event.target.dataset.cell?.split(' ') ?? [];
        if (column !== undefined) {
          setAt({ row: row.join(' '), column: Number(column) });
        }
      }}
      onBlur={event => {
        if (at && !event.currentTarget.contains(event.relatedTarget)) {
          setAt({ ...at, column: 0 });
        }
      }}
    >
      <thead>
        <tr>
          {acts && (
            <th scope="col">
              <input
                type="checkbox"
                aria-label={trans.__('Select all that are shown')}
                checked={all}
                onChange={() => acts.onSelect(new Set(all ? [] : rows))}
              />
            </th>
          )}
          {head('name', trans.__('Package'))}
          {head('version', trans.__('Version'))}
          {head('source', trans.__('Source'), 'jp-HpcEnv-optional')}
          <th scope="col" className="jp-HpcEnv-optional">
            {trans.__('Asked by')}
          </th>
          {acts && (
            <th scope="col">
              <Hidden>{trans.__('Actions')}</Hidden>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {lines.map(line => (
          <Row
            key={line.key}
            line={line}
            acts={acts}
            selected={!!acts?.selected.has(line.key)}
            stop={at?.row === line.key ? at.column : -1}
            onToggle={whole => select(line.key, whole)}
          />
        ))}
      </tbody>
    </table>
  );
}

function Row(props: {
  line: ILine;
  acts: IActs | undefined;
  selected: boolean;
  /** The column with the tab stop; -1: it is in another row. */
  stop: number;
  onToggle: (whole: boolean) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { line, selected, stop } = props;
  const acts = line.inherited ? undefined : props.acts;
  const name = plain(line.name);
  const cell = (column: number): { 'data-cell': string; tabIndex: number } => ({
    'data-cell': `${column} ${line.key}`,
    tabIndex: stop === column ? 0 : -1
  });
  return (
    <tr className={selected ? 'jp-mod-selected' : undefined} aria-selected={acts && selected}>
      {props.acts && !acts && <td />}
      {acts && (
        <td>
          <input
            type="checkbox"
            aria-label={trans.__('Select %1', name)}
            checked={selected}
            onChange={event => props.onToggle((event.nativeEvent as MouseEvent).shiftKey)}
            {...cell(0)}
          />
        </td>
      )}
      <td>
        {name}
        {line.note && <small>{plain(line.note)}</small>}
      </td>
      <td>{plain(line.version)}</td>
      <td className="jp-HpcEnv-muted jp-HpcEnv-optional" title={plain(line.from)}>
        {line.source}
      </td>
      <td className="jp-HpcEnv-muted jp-HpcEnv-optional">{line.asked ? trans.__('you') : ''}</td>
      {props.acts && !acts && <td />}
      {acts && (
        <td className="jp-HpcEnv-rowActs">
          <IconButton icon={newerIcon} label={trans.__('Update %1', name)} onClick={() => acts.onUpdate([line])} {...cell(1)} />
          <IconButton icon={deleteIcon} label={trans.__('Remove %1', name)} onClick={() => acts.onRemove([line])} {...cell(2)} />
        </td>
      )}
    </tr>
  );
}
