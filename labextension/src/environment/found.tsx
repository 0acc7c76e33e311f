/** Where a package can be had that somebody types: a module that brings it first, then indexes, channels and folders. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { channelName } from '../create/specs';
import { bytes, plain } from '../format';
import { moduleIcon } from '../icons';
import { asError } from '../request';
import type { IHit } from '../tokens';
import { useDelay, useHpcEnv, useLoaded, useRested } from '../ui/context';
import { Button, Icon } from '../ui/controls';

/** How long somebody rests before it is asked. */
const REST = 500;

/** The name in what is typed, as far as one can ask for it: `numpy` of `conda-forge::numpy >=2`; empty for none. */
export function wordOf(typed: string): string {
  const bare = typed.trim().replace(/^(\S+::|pip:\s*)/, '');
  const word = /^[A-Za-z0-9][A-Za-z0-9._-]{0,98}/.exec(bare)?.[0].replace(/[._-]+$/, '') ?? '';
  // an address or a path is no name
  return word.length < 2 || /^[:/@]/.test(bare.slice(word.length)) ? '' : word;
}

function folded(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** Modules first, then what has just this name, then what has it in its name, then who could not be asked. */
export function inOrder(hits: readonly IHit[], word: string): IHit[] {
  const rank = (hit: IHit): number => (!hit.version ? 3 : hit.source.startsWith('module ') ? 0 : folded(hit.name) === folded(word) ? 1 : 2);
  return [...hits].sort((a, b) => rank(a) - rank(b));
}

export const Found = React.forwardRef<
  HTMLElement,
  {
    environment: string;
    /** What is typed. */
    text: string;
    /** Names that are in the field already. */
    chosen: readonly string[];
    onAdd: (name: string) => void;
    /** Leads to where modules are chosen; undefined where there are none. */
    onModules?: () => void;
  }
>(function Found(props, ref): JSX.Element {
  const { text, chosen } = props;
  // what has become a package of the field is still looked at
  const word = useRested(wordOf(text) || wordOf(chosen[chosen.length - 1] ?? ''), REST);
  const { trans } = useHpcEnv();
  return (
    <section
      ref={ref}
      className="jp-HpcEnv-found"
      aria-label={trans.__('Search results')}
      // what is typed stays as it is while one of these is pressed
      onMouseDown={event => event.preventDefault()}
    >
      {word && <Hits key={word} {...props} word={word} />}
    </section>
  );
});

function Hits(props: { environment: string; word: string; chosen: readonly string[]; onAdd: (name: string) => void; onModules?: () => void }): JSX.Element | null {
  const { trans, actions, model } = useHpcEnv();
  const { word } = props;
  const late = useDelay(200);
  const found = useLoaded(() => model.api.search(props.environment, word), word);
  const hits = found.value && inOrder(found.value, word);
  const there = hits?.filter(hit => hit.version).length;
  React.useEffect(() => {
    if (there !== undefined) {
      actions.announcer.say(trans._n('%1 result for %2.', '%1 results for %2.', there, word));
    }
  }, [actions, trans, there, word]);
  if (found.error) {
    const error = asError(found.error);
    // a server that can not search is not asked in vain
    return error.status === 404 ? null : <p className="jp-HpcEnv-hint">{error.offline ? trans.__('The server does not answer.') : plain(error.message)}</p>;
  }
  if (!hits) {
    return late ? (
      <p className="jp-HpcEnv-hint">
        <span className="jp-HpcEnv-spinner" />
        {trans.__('Searching for %1…', word)}
      </p>
    ) : null;
  }
  return (
    <>
      {there === 0 && <p className="jp-HpcEnv-hint">{trans.__('Nobody who was asked has %1.', word)}</p>}
      {hits.length > 0 && (
        <ul className="jp-HpcEnv-list" aria-label={trans.__('Where %1 can be had', word)}>
          {hits.map(hit => (
            <Hit key={`${hit.source} ${hit.name} ${hit.version} ${hit.note}`} {...props} hit={hit} />
          ))}
        </ul>
      )}
    </>
  );
}

function Hit(props: { hit: IHit; chosen: readonly string[]; onAdd: (name: string) => void; onModules?: () => void }): JSX.Element {
  const { trans } = useHpcEnv();
  const { hit, onModules } = props;
  const name = plain(hit.name);
  const module = hit.source.startsWith('module ');
  const more = [
    hit.installed && trans.__('%1 is installed', plain(hit.installed)),
    !module && hit.versions > 1 && trans._n('%1 version', '%1 versions', hit.versions),
    hit.size !== null && hit.size > 0 && bytes(hit.size)
  ].filter(Boolean);
  const taken = props.chosen.some(each => folded(wordOf(each)) === folded(hit.name));
  return (
    <li>
      <span>
        {module ? (
          <>
            <b>{trans.__('Module %1 has it', plain(hit.source.slice('module '.length)))}</b> <span className="jp-HpcEnv-muted">{`${name} ${plain(hit.version)}`}</span>
          </>
        ) : (
          <>
            {name} <span className="jp-HpcEnv-muted">{plain(hit.version)}</span>
          </>
        )}
      </span>
      {hit.summary && <small>{plain(hit.summary)}</small>}
      <small>
        {module && <Icon icon={moduleIcon} />}
        {[module ? '' : placeOf(hit.source, trans), ...more].filter(Boolean).join(' · ')}
      </small>
      {hit.note && <small>{plain(hit.note)}</small>}
      <div className="jp-HpcEnv-actions">
        {module && onModules && (
          <Button size="small" onClick={onModules}>
            {trans.__('Show modules')}
          </Button>
        )}
        {!module && hit.version && !taken && (
          <Button size="small" aria-label={trans.__('Add %1', name)} onClick={() => props.onAdd(hit.name)}>
            {trans.__('Add')}
          </Button>
        )}
      </div>
    </li>
  );
}

/** Where it lies, in few words. */
function placeOf(source: string, trans: TranslationBundle): string {
  const [, kind, at] = /^(index|channel|folder) (.*)$/s.exec(source) ?? [];
  switch (kind) {
    case 'channel':
      return trans.__('channel %1', plain(channelName(at)));
    case 'index':
      return trans.__('index %1', plain(at.replace(/^https?:\/\//, '').replace(/\/simple\/?$/, '')));
    case 'folder':
      return trans.__('folder %1', plain(at));
    default:
      return plain(source);
  }
}
