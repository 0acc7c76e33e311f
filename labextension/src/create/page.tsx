/** The page for a new environment: one page, no wizard; nothing is sent before its button is pressed. */
import { UUID } from '@lumino/coreutils';
import React from 'react';
import { plain } from '../format';
import { referenceOf } from '../environment/wish';
import { useModuleCheck } from '../modules/check';
import { asError, HpcEnvError } from '../request';
import type { ICreateRequest, IEnvironment, IManagerFacts, IOperation, ISite } from '../tokens';
import { Blank, Trouble, Wrong } from '../ui/blocks';
import { useDelay, useHpcEnv, useLoaded, useModel } from '../ui/context';
import { Button, Segments } from '../ui/controls';
import { ChannelField } from './channel-field';
import { Copied } from './copied';
import { restRequest, shellCommand } from './command';
import { CommandBox } from './command-box';
import { fileKind } from './described';
import { checkName, chosenLocation, defaultTitle, Draft, Field, fieldOf, fileText, problems, toRequest, withFile } from './draft';
import { LocationField, NameField, PythonField, Question, VariableRows } from './fields';
import { GpuField, ManagerChoice, ManagerNotes, VersionField } from './manager-fields';
import { chosenManager, condaManager, offered, settled, switched } from './managers';
import { ModuleHint } from './module-hint';
import { Modules } from './modules';
import { Options } from './options';
import { PackageField } from './package-field';
import { usePlanner } from './plan';
import { isBlank, ofPreset } from './prepared';
import { Presets } from './presets';
import { toldOf } from './preview';
import { StartFile } from './start';
import { Summary } from './summary';

const ORDER: Field[] = [
  'requirements',
  'name',
  'manager',
  'python',
  'channels',
  'packages',
  'cuda',
  'modules',
  'location',
  'variables',
  'on',
  'options',
  'build'
];

export function CreatePage(props: { draft: Draft; onSubmitted: (operation: IOperation) => void }): JSX.Element {
  const { trans, model } = useHpcEnv();
  const site = useLoaded(() => model.refreshSite(), 'site');
  const late = useDelay(200);
  // what was read before stands until it is read anew: the form is there at once
  const known = site.value ?? model.site;
  return (
    <div className="jp-HpcEnv jp-HpcEnv-page" aria-busy={!known && !site.error}>
      <div className="jp-HpcEnv-pageHead">
        <h1 tabIndex={-1}>{trans.__('New environment')}</h1>
      </div>
      {known ? (
        <Form draft={props.draft} site={known} onSubmitted={props.onSubmitted} />
      ) : site.error ? (
        <Trouble title={trans.__('What this machine offers could not be read')} error={site.error} onRetry={site.reload} />
      ) : (
        late && <Blank text={[trans.__('Looking for Pythons and locations…')]} role="status" />
      )}
    </div>
  );
}

/** A request as a person would type it: what is copied has a name, as far as that is enough. */
function inWords(request: ICreateRequest, environments: readonly IEnvironment[]): ICreateRequest {
  const source = environments.find(each => each.id === request.clone_of && each.origin !== 'foreign');
  return source ? { ...request, clone_of: referenceOf(source, environments) } : request;
}

