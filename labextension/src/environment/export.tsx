/** The environment as a file by which others make it again: shown, copied, downloaded. */
import { downloadIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { plain } from '../format';
import type { IEnvironmentDetail, IExported } from '../tokens';
import { Callout, Code, Trouble } from '../ui/blocks';
import { useHpcEnv, useLoaded } from '../ui/context';
import { Button } from '../ui/controls';
import { ISideTab, SideTabs } from '../ui/side-tabs';

export function Export(props: { environment: IEnvironmentDetail }): JSX.Element | null {
  const { trans, model } = useHpcEnv();
  const { environment } = props;
  const [wanted, setWanted] = React.useState('');
  const exported = useLoaded(() => model.api.exported(environment.id, wanted), `${environment.id} ${environment.revision} ${wanted}`);
  const last = React.useRef<string[]>([]);
  last.current = exported.value?.formats ?? last.current;
  const chosen = wanted || (last.current[0] ?? '');
  const id = `hpcenv-${environment.id}-format`;
  const shown = last.current.map(format => tab(format, trans));
  return (
    <div className="jp-HpcEnv-activate">
      {shown.length > 0 && (
        <SideTabs<string> id={id} label={trans.__('Format')} shown={shown} value={chosen} onChange={setWanted} />
      )}
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={shown.length > 0 ? `${id}-${chosen}` : undefined} tabIndex={-1} aria-busy={!exported.value}>
        {exported.error ? (
          <Trouble title={trans.__('The file could not be written')} error={exported.error} onRetry={exported.reload} />
        ) : (
          exported.value && <Written exported={exported.value} environment={environment} />
        )}
      </div>
    </div>
  );
}

function Written(props: { exported: IExported; environment: IEnvironmentDetail }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { exported, environment } = props;
  const fileName = `${environment.name}-${exported.format}`;
  return (
    <>
      {exported.notes.length > 0 && (
        <Callout>
          {exported.notes.map(note => (
            <p key={note}>{plain(note)}</p>
          ))}
        </Callout>
      )}
      <section className="jp-HpcEnv-section" aria-label={trans.__('The file')}>
        <header>
          <h2>{exported.format}</h2>
          <div className="jp-HpcEnv-actions jp-HpcEnv-push">
            <Button
              size="small"
              icon={downloadIcon}
              onClick={() => {
                save(exported.text, fileName);
                actions.announcer.say(trans.__('Downloaded %1.', fileName));
              }}
            >
              {trans.__('Download')}
            </Button>
          </div>
        </header>
        <Code text={exported.text} label={trans.__('Copy the file')} />
      </section>
    </>
  );
}

/** Let the browser save a text, to the letter. */
function save(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** What a format is good for, in a word or two. */
function tab(format: string, trans: TranslationBundle): ISideTab<string> {
  const hints: Record<string, string> = {
    'requirements.txt': trans.__('what was asked for'),
    'requirements-full.txt': trans.__('every version'),
    'requirements-hashed.txt': trans.__('versions and digests'),
    'pylock.toml': trans.__('lockfile'),
    'environment.yml': trans.__('what was asked for'),
    'environment-full.yml': trans.__('every version'),
    'explicit.txt': trans.__('exact archives'),
    'pixi.lock': trans.__('lockfile'),
    'modules.txt': trans.__('modules'),
    'capsule.json': trans.__('all of it, for elsewhere')
  };
  return { value: format, label: format, hint: hints[format] ?? '' };
}
