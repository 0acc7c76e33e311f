/** Conda channels as chips, best first: Enter, comma or a pasted list makes them, and each can be put before the one before it. */
import { caretLeftIcon, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { plain } from '../format';
import { Wrong } from '../ui/blocks';
import { useHpcEnv } from '../ui/context';
import { IconButton } from '../ui/controls';
import { checkChannel, splitChannels } from './specs';

export function ChannelField(props: {
  id: string;
  value: string[];
  /** Those that count while none is named here. */
  configured: string[];
  wrong?: string;
  onChange: (value: string[]) => void;
}): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { value } = props;
  const [text, setText] = React.useState('');
  const [refused, setRefused] = React.useState('');
  const box = React.useRef<HTMLDivElement>(null);
  const input = React.useRef<HTMLInputElement>(null);

  const add = (typed: string): void => {
    const found = splitChannels(typed).filter(each => !value.includes(each));
    const bad = found.map(each => checkChannel(each, trans)).find(Boolean) ?? '';
    const fresh = found.filter(each => !checkChannel(each, trans));
    setRefused(bad);
    if (fresh.length > 0) {
      props.onChange([...value, ...fresh]);
      actions.announcer.say(trans._n('Added %2.', 'Added %1 channels.', fresh.length, plain(fresh[0])));
    }
    // what is refused stays, so that it can be mended
    setText(found.filter(each => checkChannel(each, trans)).join(' '));
  };
  const remove = (at: number): void => {
    actions.announcer.say(trans.__('Removed %1.', plain(value[at])));
    props.onChange(value.filter((_, index) => index !== at));
    input.current?.focus();
  };
  const advance = (at: number): void => {
    const next = [...value];
    [next[at - 1], next[at]] = [next[at], next[at - 1]];
    actions.announcer.say(trans.__('%1 comes before %2 now.', plain(value[at]), plain(value[at - 1])));
    props.onChange(next);
    requestAnimationFrame(() => {
      const chips = box.current?.querySelectorAll<HTMLElement>('.jp-HpcEnv-chip');
      chips?.[at - 1]?.querySelector('button')?.focus();
    });
  };
  const focusLast = (): void => {
    const buttons = box.current?.querySelectorAll<HTMLElement>('.jp-HpcEnv-chip button');
    buttons?.[buttons.length - 1]?.focus();
  };
  const configured = props.configured.map(plain).join(', ');

  return (
    <>
      <div className="jp-HpcEnv-chips" ref={box} onClick={event => event.target === box.current && input.current?.focus()}>
        {value.length > 0 && (
          <ol className="jp-HpcEnv-channels" aria-label={trans.__('Channels, best first')}>
            {value.map((channel, at) => (
              <li className="jp-HpcEnv-chip" key={channel}>
                {at > 0 && (
                  <IconButton
                    icon={caretLeftIcon}
                    label={trans.__('Put %1 before %2', plain(channel), plain(value[at - 1]))}
                    onClick={() => advance(at)}
                  />
                )}
                <span className="jp-HpcEnv-chipText">{plain(channel)}</span>
                <IconButton
                  icon={closeIcon}
                  label={trans.__('Remove %1', plain(channel))}
                  onClick={() => remove(at)}
                  onKeyDown={event => {
                    if (event.key === 'Backspace' || event.key === 'Delete') {
                      event.preventDefault();
                      remove(at);
                    }
                  }}
                />
              </li>
            ))}
          </ol>
        )}
        <input
          id={props.id}
          ref={input}
          data-field="channels"
          value={text}
          placeholder={
            value.length > 0
              ? trans.__('Add a channel')
              : configured
                ? trans.__('%1, as configured', configured)
                : trans.__('A name or an address')
          }
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          aria-invalid={!!(props.wrong || refused)}
          aria-describedby={`${props.id}-hint`}
          onChange={event => setText(event.target.value)}
          onBlur={() => text.trim() && add(text)}
          onPaste={event => {
            const pasted = event.clipboardData.getData('text');
            if (/[\r\n,\s]/.test(pasted.trim())) {
              event.preventDefault();
              add(`${text} ${pasted}`);
            }
          }}
          onKeyDown={event => {
            if ((event.key === 'Enter' && !event.ctrlKey && !event.metaKey) || event.key === ',') {
              event.preventDefault();
              add(text);
            } else if (event.key === 'Backspace' && text === '' && value.length > 0) {
              event.preventDefault();
              focusLast();
            }
          }}
        />
      </div>
      <Wrong id={`${props.id}-wrong`} text={refused || props.wrong} />
      <div className="jp-HpcEnv-hint" id={`${props.id}-hint`}>
        {trans.__('Best first: what one channel has is not looked for in those after it.')}
      </div>
    </>
  );
}
