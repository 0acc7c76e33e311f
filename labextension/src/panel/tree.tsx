/** The list as a tree with one tab stop: keys and clicks go through `cursor.ts`. */
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { publishedKernel } from '../actions';
import { useHpcEnv } from '../ui/context';
import { Icon } from '../ui/controls';
import { extend, headingId, ICursor, Line, neighbour, press, tabStop, toggle } from './cursor';
import { actsOf, IActContext, openMenu } from './menu';
import { EnvironmentRow } from './row';
import type { GroupId, IGroup, IRow } from './rows';

export interface ITreeProps {
  groups: IGroup[];
  lines: Line[];
  cursor: ICursor;
  stale: boolean;
  onCursor: (cursor: ICursor) => void;
  onFold: (group: GroupId, open: boolean) => void;
  onFilter: () => void;
  onOpen: (row: IRow) => void;
  /** Resolves once they are gone, or not. */
  onRemove: (rows: IRow[]) => Promise<void>;
}

export const Tree = React.forwardRef<HTMLDivElement, ITreeProps>(function Tree(props, ref): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { groups, lines, cursor } = props;
  const tree = React.useRef<HTMLDivElement>(null);
  React.useImperativeHandle(ref, () => tree.current as HTMLDivElement);
  const stop = tabStop(cursor, lines);

  const focus = (id: string): void => {
    requestAnimationFrame(() => tree.current?.querySelector<HTMLElement>(`[data-line="${CSS.escape(id)}"]`)?.focus());
  };
  const move = (next: ICursor): void => {
    props.onCursor(next);
    focus(next.at);
  };
  const remove = async (row: IRow): Promise<void> => {
    const rows = cursor.selected.has(row.key)
      ? lines.flatMap(line => (line.row && cursor.selected.has(line.id) ? [line.row] : []))
      : [row];
    const next = neighbour(new Set(rows.map(other => other.key)), { ...cursor, at: row.key }, lines);
    await props.onRemove(rows);
    if (next) {
      move({ at: next, anchor: next, selected: new Set() });
    }
  };
  const context: IActContext = { actions, trans, open: props.onOpen, remove: row => void remove(row) };
  const menu = (row: IRow, x: number, y: number): void => {
    openMenu(actsOf(row, context), x, y, trans.__('Actions for %1', row.name));
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.altKey || (event.target as HTMLElement).closest('button')) {
      return;
    }
    const effect = press({ key: event.key, shift: event.shiftKey, accel: event.ctrlKey || event.metaKey }, cursor, lines);
    if (!effect) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const row = lines.find(line => line.id === effect.cursor.at)?.row;
    switch (effect.do) {
      case 'move':
        return move(effect.cursor);
      case 'fold':
        props.onFold(effect.group, effect.open);
        return move(effect.cursor);
      case 'filter':
        return props.onFilter();
    }
    if (!row) {
      return;
    }
    props.onCursor(effect.cursor);
    if (effect.do === 'open') {
      props.onOpen(row);
    } else if (effect.do === 'notebook') {
      if (row.environment && publishedKernel(row.environment)) {
        void actions.newNotebook(row.environment);
      }
    } else if (effect.do === 'delete') {
      void remove(row);
    } else {
      const place = tree.current?.querySelector(`[data-line="${CSS.escape(row.key)}"]`)?.getBoundingClientRect();
      menu(row, (place?.left ?? 0) + 24, place?.bottom ?? 0);
    }
  };

  const onRowClick = (row: IRow, event: React.MouseEvent): void => {
    if (event.ctrlKey || event.metaKey) {
      move(toggle(cursor, row.key));
    } else if (event.shiftKey) {
      move(extend({ ...cursor, at: stop }, row.key, lines));
    } else {
      props.onCursor({ at: row.key, anchor: row.key, selected: new Set([row.key]) });
      props.onOpen(row);
    }
  };

  return (
    <div
      className="jp-HpcEnv-tree"
      role="tree"
      aria-label={trans.__('Environments')}
      aria-multiselectable="true"
      ref={tree}
      onKeyDown={onKeyDown}
      onFocus={event => {
        // the keys act on the line that has the focus, however it came there
        const line = (event.target as HTMLElement).closest<HTMLElement>('[data-line]')?.dataset.line;
        if (line && line !== cursor.at) {
          props.onCursor({ ...cursor, at: line });
        }
      }}
    >
      {groups.map((group, at) => (
        <React.Fragment key={group.id}>
          <div
            className="jp-HpcEnv-group"
            role="treeitem"
            aria-level={1}
            aria-setsize={groups.length}
            aria-posinset={at + 1}
            aria-expanded={group.open}
            aria-selected={false}
            aria-label={`${group.title}, ${group.rows.length}`}
            tabIndex={stop === headingId(group.id) ? 0 : -1}
            data-line={headingId(group.id)}
            onClick={() => {
              props.onFold(group.id, !group.open);
              props.onCursor({ ...cursor, at: headingId(group.id) });
            }}
          >
            <Icon icon={group.open ? caretDownIcon : caretRightIcon} />
            {group.title}
            <span>{group.rows.length}</span>
          </div>
          {group.open &&
            group.rows.map((row, index) => {
              const acts = actsOf(row, context);
              const first = acts.find(act => act.section === 0 && act.id !== 'terminal');
              return (
                <EnvironmentRow
                  key={row.key}
                  row={row}
                  position={index + 1}
                  size={group.rows.length}
                  selected={cursor.selected.has(row.key)}
                  stale={props.stale}
                  tabIndex={stop === row.key ? 0 : -1}
                  act={first}
                  onClick={event => onRowClick(row, event)}
                  onAct={() => first?.run()}
                  onMenu={event => {
                    event.preventDefault();
                    event.stopPropagation();
                    props.onCursor({ ...cursor, at: row.key });
                    menu(row, event.clientX, event.clientY);
                  }}
                />
              );
            })}
        </React.Fragment>
      ))}
    </div>
  );
});
