/** What was done to an environment, by whom and when; and the way back from the last change of its packages. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { asPlan } from '../create/plan';
import { PlanBody } from '../create/preview';
import { moment, plain } from '../format';
import { asError } from '../request';
import type { IEnvironmentDetail, IEvent, IOperation, IUndo } from '../tokens';
import { Blank, Trouble } from '../ui/blocks';
import { useHpcEnv, useLoaded, useModel } from '../ui/context';
import { Button, Hidden, IconButton } from '../ui/controls';
import { Refused, useSending } from '../ui/sending';
import { Notes, touched } from './change-plan';

/** How many events are drawn before somebody asks for all. */
const NEWEST = 50;

export function History(props: {
  environment: IEnvironmentDetail;
  /** The operation that ended last. */
  changed: string;
  onUndone: (operation: IOperation) => void;
}): JSX.Element {
  const { trans, model } = useHpcEnv();
  const { environment, changed } = props;
  const [all, setAll] = React.useState(false);
  const key = `${environment.id} ${environment.revision} ${changed}`;
  const history = useLoaded(() => model.api.history(environment.id), key);
  const events = [...(history.value ?? [])].reverse();
  return (
    <div className="jp-HpcEnv-packages">
      <UndoLast key={key} {...props} />
      <section className="jp-HpcEnv-section" aria-label={trans.__('What was done')} aria-busy={!history.value && !history.error}>
        <header>
          <h2>{trans.__('What was done')}</h2>
        </header>
        {history.error ? (
          <Trouble title={trans.__('The history could not be read')} error={history.error} onRetry={history.reload} />
        ) : (
          history.value && events.length === 0 && <Blank text={[trans.__('Nothing is written down of it.')]} />
        )}
        <ol className="jp-HpcEnv-history" reversed>
          {events.slice(0, all ? undefined : NEWEST).map((event, at) => (
            <Line key={events.length - at} event={event} />
          ))}
        </ol>
        {!all && events.length > NEWEST && (
          <div className="jp-HpcEnv-actions">
            <Button onClick={() => setAll(true)}>{trans.__('Show all %1', events.length)}</Button>
          </div>
        )}
      </section>
    </div>
  );
}

