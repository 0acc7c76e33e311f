/** What was deleted and can still be put back. */
import { deleteIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { minor, moment, plain } from '../format';
import type { ITrashItem } from '../tokens';
import { Blank, Trouble } from '../ui/blocks';
import { useDelay, useHpcEnv, useLoaded, useModel } from '../ui/context';
import { Button } from '../ui/controls';

export function TrashPage(): JSX.Element {
  const { trans, model } = useHpcEnv();
  // what is deleted or comes back meanwhile changes the list of environments
  const there = useModel().environments.map(each => each.id).join(' ');
  const trash = useLoaded(() => model.api.trash(), there);
  const shown = React.useRef<ITrashItem[] | null>(null);
  shown.current = trash.value ?? (trash.error ? null : shown.current);
  const late = useDelay(200);
  const items = shown.current;
  return (
    <div className="jp-HpcEnv jp-HpcEnv-page" aria-busy={!items && !trash.error}>
      <div className="jp-HpcEnv-pageHead">
        <h1 tabIndex={-1}>{trans.__('Trash')}</h1>
      </div>
      {items ? (
        <Items items={items} onRestored={trash.reload} />
      ) : trash.error ? (
        <Trouble title={trans.__('The trash could not be read')} error={trash.error} onRetry={trash.reload} />
      ) : (
        late && <Blank text={[trans.__('Reading…')]} role="status" />
      )}
    </div>
  );
}

function Items(props: { items: readonly ITrashItem[]; onRestored: () => void }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const [busy, setBusy] = React.useState('');
  const box = React.useRef<HTMLUListElement>(null);
  // where the button was that was pressed last
  const pressed = React.useRef(-1);
  React.useEffect(() => {
    // it went with its line: the keyboard goes on at the one in its place
    const buttons = box.current?.querySelectorAll<HTMLElement>('button') ?? [];
    if (pressed.current >= 0 && document.activeElement === document.body) {
      buttons[Math.min(pressed.current, buttons.length - 1)]?.focus();
    }
  }, [props.items]);
  if (props.items.length === 0) {
    return <Blank icon={deleteIcon} title={trans.__('The trash is empty')} text={[trans.__('What you delete can be put back from here for a while.')]} role="status" />;
  }
  const restore = async (item: ITrashItem, at: number): Promise<void> => {
    if (busy) {
      return;
    }
    setBusy(item.id);
    pressed.current = at;
    await actions.restore([item]);
    setBusy('');
    props.onRestored();
  };
  const newest = [...props.items].sort((a, b) => (a.deleted < b.deleted ? 1 : -1));
  return (
    <div className="jp-HpcEnv-packages">
      <p className="jp-HpcEnv-muted">{trans.__('What lies here still takes room.')}</p>
      <ul className="jp-HpcEnv-uses jp-HpcEnv-trash" ref={box} aria-label={trans.__('Deleted environments')}>
        {newest.map((item, at) => (
          <li key={item.id}>
            <div>
              <b>{plain(item.name)}</b>
              <p>
                {[item.python && trans.__('Python %1', minor(plain(item.python))), plain(item.location), trans.__('deleted %1', moment(item.deleted))]
                  .filter(Boolean)
                  .join(' · ')}
              </p>
              <p>{trans.__('Kept until %1.', moment(item.expires))}</p>
            </div>
            <Button size="small" aria-label={trans.__('Restore %1', plain(item.name))} aria-disabled={busy !== ''} onClick={() => void restore(item, at)}>
              {busy === item.id ? trans.__('Restoring…') : trans.__('Restore')}
            </Button>
          </li>
        ))}
      </ul>
    </div>
  );
}
