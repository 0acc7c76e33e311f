/** The panel: New, filter, the list, and what stands in its place while there is none. */
import { addIcon, closeIcon, ellipsesIcon, refreshIcon, searchIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { canDelete } from '../actions';
import { readFile, startWith } from '../create/start';
import { moment, plain } from '../format';
import { placeOf } from '../operation/verbs';
import { VIEWS, viewTitle } from '../page';
import { Blank, Callout, Trouble } from '../ui/blocks';
import { useDelay, useHpcEnv, useModel, useTicking } from '../ui/context';
import { Button, Icon, IconButton } from '../ui/controls';
import { ICursor, Line, makeLines, NOWHERE, prune } from './cursor';
import { FirstRun } from './first';
import { openMenu } from './menu';
import { IRow, looseWord, makeGroups, makeRows } from './rows';
import type { PanelState } from './state';
import { Tree } from './tree';

export function EnvironmentList(props: { state: PanelState }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const model = useModel();
  const { state } = props;
  const [, redraw] = React.useReducer((n: number) => n + 1, 0);
  React.useEffect(() => {
    state.changed.connect(redraw);
    return () => {
      state.changed.disconnect(redraw);
    };
  }, [state]);
  React.useEffect(() => {
    // so that the form for a new environment need not wait for it
    model.refreshSite().catch(() => undefined);
  }, [model]);
  const [query, setQuery] = React.useState('');
  const [kept, setCursor] = React.useState<ICursor>(NOWHERE);
  const filter = React.useRef<HTMLInputElement>(null);
  const tree = React.useRef<HTMLDivElement>(null);

  const all = makeRows(model, trans);
  const groups = makeGroups(all, query, state.folded, state.foreign, trans);
  const lines = makeLines(groups);
  const cursor = prune(kept, lines);
  const selected = lines.flatMap(line => (line.row && cursor.selected.has(line.id) ? [line.row] : []));

  const open = (row: IRow): void =>
    actions.pages?.open(row.operation ? placeOf(row.operation) : { environment: row.environment?.id });
  const remove = async (rows: IRow[]): Promise<void> => {
    const environments = rows.flatMap(row => (row.environment && !row.operation ? [row.environment] : []));
    if (environments.length > 0) {
      await actions.remove(environments);
    }
    for (const { operation } of rows) {
      if (operation && (operation.state === 'failed' || operation.state === 'interrupted')) {
        await actions.forget(operation);
      }
    }
  };
  const focusLine = (line: Line | undefined): void => {
    if (line) {
      setCursor({ at: line.id, anchor: line.id, selected: new Set() });
      requestAnimationFrame(() => tree.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus());
    }
  };
  const drop = async (file: File | undefined): Promise<void> => {
    const text = file && (await readFile(file));
    if (file && text) {
      actions.pages?.create(startWith(text, model.site), 'file', file.name);
    }
  };

  return (
    <div
      className="jp-HpcEnv jp-HpcEnv-panel"
      onDragOver={event => event.dataTransfer.types.includes('Files') && event.preventDefault()}
      onDrop={event => {
        if (event.dataTransfer.files.length > 0) {
          event.preventDefault();
          event.stopPropagation();
          void drop(event.dataTransfer.files[0]);
        }
      }}
    >
      <div className="jp-HpcEnv-panelBar" role="toolbar" aria-label={trans.__('Environments')}>
        <Button
          kind="accept"
          className="jp-HpcEnv-new"
          icon={addIcon}
          aria-label={trans.__('New environment')}
          title={trans.__('New environment')}
          onClick={() => actions.pages?.create()}
        >
          {trans.__('New')}
        </Button>
        <span className="jp-HpcEnv-push" />
        <IconButton icon={refreshIcon} label={trans.__('Refresh')} onClick={() => void model.refresh()} />
        <IconButton
          icon={ellipsesIcon}
          label={trans.__('Room and trash')}
          aria-haspopup="menu"
          onClick={event => {
            const place = event.currentTarget.getBoundingClientRect();
            const acts = VIEWS.map(view => ({ id: view, label: viewTitle(view, trans), section: 0, run: () => actions.pages?.open({ view }) }));
            openMenu(acts, place.left, place.bottom, trans.__('Room and trash'));
          }}
        />
      </div>
      <div className="jp-HpcEnv-filter">
        <div className="jp-HpcEnv-field">
          <Icon icon={searchIcon} />
          <input
            ref={filter}
            className="jp-HpcEnv-input"
            type="search"
            aria-label={trans.__('Filter environments')}
            placeholder={trans.__('Filter')}
            value={query}
            onChange={event => setQuery(event.target.value)}
            onKeyDown={event => {
              const rows = lines.filter(line => line.row);
              if (event.key === 'ArrowDown') {
                event.preventDefault();
                focusLine(rows[0]);
              } else if (event.key === 'Enter' && rows.length === 1 && rows[0].row) {
                open(rows[0].row);
              } else if (event.key === 'Escape') {
                event.stopPropagation();
                if (query) {
                  setQuery('');
                } else {
                  focusLine(lines.find(line => line.id === cursor.at) ?? rows[0]);
                }
              }
            }}
          />
          {!query && (
            <span className="jp-HpcEnv-fieldEnd" aria-hidden="true">
              <kbd>/</kbd>
            </span>
          )}
        </div>
      </div>
      {model.loaded && model.error && <Stale />}
      {model.loaded && !query && all.length > 0 && all.every(row => row.environment?.origin === 'foreign') && <FirstRun found={all.length} />}
      {!model.loaded ? (
        <NotYet />
      ) : all.length === 0 ? (
        <FirstRun found={0} />
      ) : groups.length === 0 ? (
        <NoMatch rows={all} query={query} onClear={() => setQuery('')} />
      ) : (
        <Tree
          ref={tree}
          groups={groups}
          lines={lines}
          cursor={cursor}
          stale={model.error !== null}
          onCursor={setCursor}
          onFold={(group, isOpen) => state.fold(group, isOpen)}
          onFilter={() => filter.current?.focus()}
          onOpen={open}
          onRemove={remove}
        />
      )}
      {selected.length > 1 && (
        <div className="jp-HpcEnv-panelFoot jp-mod-selection">
          <span role="status">{trans.__('%1 selected', selected.length)}</span>
          {selected.some(row => row.operation || (row.environment && canDelete(row.environment))) && (
            <Button size="small" onClick={() => void remove(selected).then(() => setCursor({ ...cursor, selected: new Set() }))}>
              {trans.__('Delete')}
            </Button>
          )}
          <IconButton
            icon={closeIcon}
            label={trans.__('Clear selection')}
            onClick={() => setCursor({ ...cursor, selected: new Set() })}
          />
        </div>
      )}
    </div>
  );
}

/** Before the first list: bars after 200 ms, or why there is none. */
function NotYet(): JSX.Element | null {
  const { trans } = useHpcEnv();
  const model = useModel();
  const late = useDelay(200);
  if (model.error && !model.loading) {
    return <Trouble title={trans.__('The list could not be read')} error={model.error} onRetry={() => void model.refresh()} />;
  }
  return (
    <div aria-busy="true" role="status" aria-label={trans.__('Reading the list of environments')}>
      {late &&
        [
          [48, 72],
          [36, 64],
          [58, 78]
        ].map(([first, second]) => (
          <div className="jp-HpcEnv-skeleton" key={first}>
            <i />
            <i style={{ width: `${first}%` }} />
            <i style={{ width: `${second}%` }} />
          </div>
        ))}
    </div>
  );
}

/** The list is an old one: since when, and when the next try is. */
function Stale(): JSX.Element {
  const { trans } = useHpcEnv();
  const model = useModel();
  useTicking(true, 1000);
  const left = Math.max(0, Math.round((model.retryAt - Date.now()) / 1000));
  const since = model.listedAt ? trans.__('This is the list of %1.', moment(model.listedAt)) : '';
  const what = model.error?.offline ? trans.__('No connection.') : [model.error?.message ?? '', ...(model.error?.hints ?? [])].map(plain).join(' ');
  return (
    <div className="jp-HpcEnv-stale">
      <Callout
        kind="warn"
        actions={
          <Button size="small" onClick={() => void model.refresh()}>
            {trans.__('Try now')}
          </Button>
        }
      >
        <span className="jp-HpcEnv-small" role="status">
          {what} {since}
        </span>{' '}
        {left > 0 && <span className="jp-HpcEnv-small">{trans.__('Trying again in %1 s.', left)}</span>}
      </Callout>
    </div>
  );
}

function NoMatch(props: { rows: IRow[]; query: string; onClear: () => void }): JSX.Element {
  const { trans } = useHpcEnv();
  const loose = looseWord(props.rows, props.query);
  const text = trans.__('No environment matches “%1”.', props.query.trim());
  const more = loose
    ? trans._n('%1 matches without “%2”.', '%1 match without “%2”.', loose.count, loose.word)
    : '';
  return (
    <Blank
      role="status"
      text={[`${text} ${more}`.trim()]}
      actions={
        <Button size="small" onClick={props.onClear}>
          {trans.__('Clear filter')}
        </Button>
      }
    />
  );
}
