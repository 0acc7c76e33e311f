/** Where installers keep what they fetched, and the way to clean that: what would go is said before anything goes. */
import { checkIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { bytes, count, plain } from '../format';
import { warnIcon } from '../icons';
import type { ICache, ICleaned } from '../tokens';
import { Trouble } from '../ui/blocks';
import { useHpcEnv, useModel } from '../ui/context';
import { useAskedAgain } from '../ui/asked-again';
import { Button, Icon } from '../ui/controls';
import { Refused, useSending } from '../ui/sending';

export function CacheList(): JSX.Element {
  const { trans, model } = useHpcEnv();
  const caches = useAskedAgain<ICache[]>(() => model.api.caches(), all => all.some(each => each.measuring), '');
  return (
    <section className="jp-HpcEnv-section" aria-label={trans.__('Caches')} aria-busy={!caches.value && !caches.error}>
      <header>
        <h2>{trans.__('Caches')}</h2>
      </header>
      <p className="jp-HpcEnv-muted">{trans.__('Packages that were fetched once are kept, so that the next environment is there sooner. What is cleaned is fetched again when it is needed.')}</p>
      {!!caches.error && !caches.value && <Trouble title={trans.__('The caches could not be read')} error={caches.error} onRetry={caches.reload} />}
      {caches.value?.length === 0 && <p>{trans.__('There are none.')}</p>}
      <ul className="jp-HpcEnv-findings jp-HpcEnv-caches">
        {caches.value?.map(cache => (
          <Cache key={`${cache.name} ${cache.path}`} cache={cache} onCleaned={caches.reload} />
        ))}
      </ul>
    </section>
  );
}

function Cache(props: { cache: ICache; onCleaned: () => void }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const model = useModel();
  const { cache } = props;
  const { busy, refused, send, forget } = useSending();
  const [plan, setPlan] = React.useState<ICleaned | null>(null);
  const [done, setDone] = React.useState<ICleaned | null>(null);
  const box = React.useRef<HTMLLIElement>(null);
  const button = React.useRef<HTMLButtonElement>(null);
  const name = plain(cache.name);
  const users = cache.used_by.map(id => model.environment(id)?.name ?? id).map(plain);
  const said =
    cache.bytes === null || cache.files === null
      ? cache.measuring
        ? trans.__('measuring…')
        : ''
      : trans._n('%2, %3 file', '%2, %3 files', cache.files, bytes(cache.bytes), count(cache.files));

  const ask = async (dry: boolean): Promise<void> => {
    let answer: ICleaned | undefined;
    const what = dry ? 'preview' : 'clean';
    const sent = await send(what, async () => {
      answer = (await model.api.cleanCaches([cache.name], dry)).find(each => each.name === cache.name);
    });
    if (!sent) {
      return;
    }
    const result = answer ?? { name: cache.name, path: cache.path, bytes: 0, files: 0, done: false, reason: '' };
    if (dry) {
      setDone(null);
      setPlan(result);
      actions.announcer.say(would(result));
      requestAnimationFrame(() => box.current?.querySelector<HTMLElement>('[data-plan]')?.focus());
    } else {
      setPlan(null);
      setDone(result);
      actions.announcer.say(did(result));
      props.onCleaned();
      requestAnimationFrame(() => button.current?.focus());
    }
  };
  const figures = (what: ICleaned): string => trans._n('%2 in %3 file', '%2 in %3 files', what.files, bytes(what.bytes), count(what.files));
  const would = (what: ICleaned): string => (what.done ? trans.__('Would go: %1.', figures(what)) : trans.__('Nothing would go.'));
  const did = (what: ICleaned): string => (what.done ? trans.__('Gone: %1.', figures(what)) : trans.__('Nothing went.'));
  const close = (): void => {
    setPlan(null);
    forget();
    requestAnimationFrame(() => button.current?.focus());
  };
  return (
    <li ref={box}>
      <div>
        {name} <span className="jp-HpcEnv-muted">{said}</span>
        <p className="jp-HpcEnv-path">
          <code>{plain(cache.path)}</code>
        </p>
        {cache.notes.map(note => (
          <p key={note}>{plain(note)}</p>
        ))}
        {users.length > 0 && <p>{trans.__('Used by %1: without it they would not work.', users.join(', '))}</p>}
        {cache.reason && <p>{plain(cache.reason)}</p>}
        {plan && (
          <div
            className="jp-HpcEnv-plan"
            role="group"
            aria-label={trans.__('Clean the cache of %1', name)}
            onKeyDown={event => {
              if (event.key === 'Escape') {
                event.stopPropagation();
                close();
              }
            }}
          >
            <h3 tabIndex={-1} data-plan="">
              {would(plan)}
            </h3>
            {plan.reason && <p>{plain(plan.reason)}</p>}
            <div className="jp-HpcEnv-actions">
              {plan.done && (
                <Button kind="accept" aria-disabled={busy} onClick={() => void ask(false)}>
                  {busy ? trans.__('Cleaning…') : trans.__('Clean')}
                </Button>
              )}
              <Button onClick={close}>{trans.__('Cancel')}</Button>
            </div>
          </div>
        )}
        {done && (
          <p className="jp-HpcEnv-cacheReason">
            <Icon icon={done.done ? checkIcon : warnIcon} kind={done.done ? 'ok' : 'warn'} />
            {[did(done), plain(done.reason)].filter(Boolean).join(' ')}
          </p>
        )}
        <Refused error={refused} />
      </div>
      {cache.cleanable && !plan && (
        <Button ref={button} size="small" aria-label={trans.__('Clean %1…', name)} aria-disabled={busy} onClick={() => void ask(true)}>
          {busy ? trans.__('Looking…') : trans.__('Clean…')}
        </Button>
      )}
    </li>
  );
}
