/** Choose modules: those that are chosen, a search, what is loaded now, collections, and what the module system says to it. */
import { caretDownEmptyIcon, searchIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import type { IModuleList } from '../tokens';
import { useHpcEnv, useLoaded, useModel, useRested } from '../ui/context';
import { Button, Icon } from '../ui/controls';
import { Chain } from './chain';
import type { IChecked } from './check';
import { dependents } from './choice';
import { Found, inWords } from './found';
import { Said } from './said';

/** What is chosen: modules one by one, or a saved collection. */
export interface IChoice {
  modules: string[];
  collection: string;
}

export interface IPickerProps {
  id: string;
  value: IChoice;
  checked: IChecked;
  /** Said by the server when it was sent. */
  wrong?: string;
  /** Collections can be chosen. */
  collections?: boolean;
  onChange: (value: IChoice) => void;
}

/** The last change that took something away, and what was there before. */
interface IUndo {
  text: string;
  before: IChoice;
  after: string;
}

export function ModulePicker(props: IPickerProps): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const catalog = useModel().modules;
  const { id, value, onChange } = props;
  const [query, setQuery] = React.useState('');
  const [undo, setUndo] = React.useState<IUndo | null>(null);
  const input = React.useRef<HTMLInputElement>(null);
  const box = React.useRef<HTMLDivElement>(null);
  const loaded = catalog.facts?.loaded ?? [];
  const collections = props.collections ? (catalog.facts?.collections ?? []) : [];

  const names = JSON.stringify(value.modules);
  React.useEffect(() => {
    void catalog.learn(JSON.parse(names) as string[]);
  }, [catalog, names]);

  /** Change the choice; where something goes, the way back stands below until the next change. */
  const put = (next: IChoice, text: string, takes: boolean): void => {
    setUndo(takes ? { text, before: value, after: JSON.stringify(next) } : null);
    actions.announcer.say(text);
    onChange(next);
  };
  const remove = (name: string): void => {
    const also = dependents([name], value.modules, catalog.known);
    const text =
      also.length === 0
        ? trans.__('Removed %1.', plain(name))
        : trans._n('Removed %2, and %3, which needs it.', 'Removed %2, and %3, which need it.', also.length, plain(name), inWords(also, trans));
    put({ modules: value.modules.filter(one => one !== name && !also.includes(one)), collection: '' }, text, true);
    focusField();
  };
  const replaceAll = (next: IChoice, text: string): void => put(next, text, value.modules.length > 0 || value.collection !== '');
  const focusField = (): void => {
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>('[data-field="modules"]')?.focus());
  };
  const bad = !!props.wrong || !!(props.checked.error && !props.checked.error.offline);
  const opened = props.checked.value && !props.checked.checking ? props.checked.value.load : null;

  return (
    <div
      className="jp-HpcEnv-picker"
      ref={box}
      onKeyDown={event => {
        // Enter in the search is for the search: the form is sent by its button or with Ctrl
        if (event.key === 'Enter' && event.target === input.current && !event.ctrlKey && !event.metaKey) {
          event.preventDefault();
        } else if (event.key === 'Escape' && event.target === input.current && query) {
          event.stopPropagation();
          setQuery('');
        } else if (event.key === 'Backspace' && event.target === input.current && query === '') {
          const chips = box.current?.querySelectorAll<HTMLElement>('.jp-HpcEnv-chain button');
          chips?.[chips.length - 1]?.focus();
        }
      }}
    >
      {value.modules.length > 0 && <Chain modules={value.modules} onRemove={remove} />}
      {value.collection && (
        <div className="jp-HpcEnv-pair">
          <span className="jp-HpcEnv-chip">
            <span className="jp-HpcEnv-chipText">{trans.__('Collection %1', plain(value.collection))}</span>
          </span>
          <Button
            size="small"
            data-field="modules"
            onClick={() => put({ modules: [], collection: '' }, trans.__('Removed the collection %1.', plain(value.collection)), true)}
          >
            {trans.__('Remove')}
          </Button>
          {opened && (
            <Button
              size="small"
              onClick={() =>
                put({ modules: opened, collection: '' }, trans.__('The collection %1 as its modules.', plain(value.collection)), true)
              }
            >
              {trans.__('Choose its modules one by one')}
            </Button>
          )}
        </div>
      )}
      {undo && undo.after === JSON.stringify(value) && (
        <div className="jp-HpcEnv-hint">
          {undo.text}
          <Button
            kind="minimal"
            size="small"
            onClick={() => {
              actions.announcer.say(trans.__('Undone.'));
              setUndo(null);
              onChange(undo.before);
              focusField();
            }}
          >
            {trans.__('Undo')}
          </Button>
        </div>
      )}
      <Said id={id} checked={props.checked} wrong={props.wrong} />
      {!value.collection && (
        <div className="jp-HpcEnv-pair">
          <div className="jp-HpcEnv-field">
            <Icon icon={searchIcon} />
            <input
              ref={input}
              className="jp-HpcEnv-input"
              type="search"
              data-field="modules"
              aria-label={trans.__('Search modules')}
              placeholder={trans.__('Search modules')}
              aria-invalid={bad}
              aria-describedby={bad ? `${id}-wrong` : undefined}
              autoComplete="off"
              spellCheck={false}
              value={query}
              onChange={event => setQuery(event.target.value)}
            />
          </div>
          {loaded.length > 0 && (
            <Button
              size="small"
              onClick={() => replaceAll({ modules: loaded, collection: '' }, trans.__('Chose what the server has loaded.'))}
            >
              {trans.__('Use what is loaded now (%1)', loaded.length)}
            </Button>
          )}
          {collections.length > 0 && (
            <span className="jp-HpcEnv-select">
              <select
                className="jp-HpcEnv-input"
                aria-label={trans.__('Use a collection')}
                value=""
                onChange={event => replaceAll({ modules: [], collection: event.target.value }, trans.__('Chose the collection %1.', plain(event.target.value)))}
              >
                <option value="">{trans.__('Collections')}</option>
                {collections.map(name => (
                  <option key={name} value={name}>
                    {plain(name)}
                  </option>
                ))}
              </select>
              <Icon icon={caretDownEmptyIcon} />
            </span>
          )}
        </div>
      )}
      {!value.collection && loaded.length > 0 && (
        <div className="jp-HpcEnv-hint">
          {trans.__('Loaded now means in the server: %1. A terminal of yours may have others.', loaded.map(plain).join(', '))}
        </div>
      )}
      {!value.collection && query.trim() && (
        <Results
          query={query.trim()}
          draw={list => (
            <Found
              list={list}
              chosen={value.modules}
              known={catalog.known}
              onAdd={(_, way) => {
                const added = trans.__('Added %1.', inWords(way.add, trans));
                const text =
                  way.replaces.length > 0 ? trans.__('Replaced %1 by %2.', inWords(way.replaces, trans), inWords(way.add, trans)) : added;
                put({ modules: way.result, collection: '' }, text, way.replaces.length > 0);
                input.current?.focus();
              }}
            />
          )}
        />
      )}
    </div>
  );
}

/** The modules that match, a moment after the last letter; the old ones stand meanwhile. */
function Results(props: { query: string; draw: (list: IModuleList) => JSX.Element }): JSX.Element | null {
  const { trans, model } = useHpcEnv();
  const rested = useRested(props.query, 250);
  const found = useLoaded(() => model.modules.search(rested), rested);
  if (found.error) {
    return (
      <div className="jp-HpcEnv-hint jp-mod-error" role="alert">
        {trans.__('The modules could not be read.')}
        <Button kind="minimal" size="small" onClick={found.reload}>
          {trans.__('Try again')}
        </Button>
      </div>
    );
  }
  if (!found.value) {
    return <div className="jp-HpcEnv-hint">{trans.__('Searching…')}</div>;
  }
  return found.value.modules.length > 0 ? (
    props.draw(found.value)
  ) : (
    <div className="jp-HpcEnv-hint" role="status">
      {trans.__('No module matches “%1”.', props.query)}
    </div>
  );
}
