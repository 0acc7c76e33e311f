/** The log as it grows: follows its end until scrolled up, is searched, narrowed, copied and downloaded. */
import { Clipboard } from '@jupyterlab/apputils';
import { copyIcon, downloadIcon, moveDownIcon, moveUpIcon, searchIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { count } from '../format';
import { wrapIcon } from '../icons';
import type { ILogLine, IOperation } from '../tokens';
import { useHpcEnv } from '../ui/context';
import { Button, Icon, IconButton, Toggles } from '../ui/controls';
import { asText, bare, DRAWN, hits, IHit, LogFollower, runs } from './log';

type Level = 'all' | 'warning' | 'error';

export function LogView(props: { operation: IOperation; failed: boolean }): JSX.Element {
  const { trans, model, actions } = useHpcEnv();
  const { operation, failed } = props;
  const [, draw] = React.useReducer((n: number) => n + 1, 0);
  const log = React.useMemo(() => new LogFollower(model.api, operation.id, draw), [model, operation.id]);
  React.useEffect(() => {
    log.start();
    return () => log.stop();
  }, [log]);

  const [query, setQuery] = React.useState('');
  const [current, setCurrent] = React.useState(0);
  const [level, setLevel] = React.useState<Level>('all');
  const [wrap, setWrap] = React.useState(true);
  const [following, setFollowing] = React.useState(true);
  const [atError, setAtError] = React.useState(false);
  const box = React.useRef<HTMLDivElement>(null);
  const search = React.useRef<HTMLInputElement>(null);

  const { name } = operation.environment;
  const chosen = level === 'all' ? log.lines : log.lines.filter(line => line.kind === level);
  const shown = chosen.slice(-DRAWN);
  const found = React.useMemo(() => hits(shown.map(line => bare(line.text)), query), [query, level, log.lines.length]); // eslint-disable-line react-hooks/exhaustive-deps
  const at = found.length > 0 ? ((current % found.length) + found.length) % found.length : -1;
  const warnings = log.lines.filter(line => line.kind === 'warning').length;
  const errors = log.lines.filter(line => line.kind === 'error').length;

  React.useLayoutEffect(() => {
    const node = box.current;
    if (!node) {
      return;
    }
    const error = failed && log.complete && !atError ? node.querySelector<HTMLElement>('.jp-mod-error') : null;
    if (error) {
      node.scrollTop = Math.max(0, error.offsetTop - node.offsetTop - 40);
      setAtError(true);
      setFollowing(false);
    } else if (following && !query) {
      node.scrollTop = node.scrollHeight;
    }
  }, [log.lines.length, log.complete, following, failed, atError, query, level, log]);

  React.useLayoutEffect(() => {
    if (at >= 0) {
      box.current?.querySelector('mark.jp-mod-current')?.scrollIntoView?.({ block: 'nearest' });
    }
  }, [at, query]);

  const follow = (): void => {
    setQuery('');
    setFollowing(true);
  };
  const text = (): string => asText(log.lines);
  const download = (): void => {
    const url = URL.createObjectURL(new Blob([text()], { type: 'text/plain' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${name}-${operation.id}.log`;
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(url), 1000);
  };
  const state = query
    ? ''
    : atError && !following
      ? trans.__('Scrolled to the first error')
      : log.complete
        ? ''
        : following
          ? trans.__('Following the end')
          : '';

  return (
    <section
      className="jp-HpcEnv-log"
      aria-label={trans.__('Log of %1', name)}
      onKeyDown={event => {
        if (event.key.toLowerCase() === 'f' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          event.stopPropagation();
          search.current?.focus();
        }
      }}
    >
      <div className="jp-HpcEnv-logBar">
        <div className="jp-HpcEnv-field">
          <Icon icon={searchIcon} />
          <input
            ref={search}
            className="jp-HpcEnv-input"
            type="search"
            aria-label={trans.__('Search the log')}
            placeholder={trans.__('Search the log')}
            value={query}
            onChange={event => {
              setQuery(event.target.value);
              setCurrent(0);
            }}
            onKeyDown={event => {
              if (event.key === 'Enter') {
                event.preventDefault();
                setCurrent(at + (event.shiftKey ? -1 : 1));
              } else if (event.key === 'Escape' && query) {
                event.stopPropagation();
                setQuery('');
              }
            }}
          />
          {query && (
            <span className="jp-HpcEnv-fieldEnd">
              <span role="status">{found.length > 0 ? trans.__('%1 of %2', at + 1, found.length) : trans.__('none')}</span>
              <IconButton icon={moveUpIcon} label={trans.__('Previous hit')} onClick={() => setCurrent(at - 1)} />
              <IconButton icon={moveDownIcon} label={trans.__('Next hit')} onClick={() => setCurrent(at + 1)} />
            </span>
          )}
        </div>
        {warnings + errors > 0 && (
          <Toggles<Level>
            label={trans.__('Show')}
            choices={[
              { value: 'all' as const, label: trans.__('All') },
              ...(warnings ? [{ value: 'warning' as const, label: trans._n('%1 warning', '%1 warnings', warnings) }] : []),
              ...(errors ? [{ value: 'error' as const, label: trans._n('%1 error line', '%1 error lines', errors) }] : [])
            ]}
            value={level}
            onChange={setLevel}
          />
        )}
        <span className="jp-HpcEnv-push" />
        <IconButton icon={wrapIcon} label={trans.__('Wrap long lines')} on={wrap} onClick={() => setWrap(!wrap)} />
        <IconButton
          icon={copyIcon}
          label={trans.__('Copy log')}
          onClick={() => {
            Clipboard.copyToSystem(text());
            actions.announcer.say(trans.__('Copied.'));
          }}
        />
        <IconButton icon={downloadIcon} label={trans.__('Download log')} onClick={download} />
      </div>
      <div
        ref={box}
        className={`jp-HpcEnv-logLines${wrap ? '' : ' jp-mod-nowrap'}`}
        role="log"
        aria-live="off"
        aria-label={trans.__('Log of %1, lines', name)}
        tabIndex={0}
        onScroll={event => {
          const node = event.currentTarget;
          const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 24;
          if (atEnd !== following && !query) {
            setFollowing(atEnd);
          }
        }}
        onKeyDown={event => event.key === 'End' && follow()}
      >
        {chosen.length > shown.length && (
          <div>
            <span />
            <span className="ansi-d">
              {trans.__('The first %1 lines are left out here; the download has them.', count(chosen.length - shown.length))}
            </span>
          </div>
        )}
        {shown.map((line, index) => (
          <Line key={index} line={line} query={query} current={at >= 0 && found[at].line === index ? found[at] : null} />
        ))}
      </div>
      <div className="jp-HpcEnv-logFoot">
        <span>{trans._n('%1 line', '%1 lines', log.lines.length)}</span>
        {log.error ? <span>{trans.__('The log could not be read. Trying again.')}</span> : state && <span>{state}</span>}
        {!following && !log.complete && (
          <span>
            {trans.__('Paused')} ·{' '}
            <Button kind="minimal" size="small" onClick={follow}>
              {trans.__('Follow')}
            </Button>
          </span>
        )}
        <span className="jp-HpcEnv-push jp-HpcEnv-optional">{trans.__('Operation %1', operation.id)}</span>
      </div>
    </section>
  );
}

const CLASSES: Record<string, string | undefined> = { step: 'jp-mod-step', warning: 'jp-mod-warn', error: 'jp-mod-error' };

const Line = React.memo(function Line(props: { line: ILogLine; query: string; current: IHit | null }): JSX.Element {
  const { line, query, current } = props;
  return (
    <div className={CLASSES[line.kind]}>
      <span>{line.at.toFixed(2)}</span>
      <span>
        {query ? <Marked text={bare(line.text)} query={query} current={current} /> : runs(line.text).map((run, index) => (
          <span key={index} className={run.style || undefined}>
            {run.text}
          </span>
        ))}
      </span>
    </div>
  );
});

function Marked(props: { text: string; query: string; current: IHit | null }): JSX.Element {
  const parts: React.ReactNode[] = [];
  let from = 0;
  for (const hit of hits([props.text], props.query)) {
    parts.push(props.text.slice(from, hit.start));
    from = hit.start + props.query.length;
    parts.push(
      <mark key={hit.start} className={hit.start === props.current?.start ? 'jp-mod-current' : undefined}>
        {props.text.slice(hit.start, from)}
      </mark>
    );
  }
  return (
    <>
      {parts}
      {props.text.slice(from)}
    </>
  );
}
