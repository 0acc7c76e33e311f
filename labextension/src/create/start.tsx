/** Where the form starts from: nothing, or a file that is chosen, dropped or pasted. */
import { closeIcon, fileUploadIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import type { ICreateRequest, ISite, Language } from '../tokens';
import { Wrong } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Button, IconButton } from '../ui/controls';
import { fileKind, kindWord } from './described';
import { condaManager } from './managers';

/** Bytes; a longer requirements file is a mistake, lockfiles are longer. The server refuses what is too long as well. */
export const FILE_LIMIT = { pep508: 1_000_000, conda: 5_000_000 } as const;

/** The text of a file; null if it is too long for what it is. */
export async function readFile(file: File): Promise<string | null> {
  if (file.size > FILE_LIMIT.conda) {
    return null;
  }
  const text = await file.text();
  return fileKind(text) || file.size <= FILE_LIMIT.pep508 ? text : null;
}

/** What the form starts with when *text* was dropped on the list. */
export function startWith(text: string, site: ISite | null): Partial<ICreateRequest> {
  const manager = fileKind(text) && (site ? condaManager(site)?.name : 'conda');
  return manager ? { manager, file: text } : { requirements: text };
}

export function StartFile(props: {
  id: string;
  language: Language;
  value: string;
  /** What the chosen file is called; empty for pasted text. */
  name: string;
  wrong?: string;
  onChange: (value: string, name: string) => void;
}): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { value } = props;
  const conda = props.language === 'conda';
  const chooser = React.useRef<HTMLInputElement>(null);
  const area = React.useRef<HTMLTextAreaElement>(null);
  const [refused, setRefused] = React.useState('');
  const take = async (file: File | undefined): Promise<void> => {
    const text = file && (await readFile(file));
    setRefused(
      file && text === null
        ? conda
          ? trans.__('%1 is too large for a description of an environment.', file.name)
          : trans.__('%1 is too large for a requirements file.', file.name)
        : ''
    );
    if (file && text) {
      props.onChange(text, file.name);
      actions.announcer.say(trans.__('Read %1.', plain(file.name)));
    }
  };
  const clear = (): void => {
    setRefused('');
    props.onChange('', '');
    area.current?.focus();
  };
  return (
    <div
      className="jp-HpcEnv-start"
      onDragOver={event => event.preventDefault()}
      onDrop={event => {
        event.preventDefault();
        void take(event.dataTransfer.files[0]);
      }}
    >
      <textarea
        className="jp-HpcEnv-input jp-HpcEnv-mono jp-HpcEnv-textarea"
        id={props.id}
        ref={area}
        data-field="requirements"
        aria-label={conda ? trans.__('Text of the file') : trans.__('Lines of the requirements file')}
        aria-describedby={`${props.id}-hint`}
        aria-invalid={!!props.wrong}
        placeholder={
          conda
            ? trans.__('Paste an environment.yml, an explicit list or a lockfile, or drop the file here')
            : trans.__('Paste the lines of a requirements.txt, or drop the file here')
        }
        rows={conda ? 8 : 6}
        spellCheck={false}
        value={value}
        onChange={event => props.onChange(event.target.value, event.target.value ? props.name : '')}
      />
      <Wrong id={`${props.id}-wrong`} text={props.wrong || refused} />
      <div className="jp-HpcEnv-pair">
        <Button size="small" icon={fileUploadIcon} onClick={() => chooser.current?.click()}>
          {trans.__('Choose a file…')}
        </Button>
        {value && (
          <span className="jp-HpcEnv-chip">
            <span className="jp-HpcEnv-chipText">{plain(props.name) || trans.__('Pasted text')}</span>
            <IconButton icon={closeIcon} label={trans.__('Clear the text')} onClick={clear} />
          </span>
        )}
        <span className="jp-HpcEnv-hint" id={`${props.id}-hint`}>
          <Told language={props.language} text={value} />
        </span>
      </div>
      <input
        ref={chooser}
        type="file"
        hidden
        accept=".txt,.in,.yml,.yaml,.lock,text/plain"
        onChange={event => {
          void take(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
    </div>
  );
}

/** What the text is, as far as a look at it tells. */
function Told(props: { language: Language; text: string }): JSX.Element {
  const { trans } = useHpcEnv();
  const { language, text } = props;
  if (language === 'conda') {
    const kind = fileKind(text);
    if (kind) {
      return <>{kindWord(kind, trans)}</>;
    }
    return text.trim() ? (
      <>{trans.__('This does not look like a file of conda’s: it has no “dependencies:”, and is no lockfile.')}</>
    ) : (
      <>{trans.__('An environment.yml, an explicit list (@EXPLICIT), a pixi.lock or a conda-lock.yml.')}</>
    );
  }
  const lines = text.split('\n').filter(line => line.trim() && !line.trim().startsWith('#')).length;
  return lines > 0 ? (
    <>{trans._n('%1 line asks for something.', '%1 lines ask for something.', lines)}</>
  ) : (
    <>{trans.__('A requirements.txt. Every line is read strictly; what is refused is named by its line.')}</>
  );
}
