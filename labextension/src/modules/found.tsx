/** What a search for modules found: a line for each name, its versions, and what adding one means. */
import { caretDownEmptyIcon, checkIcon, caretRightIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { count, plain } from '../format';
import { warnIcon } from '../icons';
import type { IModule, IModuleList } from '../tokens';
import { useHpcEnv } from '../ui/context';
import { Button, Icon } from '../ui/controls';
import { addition, families, IAddition, IFamily, Known, nameAndVersion, usual } from './choice';

export interface IFoundProps {
  list: IModuleList;
  chosen: readonly string[];
  known: Known;
  onAdd: (module: IModule, addition: IAddition) => void;
}

export function Found(props: IFoundProps): JSX.Element {
  const { trans } = useHpcEnv();
  const { modules, total } = props.list;
  return (
    <>
      <ul className="jp-HpcEnv-list" aria-label={trans.__('Modules found')}>
        {families(modules).map(family => (
          <FamilyLine key={family.name} family={family} {...props} />
        ))}
      </ul>
      {total > modules.length && (
        <div className="jp-HpcEnv-hint">
          {trans.__('The first %1 of %2. Type more letters to see others.', count(modules.length), count(total))}
        </div>
      )}
    </>
  );
}

function FamilyLine(props: IFoundProps & { family: IFamily }): JSX.Element {
  const { trans } = useHpcEnv();
  const { family, chosen, known } = props;
  const [wanted, setWanted] = React.useState('');
  const module = family.versions.find(one => one.name === wanted) ?? usual(family, chosen);
  const [name, version] = nameAndVersion(module.name);
  const way = addition(module, chosen, known);
  const there = way.add.length === 0;
  return (
    <li>
      <span>
        {plain(name)}
        {version && (
          <>
            /<b>{plain(version)}</b>
          </>
        )}
        {module.default && <span className="jp-HpcEnv-muted"> {trans.__('(default)')}</span>}
      </span>
      {module.description && <small>{plain(module.description)}</small>}
      <Meaning way={way} there={there} />
      <div className="jp-HpcEnv-actions">
        {family.versions.length > 1 && (
          <span className="jp-HpcEnv-select">
            <select
              className="jp-HpcEnv-input"
              aria-label={trans.__('Version of %1', plain(family.name))}
              value={module.name}
              onChange={event => setWanted(event.target.value)}
            >
              {family.versions.map(one => {
                const shown = plain(nameAndVersion(one.name)[1] || one.name);
                return (
                  <option key={one.name} value={one.name}>
                    {one.default ? trans.__('%1 (default)', shown) : shown}
                  </option>
                );
              })}
            </select>
            <Icon icon={caretDownEmptyIcon} />
          </span>
        )}
        {there ? (
          <span className="jp-HpcEnv-tag">
            <Icon icon={checkIcon} kind="ok" />
            {trans.__('Chosen')}
          </span>
        ) : (
          <Button size="small" aria-label={spoken(way, trans)} onClick={() => props.onAdd(module, way)}>
            {label(way, trans)}
          </Button>
        )}
      </div>
    </li>
  );
}

function label(way: IAddition, trans: TranslationBundle): string {
  if (way.replaces.length > 0) {
    return trans.__('Replace');
  }
  return way.add.length === 1 ? trans.__('Add') : way.add.length === 2 ? trans.__('Add both') : trans.__('Add all %1', way.add.length);
}

/** What the button does, for ears: it begins with what is written on it. */
function spoken(way: IAddition, trans: TranslationBundle): string {
  const all = inWords(way.add, trans);
  return way.replaces.length > 0
    ? trans.__('Replace %1 by %2', inWords(way.replaces, trans), all)
    : trans.__('%1: %2', label(way, trans), all);
}

/** `a`, `a and b`, `a, b and c`. */
export function inWords(names: readonly string[], trans: TranslationBundle): string {
  const shown = names.map(plain);
  return shown.length < 2 ? shown.join('') : trans.__('%1 and %2', shown.slice(0, -1).join(', '), shown[shown.length - 1]);
}

/** What a module needs and what adding it does, before anybody presses. */
function Meaning(props: { way: IAddition; there: boolean }): JSX.Element | null {
  const { trans } = useHpcEnv();
  const { needs, add, replaces } = props.way;
  if (props.there) {
    return null;
  }
  if (replaces.length > 0) {
    return (
      <small>
        <Icon icon={warnIcon} kind="warn" />
        {trans.__('Would replace %1', inWords(replaces, trans))}
      </small>
    );
  }
  const first = add.slice(0, -1);
  if (first.length > 0) {
    return (
      <small>
        <Icon icon={caretRightIcon} />
        {trans._n('Adds its prerequisite first: %2', 'Adds its %1 prerequisites first: %2', first.length, first.map(plain).join(', '))}
      </small>
    );
  }
  return needs.length > 0 ? (
    <small>
      <Icon icon={checkIcon} kind="ok" />
      {trans._n('Needs %2: chosen', 'Needs %2: all chosen', needs.length, needs.map(plain).join(', '))}
    </small>
  ) : null;
}
