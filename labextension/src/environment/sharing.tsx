/** Who besides its owner may use an environment: said, given and taken back; and a colleague's environment taken into use. */
import React from 'react';
import { canShare, canUse, isUsed } from '../actions';
import { plain } from '../format';
import { sharedWith } from '../operation/outcome';
import type { IEnvironmentDetail, ILocation } from '../tokens';
import { Callout, Wrong } from '../ui/blocks';
import { useHpcEnv, useLoaded, useModel } from '../ui/context';
import { Button, Segments } from '../ui/controls';
import { Refused, useSending } from '../ui/sending';
import { Form } from './form';

/** What the overview says of sharing; nothing where there is nothing to say. */
export function Sharing(props: { environment: IEnvironmentDetail }): JSX.Element | null {
  const { environment } = props;
  if (environment.origin === 'own') {
    return environment.shared ? <Shared environment={environment} shared={environment.shared} /> : null;
  }
  return canUse(environment) || isUsed(environment) ? <Using environment={environment} /> : null;
}

function Section(props: { title: string; text: string; children: React.ReactNode }): JSX.Element {
  return (
    <section className="jp-HpcEnv-section" aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
      </header>
      <p>{props.text}</p>
      {props.children}
    </section>
  );
}

function Shared(props: { environment: IEnvironmentDetail; shared: { group: string } }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { environment, shared } = props;
  const { busy, refused, send } = useSending();
  return (
    <Section
      title={trans.__('Shared')}
      text={trans.__('Shared with %1. They can use it; only you can change it.', sharedWith(shared, trans))}
    >
      {canShare(environment) && (
        <div className="jp-HpcEnv-actions">
          <Button aria-disabled={busy} onClick={() => void send('unshare', key => actions.unshare(environment, key))}>
            {busy ? trans.__('Sending…') : trans.__('Stop sharing')}
          </Button>
        </div>
      )}
      <Refused error={refused} />
    </Section>
  );
}

/** A colleague's: what using it means, before it is used; and the way out of it. */
function Using(props: { environment: IEnvironmentDetail }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { environment } = props;
  const { busy, refused, send } = useSending();
  // added just now, and there was no kernel to publish: the list of kernels does not tell that from before
  const [bare, setBare] = React.useState(false);
  const used = isUsed(environment);
  const owner = plain(environment.owner) || trans.__('its owner');
  const text = used
    ? trans.__('You use it: a kernel of your own starts what %1 put there.', owner)
    : bare
      ? trans.__('It was added without a kernel, for %1 made it without one: there is nothing of it on the launcher. It can be used in a terminal.', owner)
      : trans.__('You get a kernel of your own. To use it is to run what %1 put there, today and later.', owner);
  // the button that was pressed gives its place to the other one, and the focus stays on it
  const use = async (): Promise<void> => setBare(!(await actions.use(environment)));
  const unuse = async (): Promise<void> => {
    await actions.unuse(environment);
    setBare(false);
  };
  const act =
    used || bare
      ? { label: trans.__('Stop using'), busy: trans.__('Sending…'), run: () => send('unuse', unuse) }
      : { label: trans.__('Use'), busy: trans.__('Proving the kernel…'), run: () => send('use', use) };
  return (
    <Section title={trans.__('Use')} text={text}>
      <div className="jp-HpcEnv-actions">
        <Button aria-disabled={busy} onClick={() => void act.run()}>
          {busy ? act.busy : act.label}
        </Button>
      </div>
      <Refused error={refused} />
    </Section>
  );
}

interface IShareForm {
  environment: IEnvironmentDetail;
  onClose: () => void;
  onDone: () => void;
  /** Asks where to move it. */
  onMove: () => void;
}