function Line(props: { event: IEvent }): JSX.Element {
  const { trans } = useHpcEnv();
  const { event } = props;
  const by = event.host ? trans.__('%1 on %2', event.user, event.host) : event.user;
  const many = event.packages.length;
  return (
    <li>
      <b>{verbWord(event.verb, trans)}</b>
      <time className="jp-HpcEnv-muted jp-HpcEnv-small" dateTime={event.at}>
        {[moment(event.at), plain(by)].filter(Boolean).join(' · ')}
      </time>
      {event.detail && <p>{plain(event.detail)}</p>}
      {many > 0 && (
        <details>
          <summary>{trans._n('%1 package', '%1 packages', many)}</summary>
          <ul>
            {event.packages.map(line => (
              <Package key={line} line={line} />
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

/** `+ rich 14.1`: a sign for eyes, a word for ears. */
function Package(props: { line: string }): JSX.Element {
  const { trans } = useHpcEnv();
  const [, sign, rest] = /^([+~-]) (.*)$/s.exec(props.line) ?? [];
  const words: Record<string, string> = { '+': trans.__('Came:'), '~': trans.__('Changed:'), '-': trans.__('Went:') };
  return (
    <li>
      {sign && (
        <>
          <span aria-hidden="true">{sign === '-' ? '−' : sign}</span>
          <Hidden>{words[sign]} </Hidden>
        </>
      )}
      <span>{plain(rest ?? props.line)}</span>
    </li>
  );
}

/** What was done, as a person says it; a word of a newer server stands as it is. */
export function verbWord(verb: string, trans: TranslationBundle): string {
  const words: Record<string, string> = {
    create: trans.__('Created'),
    change: trans.__('Packages changed'),
    undo: trans.__('Last change undone'),
    repair: trans.__('Repaired'),
    rebuild: trans.__('Built again'),
    move: trans.__('Moved'),
    share: trans.__('Shared'),
    unshare: trans.__('Not shared any more'),
    use: trans.__('Taken into use'),
    unuse: trans.__('Not used any more'),
    adopt: trans.__('Adopted'),
    edit: trans.__('Edited'),
    delete: trans.__('Deleted'),
    restore: trans.__('Restored')
  };
  return Object.hasOwn(words, verb) ? words[verb] : plain(verb);
}

/** What undoing would do, before it is done. */
function UndoLast(props: { environment: IEnvironmentDetail; changed: string; onUndone: (operation: IOperation) => void }): JSX.Element | null {
  const { trans, model } = useHpcEnv();
  const { environment } = props;
  const [open, setOpen] = React.useState(false);
  const button = React.useRef<HTMLButtonElement>(null);
  const undo = useLoaded(() => model.api.undoable(environment.id), environment.id);
  const busy = useModel().running.some(each => each.environment.id === environment.id);
  if (undo.error) {
    // a server that does not know the way says nothing of it
    return asError(undo.error).status === 404 ? null : (
      <Trouble title={trans.__('What can be undone could not be read')} error={undo.error} onRetry={undo.reload} />
    );
  }
  if (!undo.value || busy) {
    return null;
  }
  if (undo.value.what !== 'change') {
    return <p className="jp-HpcEnv-muted">{plain(undo.value.sentence)}</p>;
  }
  const close = (): void => {
    setOpen(false);
    requestAnimationFrame(() => button.current?.focus());
  };
  return open ? (
    <UndoPlan environment={environment} undo={undo.value} onUndone={props.onUndone} onClose={close} />
  ) : (
    <div className="jp-HpcEnv-actions">
      <Button ref={button} onClick={() => setOpen(true)}>
        {trans.__('Undo the last change…')}
      </Button>
      <span className="jp-HpcEnv-muted jp-HpcEnv-small">{trans.__('Possible until %1.', moment(undo.value.until))}</span>
    </div>
  );
}

function UndoPlan(props: {
  environment: IEnvironmentDetail;
  undo: IUndo;
  onUndone: (operation: IOperation) => void;
  onClose: () => void;
}): JSX.Element {
  const { trans, actions, model } = useHpcEnv();
  const { environment, undo, onClose } = props;
  const { busy, refused, send } = useSending();
  const heading = React.useRef<HTMLHeadingElement>(null);
  React.useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const plan = undo.plan && asPlan({ ...undo.plan });
  const run = (): void => {
    void send('undo', async key => {
      props.onUndone(await actions.undo(environment, key));
    });
  };
  return (
    <section
      className="jp-HpcEnv-plan jp-HpcEnv-undoPlan"
      aria-label={trans.__('Undo the last change')}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onClose();
        } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          event.stopPropagation();
          run();
        }
      }}
    >
      <header className="jp-HpcEnv-planHead">
        <h2 ref={heading} tabIndex={-1}>
          {trans.__('Undo the last change')}
        </h2>
        <IconButton icon={closeIcon} label={trans.__('Discard plan')} onClick={onClose} />
      </header>
      <p>
        {plain(undo.sentence)}{' '}
        <span className="jp-HpcEnv-muted">{trans.__('It was done by %1, %2.', plain(undo.user), moment(undo.at))}</span>
      </p>
      {plan && (
        <PlanBody
          plan={plan}
          count={touched(plan)}
          unit={trans._n('package changes', 'packages change', touched(plan))}
          label={trans.__('Packages of the plan')}
          pip={trans.__('Changed by pip')}
          none={trans.__('No package is another one.')}
        >
          <Notes running={model.kernelsRunning(environment)} />
        </PlanBody>
      )}
      <Refused error={refused} />
      <div className="jp-HpcEnv-actions">
        <Button kind="accept" aria-disabled={busy} onClick={run}>
          {busy ? trans.__('Sending…') : trans.__('Undo it')}
        </Button>
        <Button onClick={onClose}>{trans.__('Cancel')}</Button>
      </div>
    </section>
  );
}
