/** A small form over the overview, opened from the menu: what is asked, and two buttons. */
import React from 'react';
import { Button } from '../ui/controls';
import { useHpcEnv } from '../ui/context';

export function Form(props: {
  title: string;
  text: string;
  /** The button that sends it; left out where there is nothing to send. */
  accept?: string;
  busy: boolean;
  onAccept: () => void;
  onClose: () => void;
  children: React.ReactNode;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const box = React.useRef<HTMLFormElement>(null);
  React.useEffect(() => {
    // once the menu that opened it has closed and given the focus back
    const frame = requestAnimationFrame(() => (box.current?.querySelector<HTMLElement>('input:checked, input') ?? box.current?.querySelector('button'))?.focus());
    return () => cancelAnimationFrame(frame);
  }, []);
  return (
    <div className="jp-HpcEnv-warnings">
      <form
        className="jp-HpcEnv-install"
        aria-label={props.title}
        noValidate
        ref={box}
        onSubmit={event => {
          event.preventDefault();
          props.onAccept();
        }}
        onKeyDown={event => {
          if (event.key === 'Escape' && !event.defaultPrevented) {
            event.stopPropagation();
            props.onClose();
          } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            event.stopPropagation();
            props.onAccept();
          }
        }}
      >
        <h2>{props.title}</h2>
        <p className="jp-HpcEnv-muted">{props.text}</p>
        {props.children}
        <div className="jp-HpcEnv-actions">
          {props.accept && (
            <Button type="submit" aria-disabled={props.busy}>
              {props.accept}
            </Button>
          )}
          <Button onClick={props.onClose}>{trans.__('Close')}</Button>
        </div>
      </form>
    </div>
  );
}