function Form(props: { draft: Draft; site: ISite; onSubmitted: (operation: IOperation) => void }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const model = useModel();
  const { draft, site } = props;
  const [, redraw] = React.useReducer((n: number) => n + 1, 0);
  const [tried, setTried] = React.useState(false);
  const [sending, setSending] = React.useState(false);
  const [refusal, setRefusal] = React.useState<HpcEnvError | null>(null);
  const form = React.useRef<HTMLFormElement>(null);
  const aside = React.useRef<HTMLElement>(null);
  const id = `hpcenv-${draft.key.slice(0, 8)}`;

  // once, before anything is drawn of it: what the draft means on this site
  const presets = site.presets ?? [];
  React.useState(() => {
    Object.assign(draft, settled(draft, site));
    if (!draft.cloneOf && presets.some(each => !each.message) && isBlank(draft)) {
      draft.start = 'preset';
    }
  });
  const showPreview = (): void => {
    // where the page is narrow the summary is far from the button that was pressed
    requestAnimationFrame(() => aside.current?.querySelector('.jp-HpcEnv-preview')?.scrollIntoView?.({ block: 'nearest' }));
  };
  const planner = usePlanner(preview => {
    const told = toldOf(preview, trans);
    if (preview.is === 'failed') {
      actions.announcer.alert(told);
    } else {
      actions.announcer.say(told);
    }
    showPreview();
  });
  const { preview } = planner;

  React.useEffect(() => {
    void model.modules.refresh();
  }, [model]);
  React.useEffect(() => {
    form.current?.querySelector<HTMLElement>('[data-first]')?.focus();
  }, []);

  // the draft outlives this component: leaving the page with input keeps it
  const change = (fields: Partial<Draft>): void => {
    // another request: what was sent before must not answer for it
    Object.assign(draft, fields, { idempotency: UUID.uuid4() });
    setRefusal(null);
    planner.drop();
    redraw();
  };
  const name = checkName(draft, site, model.environments, model.operations, trans);
  const found = problems(draft, name, site, trans);
  const location = chosenLocation(draft, site);
  const manager = chosenManager(draft, site);
  const managers = offered(draft, site);
  const conda = draft.language === 'conda' && !draft.cloneOf;
  const refusedField = refusal && fieldOf(refusal.code, draft);
  const checked = useModuleCheck(draft.modules, draft.collection);
  const wrong = (field: Field): string | undefined =>
    refusal && refusedField === field ? [refusal.message, ...refusal.hints].join(' ') : tried ? found[field] : undefined;

  const focusField = (field: Field): void => {
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>(`[data-field="${field}"]`)?.focus());
  };
  /** True if nothing is known to be wrong; else the first wrong field has the focus. */
  const right = (): boolean => {
    setTried(true);
    const first = ORDER.find(field => found[field]);
    if (first) {
      focusField(first);
    }
    return !first;
  };
  const refused = (error: HpcEnvError): void => {
    setRefusal(error);
    actions.announcer.alert(error.message);
    const field = fieldOf(error.code, draft);
    if (field) {
      focusField(field);
    }
  };
  const submit = async (): Promise<void> => {
    if (sending || !right()) {
      return;
    }
    setSending(true);
    try {
      props.onSubmitted(await actions.submit(toRequest(draft), draft.idempotency));
    } catch (reason) {
      setSending(false);
      refused(asError(reason));
    }
  };
  const look = async (): Promise<void> => {
    if (preview.is === 'working' || preview.is === 'done') {
      planner.drop();
    } else if (!sending && right()) {
      setRefusal(null);
      actions.announcer.say(trans.__('Working out what would be installed.'));
      const error = await planner.start(toRequest(draft));
      if (error) {
        refused(error);
      }
    }
  };
  const choose = (other: IManagerFacts): void => change(switched(draft, other, site));
  const takeFile = (text: string, fileName: string): void => {
    const reader = conda || !fileKind(text) ? undefined : condaManager(site);
    if (reader) {
      // no other manager reads it
      const other = { ...draft, ...switched(draft, reader, site) };
      actions.announcer.say(trans.__('%1 reads this file.', plain(reader.name)));
      change({ ...other, ...withFile(other, text, fileName), requirements: '' });
    } else {
      change(withFile(draft, text, fileName));
    }
  };
  const useModule = (requirement: string, modules: string[]): void => {
    const venv = site.managers.find(each => each.language !== 'conda');
    const other = conda && venv ? { ...draft, ...switched(draft, venv, site) } : draft;
    change({ ...other, packages: other.packages.filter(each => each !== requirement), modules });
  };
  const buttons = (
    <>
      <Button kind="accept" size="wide" aria-disabled={sending} onClick={() => void submit()}>
        {sending ? trans.__('Sending…') : trans.__('Create')}
      </Button>
      {conda && (
        <Button size="wide" onClick={() => void look()}>
          {preview.is === 'working' ? trans.__('Cancel preview') : preview.is === 'done' ? trans.__('Discard preview') : trans.__('Preview')}
        </Button>
      )}
    </>
  );
  const choice = <ManagerChoice id={`${id}-manager`} managers={managers} value={manager} onChange={choose} />;
  const summary = location ? trans.__('in %1', location.name) : '';

  return (
    <>
      <div
        className="jp-HpcEnv-split"
        onKeyDown={event => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            event.stopPropagation();
            void submit();
          }
        }}
      >
        <form
          ref={form}
          aria-label={trans.__('New environment')}
          noValidate
          onSubmit={event => {
            event.preventDefault();
            void submit();
          }}
        >
          {draft.cloneOf ? (
            <Copied
              id={id}
              draft={draft}
              onChange={fields => {
                change(fields);
                // the button that was pressed is gone
                form.current?.querySelector<HTMLElement>('[data-first]')?.focus();
              }}
            />
          ) : (
            <Question id={`${id}-q-start`} label={trans.__('Start from')}>
              <Segments
                label={trans.__('Start from')}
                name={`${id}-start`}
                choices={[
                  ...(presets.length ? [{ value: 'preset' as const, label: trans.__('A preset') }] : []),
                  { value: 'scratch', label: trans.__('Packages') },
                  { value: 'file', label: trans.__('A file') }
                ]}
                value={draft.start}
                onChange={start => change({ start })}
              />
              {draft.start === 'preset' && (
                <Presets
                  id={id}
                  presets={presets}
                  value={draft.preset}
                  parameters={draft.parameters}
                  onChosen={(preset, parameters, request) => {
                    const filled = { ...draft, ...ofPreset(draft, preset.name, parameters, request) };
                    change({ ...filled, ...settled(filled, site) });
                  }}
                />
              )}
              {draft.start === 'file' && (
                <StartFile
                  id={`${id}-requirements`}
                  language={draft.language}
                  value={fileText(draft)}
                  name={draft.fileName}
                  wrong={wrong('requirements')}
                  onChange={takeFile}
                />
              )}
            </Question>
          )}
          <Question id={`${id}-q-name`} label={trans.__('Name')} htmlFor={`${id}-name`}>
            <NameField id={`${id}-name`} value={draft.name} check={name} wrong={wrong('name')} onChange={value => change({ name: value })} />
          </Question>
          {!draft.cloneOf && (
            <>
              <Question id={`${id}-q-python`} label={trans.__('Python')} htmlFor={`${id}-python`}>
                {conda ? (
                  <VersionField
                    id={`${id}-python`}
                    value={draft.python}
                    wrong={wrong('python')}
                    before={choice}
                    onChange={value => change({ python: value })}
                  />
                ) : (
                  <PythonField
                    id={`${id}-python`}
                    value={draft.python}
                    pythons={site.pythons}
                    wrong={wrong('python')}
                    before={choice}
                    onChange={value => change({ python: value })}
                  />
                )}
                <ManagerNotes id={`${id}-manager`} managers={managers} wrong={wrong('manager')} />
              </Question>
              {conda && (
                <Question id={`${id}-q-channels`} label={trans.__('Channels')} htmlFor={`${id}-channels`}>
                  <ChannelField
                    id={`${id}-channels`}
                    value={draft.channels}
                    configured={manager?.channels ?? []}
                    wrong={wrong('channels')}
                    onChange={channels => change({ channels })}
                  />
                </Question>
              )}
              <Question id={`${id}-q-packages`} label={trans.__('Packages')} htmlFor={`${id}-packages`}>
                <PackageField
                  id={`${id}-packages`}
                  value={draft.packages}
                  language={draft.language}
                  aside={draft.aside}
                  wrong={wrong('packages')}
                  onChange={(packages, channels) => change({ packages, channels: [...new Set([...draft.channels, ...channels])] })}
                />
                {!draft.collection && (
                  <ModuleHint
                    packages={draft.packages}
                    modules={draft.modules}
                    language={draft.language}
                    onUse={conda && site.managers.every(each => each.language === 'conda') ? undefined : useModule}
                  />
                )}
              </Question>
              {conda && (
                <Question id={`${id}-q-cuda`} label={trans.__('GPU')}>
                  <GpuField id={`${id}-cuda`} value={draft.cuda} wrong={wrong('cuda')} onChange={cuda => change({ cuda })} />
                </Question>
              )}
              <Modules id={`${id}-modules`} draft={draft} checked={checked} wrong={wrong('modules')} onChange={change} />
            </>
          )}
          {site.locations.length > 0 && (
            <Question id={`${id}-q-location`} label={trans.__('Location')}>
              <LocationField
                name={`${id}-location`}
                locations={site.locations}
                value={location?.name ?? ''}
                wrong={wrong('location')}
                onChange={value => change({ location: value })}
              />
            </Question>
          )}
          <Question id={`${id}-q-variables`} label={trans.__('Variables')}>
            <VariableRows
              id={`${id}-variables`}
              field="variables"
              rows={draft.variables}
              wrong={wrong('variables')}
              onChange={variables => change({ variables })}
            />
          </Question>
          <Options
            id={`${id}-options`}
            draft={draft}
            title={defaultTitle(draft, site)}
            manager={manager}
            wrong={wrong('options')}
            wrongBuild={wrong('build')}
            wrongOn={wrong('on')}
            onChange={change}
          />
        </form>
        <aside ref={aside} className="jp-HpcEnv-aside" aria-label={trans.__('Summary')}>
          <Summary draft={draft} site={site} checked={checked} refusal={refusedField ? null : refusal} preview={preview}>
            <div className="jp-HpcEnv-planButtons">{buttons}</div>
            {tried && Object.keys(found).length > 0 && <Wrong id={`${id}-wrong`} text={trans.__('Something above is not right yet.')} />}
          </Summary>
          <CommandBox shell={shellCommand(inWords(toRequest(draft), model.environments))} rest={restRequest(toRequest(draft))} />
        </aside>
      </div>
      <div className="jp-HpcEnv-createBar">
        <span className="jp-HpcEnv-small jp-HpcEnv-muted">
          {draft.name ? `${plain(draft.name)} ${summary}` : trans.__('Give it a name')}
        </span>
        <span className="jp-HpcEnv-push jp-HpcEnv-planButtons">{buttons}</span>
      </div>
    </>
  );
}