/** Asked with whom, where it lies in a location for sharing; elsewhere the way there. */
export function ShareForm(props: IShareForm): JSX.Element {
  const model = useModel();
  const read = useLoaded(() => model.refreshSite(), props.environment.id);
  const locations = (read.value ?? model.site)?.locations ?? [];
  const here = locations.find(each => each.name === props.environment.location);
  // a server that does not say it is asked, and answers for itself
  return here?.sharing === false ? <NotForSharing {...props} others={locations.filter(each => each.sharing)} /> : <Whom {...props} />;
}

/** The server would refuse it: said before anything is filled in. */
function NotForSharing(props: IShareForm & { others: readonly ILocation[] }): JSX.Element {
  const { trans } = useHpcEnv();
  const { environment, others } = props;
  const names = others.map(each => plain(each.name)).join(', ');
  return (
    <Form
      title={trans.__('Share %1', plain(environment.name))}
      text={trans.__('Those whom you name can use it and read what is in it, its variables too. Only you can change it.')}
      accept={others.length > 0 ? trans.__('Move to…') : undefined}
      busy={false}
      onAccept={() => others.length > 0 && props.onMove()}
      onClose={props.onClose}
    >
      <Callout kind="warn">
        <b>{trans.__('The location %1 is not for sharing.', plain(environment.location))}</b>
        <p>
          {others.length > 0
            ? trans._n('%2 is. Move it there first.', 'These are: %2. Move it to one of them first.', others.length, names)
            : trans.__('No location on this machine is. Ask its staff for one.')}
        </p>
      </Callout>
    </Form>
  );
}

/** Asked with whom; nothing is sent before its button is pressed. */
function Whom(props: Omit<IShareForm, 'onMove'>): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { environment } = props;
  const { busy, refused, send, forget } = useSending();
  const [whom, setWhom] = React.useState<'group' | 'everybody'>(environment.shared?.group === '' ? 'everybody' : 'group');
  const [group, setGroup] = React.useState(environment.shared?.group ?? '');
  const [tried, setTried] = React.useState(false);
  const field = React.useRef<HTMLInputElement>(null);
  const id = `hpcenv-${environment.id}-share`;
  const wanted = group.trim();
  const wrong = tried && whom === 'group' && !wanted ? trans.__('Name one of your groups.') : '';
  const share = async (): Promise<void> => {
    setTried(true);
    if (whom === 'group' && !wanted) {
      field.current?.focus();
      return;
    }
    const request = whom === 'group' ? { group: wanted } : { everybody: true };
    if (await send(JSON.stringify(request), key => actions.share(environment, request, key))) {
      props.onDone();
    }
  };
  return (
    <Form
      title={trans.__('Share %1', plain(environment.name))}
      text={trans.__('Those whom you name can use it and read what is in it, its variables too. Only you can change it.')}
      accept={busy ? trans.__('Sending…') : trans.__('Share')}
      busy={busy}
      onAccept={() => void share()}
      onClose={props.onClose}
    >
      <Segments
        label={trans.__('With whom')}
        name={`${id}-whom`}
        choices={[
          { value: 'group', label: trans.__('A group') },
          { value: 'everybody', label: trans.__('Everybody on this machine') }
        ]}
        value={whom}
        onChange={value => {
          setWhom(value);
          forget();
        }}
      />
      {whom === 'group' && (
        <>
          <label htmlFor={id}>{trans.__('Group')}</label>
          <input
            className="jp-HpcEnv-input jp-HpcEnv-nameInput"
            id={id}
            ref={field}
            value={group}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            aria-invalid={!!wrong}
            aria-describedby={wrong ? `${id}-wrong` : `${id}-hint`}
            onChange={event => {
              setGroup(event.target.value);
              forget();
            }}
          />
          <Wrong id={`${id}-wrong`} text={wrong} />
          {!wrong && (
            <div className="jp-HpcEnv-hint" id={`${id}-hint`}>
              {trans.__('One that you are a member of yourself.')}
            </div>
          )}
        </>
      )}
      <Refused error={refused} />
    </Form>
  );
}
