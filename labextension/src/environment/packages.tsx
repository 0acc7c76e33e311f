/** What is installed, read from the disk. */
import { caretDownIcon, caretUpIcon, searchIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import type { IPackage } from '../tokens';
import { Blank, Trouble } from '../ui/blocks';
import { ILoaded, useHpcEnv } from '../ui/context';
import { Button, Icon, Toggles } from '../ui/controls';

/** A package's name as the index compares it. */
export function folded(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

type Column = 'name' | 'version' | 'source';

export function Packages(props: { packages: ILoaded<IPackage[]>; asked: string[] }): JSX.Element {
  const { trans } = useHpcEnv();
  const { packages } = props;
  const [query, setQuery] = React.useState('');
  const [only, setOnly] = React.useState<'all' | 'asked'>('all');
  const [sort, setSort] = React.useState<{ by: Column; up: boolean }>({ by: 'name', up: true });
  if (packages.error) {
    return <Trouble title={trans.__('The packages could not be read')} error={packages.error} onRetry={packages.reload} />;
  }
  if (!packages.value) {
    return <Blank text={[trans.__('Reading the packages…')]} role="status" />;
  }
  const asked = new Set(props.asked.map(requirement => folded(/^[A-Za-z0-9._-]*/.exec(requirement)?.[0] ?? '')));
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = packages.value
    .filter(item => only === 'all' || asked.has(folded(item.name)))
    .filter(item => words.every(word => `${item.name} ${item.version} ${item.source}`.toLowerCase().includes(word)))
    .sort((a, b) => a[sort.by].localeCompare(b[sort.by], undefined, { numeric: true, sensitivity: 'base' }) * (sort.up ? 1 : -1));
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
        {asked.size > 0 && (
          <Toggles
            label={trans.__('Show')}
            choices={[
              { value: 'all', label: trans.__('All') },
              { value: 'asked', label: trans.__('Asked for') }
            ]}
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
              <tr key={`${item.name} ${item.version}`}>
                <td>{plain(item.name)}</td>
                <td>{plain(item.version)}</td>
                <td className="jp-HpcEnv-muted jp-HpcEnv-optional">{plain(item.source)}</td>
                <td className="jp-HpcEnv-muted jp-HpcEnv-optional">{asked.has(folded(item.name)) ? trans.__('you') : ''}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <Blank
          text={[query ? trans.__('No package matches “%1”.', query) : trans.__('Nothing is installed.')]}
          actions={
            query && (
              <Button size="small" onClick={() => setQuery('')}>
                {trans.__('Clear filter')}
              </Button>
            )
          }
        />
      )}
    </div>
  );
}
