/** One page of the main area: a form becomes the build that it started, and the build becomes the environment. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { addIcon } from '@jupyterlab/ui-components';
import { UUID } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';
import type { Title, Widget } from '@lumino/widgets';
import React from 'react';
import { CreatePage } from './create/page';
import { Draft, newDraft, toRequest } from './create/draft';
import { EnvironmentPage, ITurn, Tab } from './environment/page';
import { layersIcon } from './icons';
import type { EnvironmentsModel } from './model';
import { OperationPage } from './operation/page';
import { RoomPage } from './room/page';
import { TrashPage } from './room/trash';
import { ICreateRequest, IOperation, isFinished } from './tokens';
import { IContext, useHpcEnv, useModel } from './ui/context';
import { Blank, Trouble } from './ui/blocks';
import { HpcEnvWidget } from './ui/widget';

/** Pages that are about no environment: the room that all of them take, and those that were deleted. */
export type View = 'room' | 'trash';

export const VIEWS: readonly View[] = ['room', 'trash'];

/** What a page shows, environments and operations by their ids; nothing for the form. */
export interface IPlace {
  environment?: string;
  operation?: string;
  view?: View;
}

/** The operation that a page should show in place of the environment; undefined: show the environment. */
export function operationAt(place: IPlace, model: EnvironmentsModel): IOperation | undefined {
  const operation =
    (place.operation && model.operation(place.operation)) ||
    model.operations.find(other => other.environment.id === place.environment && !isFinished(other));
  if (!operation || operation.verb !== 'create' || operation.state === 'succeeded') {
    return undefined;
  }
  return isFinished(operation) && model.environment(operation.environment.id) ? undefined : operation;
}

export function viewTitle(view: View, trans: TranslationBundle): string {
  return view === 'trash' ? trans.__('Trash') : trans.__('Room and caches');
}

export class PageContent extends HpcEnvWidget {
  constructor(
    context: IContext,
    place: IPlace,
    draft: Draft = newDraft(),
    /** Under this name the layout remembers the page; it stays while what the page shows changes. */
    readonly key: string = UUID.uuid4()
  ) {
    super(context, () => <Page page={this} />);
    this._place = place;
    this.draft = draft;
    this.node.tabIndex = -1;
    context.model.changed.connect(this.onChanged, this);
  }

  draft: Draft;

  get place(): IPlace {
    return this._place;
  }

  get isForm(): boolean {
    return !this._place.environment && !this._place.operation && !this._place.view;
  }

  /** Emitted when the page shows something else, or that has another name. */
  get moved(): ISignal<this, void> {
    return this._moved;
  }

  /** Emitted when the page wants to be closed. */
  get left(): ISignal<this, void> {
    return this._left;
  }

  /** True once the person did what led here, so that the heading takes the focus. */
  get arrived(): boolean {
    return this._arrived;
  }

  /** The tab that somebody asked for; a new object each time. */
  get turn(): ITurn | undefined {
    return this._turn;
  }

  turnTo(tab: Tab): void {
    this._turn = { tab };
    this._moved.emit();
  }

  go(place: IPlace): void {
    this._place = place;
    this._arrived = true;
    this._moved.emit();
    this.update();
  }

  /** Show the form as *draft* fills it; nothing is submitted. */
  fill(draft: Draft): void {
    this.draft = draft;
    this._place = {};
    this._moved.emit();
    this.update();
    this.focusName();
  }

  focusName(): void {
    requestAnimationFrame(() => this.node.querySelector<HTMLElement>('[data-first]')?.focus());
  }

  /** What the form holds, as a request; undefined while nothing was typed. */
  get unsent(): Partial<ICreateRequest> | undefined {
    const { name, ...rest } = toRequest(this.draft);
    return name || Object.keys(rest).length > 0 ? { name, ...rest } : undefined;
  }

  /** Close the page. */
  leave(): void {
    this._left.emit();
  }

  override dispose(): void {
    this.context.model.changed.disconnect(this.onChanged, this);
    super.dispose();
  }

  /** Write into a title what the page shows. */
  name(title: Title<Widget>): void {
    const { model, trans } = this.context;
    if (this.isForm) {
      title.label = trans.__('New environment');
      title.icon = addIcon;
      title.caption = '';
      return;
    }
    if (this._place.view) {
      title.label = viewTitle(this._place.view, trans);
      title.icon = layersIcon;
      title.caption = '';
      return;
    }
    const environment = this._place.environment ? model.environment(this._place.environment) : undefined;
    const operation = this._place.operation ? model.operation(this._place.operation) : undefined;
    this._name = environment?.name ?? operation?.environment.name ?? this._name;
    title.label = this._name || trans.__('Environment');
    title.icon = layersIcon;
    title.caption = environment?.prefix ?? operation?.environment.prefix ?? '';
  }

  private onChanged(): void {
    const { environment, operation } = this._place;
    const known = operation ? this.context.model.operation(operation) : undefined;
    const name = (environment && this.context.model.environment(environment)?.name) ?? known?.environment.name;
    if (known && !environment) {
      this._place = { operation, environment: known.environment.id };
      this._moved.emit();
    } else if (name && name !== this._name) {
      this._moved.emit();
    }
  }

  private _place: IPlace;
  private _name = '';
  private _turn: ITurn | undefined;
  private _arrived = false;
  private _moved = new Signal<this, void>(this);
  private _left = new Signal<this, void>(this);
}

function Page(props: { page: PageContent }): JSX.Element {
  const { page } = props;
  const { trans, actions } = useHpcEnv();
  const model = useModel();
  const [, redraw] = React.useReducer((n: number) => n + 1, 0);
  React.useEffect(() => {
    page.moved.connect(redraw);
    return () => {
      page.moved.disconnect(redraw);
    };
  }, [page]);

  if (page.isForm) {
    return (
      <CreatePage
        key={page.draft.key}
        draft={page.draft}
        onSubmitted={operation => page.go({ operation: operation.id, environment: operation.environment.id })}
      />
    );
  }
  if (page.place.view) {
    return page.place.view === 'trash' ? <TrashPage /> : <RoomPage />;
  }
  if (!model.loaded) {
    return (
      <div className="jp-HpcEnv jp-HpcEnv-page" aria-busy={!model.error}>
        {model.error ? (
          <Trouble
            level={1}
            title={trans.__('The page could not be read')}
            error={model.error}
            onRetry={() => void model.refresh()}
          />
        ) : (
          <Blank level={1} title={trans.__('Reading…')} text={[]} role="status" />
        )}
      </div>
    );
  }
  const operation = operationAt(page.place, model);
  if (operation) {
    return (
      <OperationPage
        key={operation.id}
        operation={operation}
        arrived={page.arrived}
        onChange={() => page.fill(newDraft(operation.request))}
        onRetry={async () => {
          const next = await actions.retry(operation);
          if (next) {
            page.go({ operation: next.id, environment: next.environment.id });
          }
        }}
        onForget={async () => {
          await actions.forget(operation);
          page.leave();
        }}
      />
    );
  }
  return (
    <EnvironmentPage
      key={page.place.environment}
      id={page.place.environment ?? ''}
      arrived={page.arrived}
      turn={page.turn}
      onClose={() => page.leave()}
    />
  );
}
