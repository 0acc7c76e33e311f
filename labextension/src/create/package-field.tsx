/** Packages as chips: Enter, comma or a pasted list makes them; Backspace goes to the last, again removes it. */
import { closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import { Wrong } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { IconButton } from '../ui/controls';
import type { Language } from '../tokens';
import { isOption, nameAndRest, splitPackages } from './packages';
import { commaEnds, splitSpecs } from './specs';

export function PackageField(props: {
  id: string;
  value: string[];
  language: Language;
  /** What the manager that was chosen before could take, and this one can not. */
  aside: string[];
  wrong?: string;
  /** What can be typed, in place of what is said where an environment is made. */
  hint?: string;
  /** What is typed and no package yet, where somebody else follows it. */
  text?: string;
  onText?: (text: string) => void;
  /** Going there does not yet mean what was typed. */
  beside?: React.RefObject<HTMLElement>;
  /** *channels* came along with a pasted command line of conda's. */
  onChange: (value: string[], channels: string[]) => void;
}): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const [own, setOwn] = React.useState('');
  const text = props.text ?? own;
  const setText = props.onText ?? setOwn;
  const [refused, setRefused] = React.useState('');
  const box = React.useRef<HTMLDivElement>(null);
  const input = React.useRef<HTMLInputElement>(null);

  const conda = props.language === 'conda';

  const add = (typed: string): void => {
    const { specs: parts, channels } = conda ? splitSpecs(typed) : { specs: splitPackages(typed), channels: [] };
    const options = parts.filter(isOption);
    setRefused(
      options.length > 0
        ? conda
          ? trans.__('“%1” is an option, not a package.', plain(options[0]))
          : trans.__('“%1” is an option, not a package. Lines like this can stand in a requirements file, where the site allows them.', plain(options[0]))
        : ''
    );
    const fresh = parts.filter(part => !isOption(part) && !props.value.includes(part));
    if (fresh.length + channels.length > 0) {
      props.onChange([...props.value, ...fresh], channels);
    }
    if (fresh.length > 0) {
      actions.announcer.say(trans._n('Added %2.', 'Added %1 packages.', fresh.length, plain(fresh[0])));
    }
    setText('');
  };
  const remove = (at: number): void => {
    actions.announcer.say(trans.__('Removed %1.', plain(props.value[at])));
    props.onChange(props.value.filter((_, index) => index !== at), []);
    input.current?.focus();
  };
  const focusLast = (): void => {
    const buttons = box.current?.querySelectorAll<HTMLElement>('.jp-HpcEnv-chip button');
    buttons?.[buttons.length - 1]?.focus();
  };
  // inside brackets or after an operator a comma belongs to the requirement
  const ends = (typed: string): boolean =>
    conda ? commaEnds(typed) : splitPackages(`${typed},x`).length > splitPackages(typed).length && !/[<>=!~]=?[^,\s]*$/.test(typed);

  return (
    <>
      <div className="jp-HpcEnv-chips" ref={box} onClick={event => event.target === box.current && input.current?.focus()}>
        {props.value.map((requirement, at) => {
          const [name, rest] = nameAndRest(plain(requirement));
          return (
            <span className="jp-HpcEnv-chip" key={requirement}>
              <span className="jp-HpcEnv-chipText">
                {name}
                {rest && <span className="jp-HpcEnv-muted"> {rest}</span>}
              </span>
              <IconButton
                icon={closeIcon}
                label={trans.__('Remove %1', plain(requirement))}
                onClick={() => remove(at)}
                onKeyDown={event => {
                  if (event.key === 'Backspace' || event.key === 'Delete') {
                    event.preventDefault();
                    remove(at);
                  }
                }}
              />
            </span>
          );
        })}
        <input
          id={props.id}
          ref={input}
          data-field="packages"
          value={text}
          placeholder={conda ? trans.__('Add a match spec, or paste a list') : trans.__('Add a package, or paste a list')}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          aria-invalid={!!(props.wrong || refused)}
          aria-describedby={`${props.id}-hint`}
          onChange={event => setText(event.target.value)}
          onBlur={event => text.trim() && !props.beside?.current?.contains(event.relatedTarget) && add(text)}
          onPaste={event => {
            const pasted = event.clipboardData.getData('text');
            if (/[\r\n,]/.test(pasted) || (conda ? /\s/.test(pasted.trim()) : splitPackages(pasted).length > 1)) {
              event.preventDefault();
              add(`${text}${pasted}`);
            }
          }}
          onKeyDown={event => {
            if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
              event.preventDefault();
              add(text);
            } else if (event.key === ',' && ends(text)) {
              event.preventDefault();
              add(text);
            } else if (event.key === 'Backspace' && text === '' && props.value.length > 0) {
              event.preventDefault();
              focusLast();
            }
          }}
        />
      </div>
      <Wrong id={`${props.id}-wrong`} text={props.wrong || refused} />
      <div className="jp-HpcEnv-hint" id={`${props.id}-hint`}>
        {props.hint ??
          (conda
            ? trans.__('Match specs: numpy, python-dateutil >=2.9, conda-forge::gdal 3.10.*, pytorch=*=*cuda*. ipykernel is added by itself.')
            : trans.__('Names as on the package index, with versions if you like: numpy, scipy>=1.14. ipykernel is added by itself.'))}
      </div>
      {props.aside.length > 0 && (
        <div className="jp-HpcEnv-hint" role="status">
          {conda
            ? trans.__('Left out, because conda can not be asked for it so: %1', props.aside.map(plain).join(', '))
            : trans.__('Left out, because the package index can not be asked for it so: %1', props.aside.map(plain).join(', '))}
        </div>
      )}
    </>
  );
}
