/** What the panel remembers: which groups are folded, over reloads too. */
import type { IStateDB } from '@jupyterlab/statedb';
import { ISignal, Signal } from '@lumino/signaling';
import type { GroupId } from './rows';

const KEY = 'jupyter-hpcenv:panel';

export class PanelState {
  folded: ReadonlySet<GroupId> = new Set<GroupId>(['foreign']);
  /** Whether the group of what was found elsewhere is shown at all; from the settings. */
  foreign = true;

  constructor(private db: IStateDB | null) {
    void db?.fetch(KEY).then(
      value => {
        const folded = (value as { folded?: unknown } | undefined)?.folded;
        if (Array.isArray(folded)) {
          this.folded = new Set(folded.filter((id): id is GroupId => ['own', 'shared', 'foreign'].includes(id as string)));
          this.changed.emit();
        }
      },
      () => undefined
    );
  }

  get changed(): Signal<this, void> & ISignal<this, void> {
    return this._changed;
  }

  fold(group: GroupId, open: boolean): void {
    const folded = new Set(this.folded);
    if (open) {
      folded.delete(group);
    } else {
      folded.add(group);
    }
    this.folded = folded;
    void this.db?.save(KEY, { folded: [...folded] });
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
}
