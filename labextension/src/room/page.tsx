/** Where room is, and what takes it: locations, environments by size, and the caches of installers. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { bytes, count, plain } from '../format';
import { warnIcon } from '../icons';
import type { ISize } from '../tokens';
import { Trouble } from '../ui/blocks';
import { useHpcEnv, useLoaded, useModel } from '../ui/context';
import { useAskedAgain } from '../ui/asked-again';
import { Button, Icon } from '../ui/controls';
import { CacheList } from './caches';
import { facts, Filled } from './filled';

export function RoomPage(): JSX.Element {
  const { trans } = useHpcEnv();
  return (
    <div className="jp-HpcEnv jp-HpcEnv-page">
      <div className="jp-HpcEnv-pageHead">
        <h1 tabIndex={-1}>{trans.__('Room and caches')}</h1>
      </div>
      <div className="jp-HpcEnv-packages">
        <Locations />
        <Sizes />
        <CacheList />
      </div>
    </div>
  );
}

function Locations(): JSX.Element {
  const { trans } = useHpcEnv();
  const model = useModel();
  const read = useLoaded(() => model.refreshSite(), 'site');
  const site = read.value ?? model.site;
  return (
    <section className="jp-HpcEnv-section" aria-label={trans.__('Locations')} aria-busy={!site && !read.error}>
      <header>
        <h2>{trans.__('Locations')}</h2>
      </header>
      {!site && !!read.error && <Trouble title={trans.__('The locations could not be read')} error={read.error} onRetry={read.reload} />}
      <ul className="jp-HpcEnv-room">
        {site?.locations.map(location => (
          <li key={location.name}>
            <div>
              <b>{plain(location.name)}</b>
              <p>{plain(location.description || location.root)}</p>
              {facts(location, trans).map(fact => (
                <p key={fact}>{fact}</p>
              ))}
              {location.state !== 'ready' && (
                <p className="jp-HpcEnv-tag">
                  <Icon icon={warnIcon} kind="warn" />
                  {plain(location.message) || trans.__('not available now')}
                </p>
              )}
            </div>
            <Filled location={location} what="bytes" />
            <Filled location={location} what="files" />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Sizes(): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const there = useModel().environments.map(each => `${each.id} ${each.location}`).join(' ');
  const sizes = useAskedAgain<ISize[]>(() => model.api.sizes(), all => all.some(each => each.measuring), there);
  const all = [...(sizes.value ?? [])].sort((a, b) => (b.bytes ?? -1) - (a.bytes ?? -1) || a.name.localeCompare(b.name));
  const known = all.filter(each => each.bytes !== null);
  const sum = known.reduce((total, each) => total + (each.bytes ?? 0), 0);
  return (
    <section className="jp-HpcEnv-section" aria-label={trans.__('Environments by size')} aria-busy={!sizes.value && !sizes.error}>
      <header>
        <h2>{trans.__('Environments by size')}</h2>
        {known.length > 1 && <span className="jp-HpcEnv-muted jp-HpcEnv-small">{trans.__('%1 in all', bytes(sum))}</span>}
      </header>
      {!!sizes.error && !sizes.value && <Trouble title={trans.__('The sizes could not be read')} error={sizes.error} onRetry={sizes.reload} />}
      {sizes.value && all.length === 0 && <p className="jp-HpcEnv-muted">{trans.__('You have no environments yet.')}</p>}
      {all.length > 0 && (
        <table className="jp-HpcEnv-table jp-mod-plain" aria-label={trans.__('Environments by size')}>
          <thead>
            <tr>
              <th scope="col">{trans.__('Environment')}</th>
              <th scope="col" className="jp-HpcEnv-optional">
                {trans.__('Location')}
              </th>
              <th scope="col" className="jp-HpcEnv-num">
                {trans.__('Size')}
              </th>
              <th scope="col" className="jp-HpcEnv-num jp-HpcEnv-optional">
                {trans.__('Files')}
              </th>
            </tr>
          </thead>
          <tbody>
            {all.map(size => (
              <tr key={size.environment}>
                <td>
                  <Button kind="minimal" onClick={() => actions.pages?.open({ environment: size.environment })}>
                    {plain(size.name)}
                  </Button>
                  {/* where the page is narrow, in place of the column */}
                  <div className="jp-HpcEnv-muted jp-HpcEnv-small jp-HpcEnv-narrow">{plain(size.location)}</div>
                </td>
                <td className="jp-HpcEnv-muted jp-HpcEnv-optional">{plain(size.location)}</td>
                <td className="jp-HpcEnv-num">{sizeOf(size, trans)}</td>
                <td className="jp-HpcEnv-num jp-HpcEnv-optional">{size.files === null ? '' : count(size.files)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** A size, or why there is none yet. */
function sizeOf(size: ISize, trans: TranslationBundle): string {
  if (size.bytes !== null) {
    return bytes(size.bytes);
  }
  return size.measuring ? trans.__('measuring…') : plain(size.message);
}
