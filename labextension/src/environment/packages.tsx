/** What is installed, read from the disk; and where the environment is one's own, the way to change it. */
import { addIcon, closeIcon, searchIcon } from '@jupyterlab/ui-components';
import React from 'react';
import type { IEnvironmentDetail, IPackage, Language } from '../tokens';
import { Blank, Trouble } from '../ui/blocks';
import { ILoaded, useHpcEnv, useModel } from '../ui/context';
import { Button, Icon, IconButton, IChoice, Toggles } from '../ui/controls';
import { ChangePlan } from './change-plan';
import { ChangeShown } from './change-shown';
import type { Changing } from './changing';
import { InstallField } from './install';
import { IActs, ILine, ISort, PackageTable } from './package-table';
import { ISource, sourceOf, sourceWord } from './sources';
import type { IWish } from './wish';

/** A package's name as the index compares it. */
export function folded(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

type Only = 'all' | 'asked' | 'conda' | 'pip' | 'own' | 'inherited';

export interface IPackagesProps {
  environment: IEnvironmentDetail;
  packages: ILoaded<IPackage[]>;
  /** The change under way; it lives in the page, so that a look at another tab does not lose it. */
  changing: Changing;
  /** How packages are asked for; null where they can not be changed. */
  language: Language | null;
  /** Leads to where modules are chosen; undefined where there are none. */
  onModules?: () => void;
}

export function Packages(props: IPackagesProps): JSX.Element {
  const { trans } = useHpcEnv();
  const model = useModel();
  const { environment, packages, changing, language } = props;
  const [query, setQuery] = React.useState('');
  const [only, setOnly] = React.useState<Only>('all');
  const [sort, setSort] = React.useState<ISort>({ by: 'name', up: true });
  const [kept, setSelected] = React.useState<ReadonlySet<string>>(new Set());
  const box = React.useRef<HTMLDivElement>(null);
  const filter = React.useRef<HTMLInputElement>(null);
  const opener = React.useRef<HTMLElement | null>(null);
  const operation = changing.shown;
  const busy = model.running.some(each => each.environment.id === environment.id);
  React.useEffect(() => {
    if (busy && changing.wish) {
      // what was planned is no longer what would happen
      changing.drop();
    }
  }, [busy, changing]);
  const plan = (wish: IWish): void => {
    opener.current = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    void changing.plan(wish);
  };
  const ended = operation && <ChangeShown environment={environment} operation={operation} changing={changing} onPlan={plan} />;
  if (packages.error) {
    return (
      <div className="jp-HpcEnv-packages">
        {ended}
        <Trouble title={trans.__('The packages could not be read')} error={packages.error} onRetry={packages.reload} />
      </div>
    );
  }
  if (!packages.value) {
    return <Blank text={[trans.__('Reading the packages…')]} role="status" />;
  }
  // a match spec may begin with its channel, and what pip was asked for says so
  const asked = new Set(
    environment.packages.map(requirement => folded(/^[A-Za-z0-9._-]*/.exec(requirement.replace(/^(\S+::|pip:\s*)/, ''))?.[0] ?? ''))
  );
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const all = packages.value.map(item => ({ ...item, of: sourceOf(item), inherited: !!item.inherited }));
  const own = all.filter(item => !item.inherited).length;
  const conda = all.filter(item => item.of.by === 'conda').length;
  const both = conda > 0 && conda < own;
  const isAsked = (item: { name: string; inherited: boolean }): boolean => !item.inherited && asked.has(folded(item.name));
  const fits = (item: { name: string; of: ISource; inherited: boolean }): boolean => {
    switch (only) {
      case 'all':
        return true;
      case 'own':
        return !item.inherited;
      case 'inherited':
        return item.inherited;
      case 'asked':
        return isAsked(item);
      default:
        return item.of.by === only;
    }
  };
  const lines: ILine[] = all
    .filter(fits)
    .filter(item => words.every(word => `${item.name} ${item.version} ${item.source}`.toLowerCase().includes(word)))
    .sort((a, b) => a[sort.by].localeCompare(b[sort.by], undefined, { numeric: true, sensitivity: 'base' }) * (sort.up ? 1 : -1))
    .map(item => ({
      key: item.inherited ? `${item.source} ${item.name} ${item.version}` : `${item.of.by} ${item.name} ${item.version}`,
      name: item.name,
      version: item.version,
      source: sourceWord(item.of, both, trans),
      from: item.of.from,
      asked: isAsked(item),
      inherited: item.inherited,
      note: item.note ?? '',
      // in an environment of conda pip has its own part
      called: language === 'conda' && item.of.by === 'pip' ? `pip: ${item.name}` : item.name
    }));
  const choices: IChoice<Only>[] = [
    { value: 'all', label: trans.__('All') },
    ...(both
      ? [
          { value: 'conda' as const, label: trans.__('conda %1', conda) },
          { value: 'pip' as const, label: trans.__('pip %1', own - conda) }
        ]
      : []),
    ...(own < all.length
      ? [
          { value: 'own' as const, label: trans.__('Its own %1', own) },
          { value: 'inherited' as const, label: trans.__('Inherited %1', all.length - own) }
        ]
      : []),
    ...(asked.size > 0 ? [{ value: 'asked' as const, label: trans.__('Asked for') }] : [])
  ];
  // nothing that is not seen is acted on
  const selected = new Set(lines.flatMap(line => (kept.has(line.key) && !line.inherited ? [line.key] : [])));
  const chosen = lines.filter(line => selected.has(line.key));
  const changeable = language !== null && !busy;
  const cancel = (): void => {
    changing.drop();
    // back to where the plan was asked for, or to the table if that is gone
    const back = opener.current;
    requestAnimationFrame(() => {
      const there = back?.isConnected ? back : box.current?.querySelector<HTMLElement>('[data-cell][tabindex="0"]');
      there?.focus();
    });
  };
  const of = (verb: 'update' | 'remove', rows: ILine[]): void => plan({ verb, packages: [...new Set(rows.map(row => row.called))] });
  const acts: IActs | undefined = changeable
    ? {
        selected,
        onSelect: setSelected,
        onUpdate: rows => of('update', rows),
        onRemove: rows => of('remove', rows),
        onFilter: () => filter.current?.focus()
      }
    : undefined;
  const planned = changeable ? changing.wish : null;
  return (
    <div className={`jp-HpcEnv-packages${planned ? ' jp-mod-planned' : ''}`} ref={box}>
      {ended && <div className="jp-HpcEnv-operationArea">{ended}</div>}
      <div className="jp-HpcEnv-tableBar">
        <div className="jp-HpcEnv-field">
          <Icon icon={searchIcon} />
          <input
            ref={filter}
            className="jp-HpcEnv-input"
            type="search"
            aria-label={trans.__('Filter packages')}
            placeholder={trans._n('Filter %1 package', 'Filter %1 packages', packages.value.length)}
            value={query}
            onChange={event => setQuery(event.target.value)}
            onKeyDown={event => {
              if (event.key === 'ArrowDown') {
                event.preventDefault();
                box.current?.querySelector<HTMLElement>('[data-cell][tabindex="0"]')?.focus();
              }
            }}
          />
        </div>
        {choices.length > 1 && <Toggles<Only> label={trans.__('Show')} choices={choices} value={only} onChange={setOnly} />}
        {changeable && (
          <div className="jp-HpcEnv-actions jp-HpcEnv-push">
            <Button onClick={() => plan({ verb: 'update_all', packages: [] })}>{trans.__('Update all…')}</Button>
            <Button icon={addIcon} aria-expanded={changing.installing} onClick={() => changing.openField(!changing.installing)}>
              {trans.__('Install…')}
            </Button>
          </div>
        )}
      </div>
      {changeable && changing.installing && (
        <div className="jp-HpcEnv-installArea">
          <InstallField
            id={`hpcenv-${environment.id}-install`}
            environment={environment.id}
            language={language}
            changing={changing}
            onPlan={plan}
            onModules={props.onModules}
          />
        </div>
      )}
      {planned && <ChangePlan environment={environment} changing={changing} wish={planned} onCancel={cancel} />}
      <div className="jp-HpcEnv-tableArea">
        {lines.length > 0 ? (
          <PackageTable lines={lines} sort={sort} onSort={setSort} acts={acts} />
        ) : (
          <Blank
            text={[
              query
                ? trans.__('No package matches “%1”.', query)
                : only === 'all'
                  ? trans.__('Nothing is installed.')
                  : trans.__('None of those is installed.')
            ]}
            actions={
              (query || only !== 'all') && (
                <Button
                  size="small"
                  onClick={() => {
                    setQuery('');
                    setOnly('all');
                  }}
                >
                  {trans.__('Clear filter')}
                </Button>
              )
            }
          />
        )}
        {acts && chosen.length > 0 && (
          <div className="jp-HpcEnv-selectionBar" role="group" aria-label={trans.__('Selection')}>
            <span role="status">{trans._n('%1 package selected', '%1 packages selected', chosen.length)}</span>
            <Button size="small" onClick={() => acts.onUpdate(chosen)}>
              {trans.__('Update…')}
            </Button>
            <Button size="small" onClick={() => acts.onRemove(chosen)}>
              {trans.__('Remove…')}
            </Button>
            <IconButton icon={closeIcon} label={trans.__('Clear selection')} onClick={() => setSelected(new Set())} />
          </div>
        )}
      </div>
    </div>
  );
}
