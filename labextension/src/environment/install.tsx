/** The field for packages that are to come. */
import React from 'react';
import { PackageField } from '../create/package-field';
import { channelName } from '../create/specs';
import { plain } from '../format';
import type { Language } from '../tokens';
import { useHpcEnv } from '../ui/context';
import { Button } from '../ui/controls';
import type { Changing } from './changing';
import { Found } from './found';
import type { IWish } from './wish';

export function InstallField(props: {
  id: string;
  environment: string;
  language: Language;
  changing: Changing;
  onPlan: (wish: IWish) => void;
  /** Leads to where modules are chosen; undefined where there are none. */
  onModules?: () => void;
}): JSX.Element {
  const { trans } = useHpcEnv();
  const { id, changing } = props;
  const [tried, setTried] = React.useState(false);
  const [text, setText] = React.useState('');
  const found = React.useRef<HTMLElement>(null);
  const box = React.useRef<HTMLDivElement>(null);
  const focus = (): void => box.current?.querySelector<HTMLElement>('[data-field="packages"]')?.focus();
  React.useEffect(focus, []);
  const plan = (): void => {
    setTried(true);
    if (changing.install.length > 0) {
      props.onPlan({ verb: 'install', packages: changing.install });
    } else {
      focus();
    }
  };
  const refusal = changing.wish?.verb === 'install' && changing.refused?.code === 'invalid_requirement' ? changing.refused : null;
  return (
    <div
      className="jp-HpcEnv-install"
      ref={box}
      role="group"
      aria-label={trans.__('Install packages')}
      onKeyDown={event => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          event.stopPropagation();
          // what was typed and is no chip yet is meant as well
          (event.target as HTMLElement).blur();
          plan();
        }
      }}
    >
      <label htmlFor={id}>{trans.__('Packages to install')}</label>
      <PackageField
        id={id}
        value={changing.install}
        language={props.language}
        aside={[]}
        hint={
          props.language === 'conda'
            ? trans.__('Match specs: numpy, python-dateutil >=2.9, conda-forge::gdal 3.10.*. What only pip has: pip: iniconfig.')
            : trans.__('Names as on the package index, with versions if you like: numpy, scipy>=1.14.')
        }
        wrong={refusal ? [refusal.message, ...refusal.hints].join(' ') : tried && changing.install.length === 0 ? trans.__('Name a package first.') : undefined}
        text={text}
        onText={setText}
        beside={found}
        onChange={(install, channels) => {
          setTried(false);
          changing.edit(install, channels);
        }}
      />
      <Found
        ref={found}
        environment={props.environment}
        text={text}
        chosen={changing.install}
        onModules={props.onModules}
        onAdd={name => {
          setText('');
          setTried(false);
          changing.edit([...changing.install, name]);
          focus();
        }}
      />
      {changing.channels.length > 0 && (
        <p className="jp-HpcEnv-hint" role="status">
          {trans.__('Packages come from the channels of the environment; left out: %1', changing.channels.map(each => plain(channelName(each))).join(', '))}
        </p>
      )}
      <div className="jp-HpcEnv-actions">
        <Button onClick={plan}>{trans.__('Show the plan')}</Button>
        <Button onClick={() => changing.openField(false)}>{trans.__('Close')}</Button>
      </div>
    </div>
  );
}
