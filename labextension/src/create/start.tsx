/** Where the form starts from: nothing, or a requirements file that is chosen, dropped or pasted. */
import { fileUploadIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { Wrong } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { Button } from '../ui/controls';

/** A requirements file of a megabyte is a mistake; the server refuses it as well. */
export const FILE_LIMIT = 1_000_000;

export async function readFile(file: File): Promise<string | null> {
  return file.size > FILE_LIMIT ? null : file.text();
}

export function RequirementsFile(props: {
  id: string;
  value: string;
  wrong?: string;
  onChange: (value: string) => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const chooser = React.useRef<HTMLInputElement>(null);
  const [refused, setRefused] = React.useState('');
  const take = async (file: File | undefined): Promise<void> => {
    const text = file && (await readFile(file));
    setRefused(file && text === null ? trans.__('%1 is too large for a requirements file.', file.name) : '');
    if (text) {
      props.onChange(text);
    }
  };
  const lines = props.value.split('\n').filter(line => line.trim() && !line.trim().startsWith('#')).length;
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
        data-field="requirements"
        aria-label={trans.__('Lines of the requirements file')}
        aria-describedby={`${props.id}-hint`}
        aria-invalid={!!props.wrong}
        placeholder={trans.__('Paste the lines of a requirements.txt, or drop the file here')}
        rows={6}
        spellCheck={false}
        value={props.value}
        onChange={event => props.onChange(event.target.value)}
      />
      <Wrong id={`${props.id}-wrong`} text={props.wrong || refused} />
      <div className="jp-HpcEnv-pair">
        <Button size="small" icon={fileUploadIcon} onClick={() => chooser.current?.click()}>
          {trans.__('Choose a file…')}
        </Button>
        <span className="jp-HpcEnv-hint" id={`${props.id}-hint`}>
          {lines > 0
            ? trans._n('%1 line asks for something.', '%1 lines ask for something.', lines)
            : trans.__('A requirements.txt. Every line is read strictly; what is refused is named by its line.')}
        </span>
      </div>
      <input
        ref={chooser}
        type="file"
        hidden
        accept=".txt,.in,text/plain"
        onChange={event => {
          void take(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
    </div>
  );
}
