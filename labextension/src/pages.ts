/** The pages in the main area: one for each environment or its operation, and one for a new environment. */
import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { Draft, newDraft } from './create/draft';
import type { Tab } from './environment/page';
import { IPlace, PageContent } from './page';
import { CommandIDs, ICreateRequest } from './tokens';
import type { IContext } from './ui/context';

export interface IPages {
  /** Show what is at a place, or the form if that is nowhere; a page that is open already is activated, never a second one. */
  open(place: IPlace & { tab?: Tab }, key?: string): void;
  /** Show the page for a new environment, filled in where *start* says something. */
  create(start?: Partial<ICreateRequest>, from?: Draft['start'], fileName?: string): void;
}

type Page = MainAreaWidget<PageContent>;

export class Pages implements IPages {
  readonly tracker = new WidgetTracker<Page>({ namespace: 'hpcenv-page' });

  constructor(
    private shell: JupyterFrontEnd.IShell,
    private context: IContext,
    /** Lets files be dropped on the form. */
    private takeDrops: (node: HTMLElement) => void = () => undefined
  ) {}

  /** Let pages come back at their places after a reload, in the middle of a build too. */
  restore(restorer: ILayoutRestorer): void {
    void restorer.restore(this.tracker, {
      command: CommandIDs.open,
      args: page => ({ ...page.content.place, page: page.content.key }),
      name: page => page.content.key
    });
  }

  open({ tab, ...place }: IPlace & { tab?: Tab }, key?: string): void {
    const same = this.tracker.find(page => samePlace(page.content.place, place));
    const content = same?.content ?? new PageContent(this.context, place, undefined, key);
    if (tab) {
      content.turnTo(tab);
    }
    if (same) {
      this.shell.activateById(same.id);
    } else {
      this.add(content);
    }
  }

  create(start?: Partial<ICreateRequest>, from?: Draft['start'], fileName?: string): void {
    const open = this.tracker.find(page => page.content.isForm);
    if (!open) {
      this.add(new PageContent(this.context, {}, newDraft(start ?? this._draft, from, fileName)));
      return;
    }
    this.shell.activateById(open.id);
    if (start) {
      open.content.fill(newDraft(start, from, fileName));
    } else {
      open.content.focusName();
    }
  }

  private add(content: PageContent): void {
    const page: Page = new MainAreaWidget({ content });
    page.id = `hpcenv-page-${++this._count}`;
    page.toolbar.hide();
    if (content.isForm) {
      this.takeDrops(content.node);
    }
    page.title.closable = true;
    content.name(page.title);
    content.moved.connect(() => {
      content.name(page.title);
      void this.tracker.save(page);
    });
    content.left.connect(() => page.dispose());
    page.disposed.connect(() => {
      // leaving the form with input in it keeps the input for the session
      this._draft = content.isForm ? content.unsent : this._draft;
    });
    void this.tracker.add(page);
    this.shell.add(page, 'main', { type: 'Environment' });
    this.shell.activateById(page.id);
  }

  private _count = 0;
  private _draft: Partial<ICreateRequest> | undefined;
}

/** The same environment, the operation that makes it, or the same page about all of them. */
export function samePlace(a: IPlace, b: IPlace): boolean {
  return Boolean((a.environment && a.environment === b.environment) || (a.operation && a.operation === b.operation) || (a.view && a.view === b.view));
}
