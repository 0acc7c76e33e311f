/** What is installed, read from the disk. */
import { caretDownIcon, caretUpIcon, searchIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import type { IPackage } from '../tokens';
import { Blank, Trouble } from '../ui/blocks';
import { ILoaded, useHpcEnv } from '../ui/context';
import { Button, Icon, IChoice, Toggles } from '../ui/controls';
import { ISource, sourceOf, sourceWord } from './sources';

/** A package's name as the index compares it. */
export function folded(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

type Column = 'name' | 'version' | 'source';
type Only = 'all' | 'asked' | 'conda' | 'pip';

export function Packages(props: { packages: ILoaded<IPackage[]>; asked: string[] }): JSX.Element {
  const { trans } = useHpcEnv();
  const { packages } = props;
  const [query, setQuery] = React.useState('');
  const [only, setOnly] = React.useState<Only>('all');
  const [sort, setSort] = React.useState<{ by: Column; up: boolean }>({ by: 'name', up: true });
  if (packages.error) {
    return <Trouble title={trans.__('The packages could not be read')} error={packages.error} onRetry={packages.reload} />;
  }
  if (!packages.value) {
    return <Blank text={[trans.__('Reading the packages…')]} role="status" />;
  }
  // a match spec may begin with its channel
  const asked = new Set(props.asked.map(requirement => folded(/^[A-Za-z0-9._-]*/.exec(requirement.replace(/^\S+::/, ''))?.[0] ?? '')));
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const all = packages.value.map(item => ({ ...item, of: sourceOf(item) }));
  const conda = all.filter(item => item.of.by === 'conda').length;
  const both = conda > 0 && conda < all.length;
  const fits = (item: { name: string; of: ISource }): boolean =>
    only === 'all' || (only === 'asked' ? asked.has(folded(item.name)) : item.of.by === only);
  const shown = all
    .filter(fits)
    .filter(item => words.every(word => `${item.name} ${item.version} ${item.source}`.toLowerCase().includes(word)))
    .sort((a, b) => a[sort.by].localeCompare(b[sort.by], undefined, { numeric: true, sensitivity: 'base' }) * (sort.up ? 1 : -1));
  const choices: IChoice<Only>[] = [
    { value: 'all', label: trans.__('All') },
    ...(both
      ? [
          { value: 'conda' as const, label: trans.__('conda %1', conda) },
          { value: 'pip' as const, label: trans.__('pip %1', all.length - conda) }
        ]
      : []),
    ...(asked.size > 0 ? [{ value: 'asked' as const, label: trans.__('Asked for') }] : [])
  ];
  const head = (by: Column, label: string, className?: string): JSX.Element => (
    <th scope="col" className={className} aria-sort={sort.by === by ? (sort.up ? 'ascending' : 'descending') : 'none'}>
      <button type="button" onClick={() => setSort({ by, up: sort.by === by ? !sort.up : true })}>
        {label}
        {sort.by === by && <Icon icon={sort.up ? caretUpIcon : caretDownIcon} />}
      </button>
    </th>
  );
  return (
    <div className="jp-HpcEnv-packages">
      <div className="jp-HpcEnv-tableBar">
        <div className="jp-HpcEnv-field">
          <Icon icon={searchIcon} />
          <input
            className="jp-HpcEnv-input"
            type="search"
            aria-label={trans.__('Filter packages')}
            placeholder={trans._n('Filter %1 package', 'Filter %1 packages', packages.value.length)}
            value={query}
            onChange={event => setQuery(event.target.value)}
          />
        </div>
        {(asked.size > 0 || both) && (
          <Toggles<Only>
            label={trans.__('Show')}
            choices={choices}
            value={only}
            onChange={setOnly}
          />
        )}
      </div>
      {shown.length > 0 ? (
        <table className="jp-HpcEnv-table jp-mod-plain">
          <thead>
            <tr>
              {head('name', trans.__('Package'))}
              {head('version', trans.__('Version'))}
              {head('source', trans.__('Source'), 'jp-HpcEnv-optional')}
              <th scope="col" className="jp-HpcEnv-optional">
                {trans.__('Asked by')}
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(item => (
              <tr key={`${item.of.by} ${item.name} ${item.version}`}>
                <td>{plain(item.name)}</td>
                <td>{plain(item.version)}</td>
                <td className="jp-HpcEnv-muted jp-HpcEnv-optional" title={plain(item.of.from)}>{sourceWord(item.of, both, trans)}</td>
                <td className="jp-HpcEnv-muted jp-HpcEnv-optional">{asked.has(folded(item.name)) ? trans.__('you') : ''}</td>
              </tr>
            ))}
          </tbody>
        </table>
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
    </div>
  );
}
