/** The first run: what this is, and what is worth a look before there is an environment of one's own. */
import React from 'react';
import { bytes, plain } from '../format';
import { layersIcon } from '../icons';
import { facts } from '../room/filled';
import type { ICache } from '../tokens';
import { Blank, Code } from '../ui/blocks';
import { useHpcEnv, useLoaded, useModel } from '../ui/context';
import { Button } from '../ui/controls';

const COMMAND = 'jupyter hpcenv setup --user';

export function FirstRun(props: { found: number }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const model = useModel();
  const caches = useLoaded<ICache[]>(() => model.api.caches(), 'caches');
  const places = model.site?.locations ?? [];
  const place = places.find(location => location.default);
  const home = places.length > 1 ? (caches.value ?? []).filter(cache => cache.on_home).map(cache => plain(cache.name)) : [];
  const where = place && [
    place.free_bytes === null
      ? trans.__('Environments lie in %1 unless you say otherwise.', plain(place.name))
      : trans.__('Environments lie in %1 unless you say otherwise: %2 free.', plain(place.name), bytes(place.free_bytes)),
    ...facts(place, trans)
  ].join(' ');
  const said = [
    where ?? '',
    home.length > 0 ? trans._n('%2 keeps what it fetches in your home.', '%2 keep what they fetch in your home.', home.length, home.join(', ')) : '',
    props.found > 0
      ? trans._n('%1 environment of other tools was found, which can have a kernel.', '%1 environments of other tools were found, which can have kernels.', props.found)
      : ''
  ].filter(Boolean);
  return (
    <>
      <Blank
        icon={layersIcon}
        title={trans.__('No environments yet')}
        text={[trans.__('An environment is a Python with packages of its own. Each one becomes a kernel on the launcher.')]}
        actions={
          <>
            <Button kind="accept" onClick={() => actions.pages?.create()}>
              {trans.__('New environment')}
            </Button>
            <Button kind="minimal" onClick={() => actions.pages?.create({}, 'file')}>
              {trans.__('From a file…')}
            </Button>
          </>
        }
      />
      {said.length > 0 && (
        <section className="jp-HpcEnv-first" aria-label={trans.__('Before the first one')}>
          <h3>{trans.__('Before the first one')}</h3>
          <ul>
            {said.map(text => (
              <li key={text}>{text}</li>
            ))}
          </ul>
          <p>{trans.__('In a terminal, this asks what you want of that:')}</p>
          <Code text={COMMAND} label={trans.__('Copy the command')} />
          <Button size="small" onClick={() => actions.pages?.open({ view: 'room' })}>
            {trans.__('Room and caches')}
          </Button>
        </section>
      )}
    </>
  );
}
