/** What was deleted: it can still be put back, or go for good to make room. */
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
  const heading = React.useRef<HTMLHeadingElement>(null);
  return (
    <div className="jp-HpcEnv jp-HpcEnv-page" aria-busy={!items && !trash.error}>
      <div className="jp-HpcEnv-pageHead">
        <h1 tabIndex={-1} ref={heading}>{trans.__('Trash')}</h1>
      </div>
      {items ? (
        <Items items={items} heading={heading} onChanged={trash.reload} />
      ) : trash.error ? (
        <Trouble title={trans.__('The trash could not be read')} error={trash.error} onRetry={trash.reload} />
      ) : (
        late && <Blank text={[trans.__('Reading…')]} role="status" />
      )}
    </div>
  );
}

/** The button of a line that was pressed last, and in which line. */
interface IPressed {
  at: number;
  act: 'restore' | 'gone';
}

function Items(props: { items: readonly ITrashItem[]; heading: React.RefObject<HTMLElement>; onChanged: () => void }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const { heading, onChanged } = props;
  // the item that comes back; something else is said in a dialog
  const [busy, setBusy] = React.useState<string | null>(null);
  const under = React.useRef(false);
  const box = React.useRef<HTMLUListElement>(null);
  const pressed = React.useRef<IPressed | null>(null);
  React.useEffect(() => {
    // it went with its line: the keyboard goes on at the one in its place
    const lines = box.current?.children ?? [];
    if (pressed.current && document.activeElement === document.body) {
      const { at, act } = pressed.current;
      const next = lines[Math.min(at, lines.length - 1)]?.querySelector<HTMLElement>(`[data-act="${act}"]`);
      (next ?? heading.current)?.focus();
    }
  }, [props.items, heading]);
  if (props.items.length === 0) {
    return <Blank icon={deleteIcon} title={trans.__('The trash is empty')} text={[trans.__('What you delete can be put back from here for a while.')]} role="status" />;
  }
  const once = async (what: IPressed, work: () => Promise<unknown>, restored = ''): Promise<void> => {
    if (under.current) {
      return;
    }
    under.current = true;
    setBusy(restored);
    pressed.current = what;
    await work();
    under.current = false;
    setBusy(null);
    onChanged();
  };
  const restore = (item: ITrashItem, at: number): Promise<void> => once({ at, act: 'restore' }, () => actions.restore([item]), item.id);
  const forGood = (item: ITrashItem, at: number): Promise<void> => once({ at, act: 'gone' }, () => actions.deleteForGood([item]));
  const empty = (): Promise<void> => once({ at: 0, act: 'gone' }, () => actions.deleteForGood(props.items));
  const newest = [...props.items].sort((a, b) => (a.deleted < b.deleted ? 1 : -1));
  return (
    <div className="jp-HpcEnv-packages">
      <div className="jp-HpcEnv-tableBar">
        <p className="jp-HpcEnv-muted">{trans.__('What lies here still takes room.')}</p>
        <Button className="jp-HpcEnv-push" size="small" aria-disabled={busy !== null} onClick={() => void empty()}>
          {trans.__('Empty the trash…')}
        </Button>
      </div>
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
            <div className="jp-HpcEnv-actions">
              <Button
                size="small"
                data-act="restore"
                aria-label={trans.__('Restore %1', plain(item.name))}
                aria-disabled={busy !== null}
                onClick={() => void restore(item, at)}
              >
                {busy === item.id ? trans.__('Restoring…') : trans.__('Restore')}
              </Button>
              <Button
                size="small"
                data-act="gone"
                aria-label={trans.__('Delete %1 for good…', plain(item.name))}
                aria-disabled={busy !== null}
                onClick={() => void forGood(item, at)}
              >
                {trans.__('Delete for good…')}
              </Button>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
