/** “SciPy-bundle/2025.06 has numpy”: said once for each package, under the field, never in the way. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { folded } from '../environment/packages';
import { plain } from '../format';
import { addition, brings, easiest, IAddition } from '../modules/choice';
import { inWords } from '../modules/found';
import type { IModule, Language } from '../tokens';
import { Callout } from '../ui/blocks';
import { useHpcEnv, useModel } from '../ui/context';
import { Button } from '../ui/controls';
import { nameAndRest } from './packages';

interface IOffer {
  /** As it stands in the field. */
  requirement: string;
  package_: string;
  module: IModule;
  way: IAddition;
}

/** The name of a requirement without extras; empty where it has none, such as a URL. */
function packageOf(requirement: string): string {
  const bare = requirement.replace(/^\S+::/, '');
  return /:\/\/|^[./]/.test(bare) ? '' : (/^[A-Za-z0-9_][A-Za-z0-9._-]*/.exec(nameAndRest(bare)[0])?.[0] ?? '');
}

/** Modules that have one of *packages*, by the package's folded name; asked once for each. */
function useProviders(packages: string[]): ReadonlyMap<string, IModule[]> {
  const { model } = useHpcEnv();
  const [found, setFound] = React.useState<ReadonlyMap<string, IModule[]>>(new Map());
  const key = packages.join(' ');
  React.useEffect(() => {
    let wanted = true;
    for (const name of key.split(' ').filter(Boolean)) {
      model.modules.provides(name).then(
        modules => wanted && modules.length > 0 && setFound(old => (old.has(name) ? old : new Map(old).set(name, modules))),
        // a suggestion that can not be made is no trouble of the person's
        () => undefined
      );
    }
    return () => {
      wanted = false;
    };
  }, [key, model]);
  return found;
}

export function ModuleHint(props: {
  packages: string[];
  modules: string[];
  language: Language;
  /** Take *requirement* out of the packages; *modules* are then chosen. Left out where nothing can be built on modules. */
  onUse?: (requirement: string, modules: string[]) => void;
}): JSX.Element | null {
  const { trans, actions } = useHpcEnv();
  const catalog = useModel().modules;
  const names = props.packages.map(packageOf);
  const open = names.map(folded).filter(name => name && !catalog.settled.has(name));
  const providers = useProviders(catalog.present ? open : []);
  const [, redraw] = React.useReducer((n: number) => n + 1, 0);
  const settle = (name: string): void => {
    catalog.settled.add(folded(name));
    redraw();
  };
  const offer = first(props.packages, requirement => {
    const name = packageOf(requirement);
    const module = open.includes(folded(name)) && easiest(providers.get(folded(name)) ?? [], props.modules, catalog.known);
    return module ? { requirement, package_: name, module, way: addition(module, props.modules, catalog.known) } : undefined;
  });
  if (!offer) {
    return null;
  }
  const { way, module } = offer;
  const { onUse } = props;
  const conda = props.language === 'conda';
  const there = way.add.length === 0;
  const others = way.add.slice(0, -1);
  return (
    <Callout
      role="status"
      actions={
        <>
          {onUse && (
            <Button
              size="small"
              onClick={() => {
                settle(offer.package_);
                actions.announcer.say(trans.__('%1 comes from %2.', offer.package_, plain(module.name)));
                onUse(offer.requirement, way.result);
              }}
            >
              {there ? trans.__('Leave it to the module') : conda ? trans.__('Use the module, without conda') : trans.__('Use the module')}
            </Button>
          )}
          <Button kind="minimal" size="small" onClick={() => settle(offer.package_)}>
            {conda ? trans.__('Keep it from the channels') : trans.__('Keep it from the index')}
          </Button>
        </>
      }
    >
      <b>{plain(module.name)}</b> {said(offer, there, trans)}
      {conda && ` ${trans.__('It was built for this machine; what channels have are generic binaries.')}`}
      {way.replaces.length > 0 && ` ${trans.__('It would replace %1.', inWords(way.replaces, trans))}`}
      {way.replaces.length === 0 && others.length > 0 && ` ${trans.__('It adds %1 first.', inWords(others, trans))}`}
    </Callout>
  );
}

function said(offer: IOffer, there: boolean, trans: TranslationBundle): string {
  const version = brings(offer.module, folded, offer.package_);
  const what = version ? `${offer.package_} ${plain(version)}` : offer.package_;
  return there ? trans.__('is chosen and has %1.', what) : trans.__('has %1.', what);
}

function first<T, R>(items: readonly T[], look: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = look(item);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}
