/** Tabs that stand from top to bottom, beside what they show. */
import React from 'react';

export interface ISideTab<T extends string> {
  value: T;
  label: string;
  hint: string;
}

/** Arrows, Home and End move, and the page follows the focus. */
export function SideTabs<T extends string>(props: {
  id: string;
  label: string;
  shown: ISideTab<T>[];
  value: T;
  onChange: (value: T) => void;
}): JSX.Element {
  const list = React.useRef<HTMLDivElement>(null);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const at = props.shown.findIndex(each => each.value === props.value);
    const last = props.shown.length - 1;
    const [back, on] = [at === 0 ? last : at - 1, at === last ? 0 : at + 1];
    // on a narrow page they stand in a row
    const to = { ArrowUp: back, ArrowLeft: back, ArrowDown: on, ArrowRight: on, Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      props.onChange(props.shown[to].value);
      list.current?.querySelectorAll<HTMLElement>('[role="tab"]')[to]?.focus();
    }
  };
  return (
    <div className="jp-HpcEnv-dialects" role="tablist" aria-label={props.label} aria-orientation="vertical" ref={list} onKeyDown={onKeyDown}>
      {props.shown.map(each => (
        <button
          key={each.value}
          type="button"
          role="tab"
          id={`${props.id}-${each.value}`}
          aria-selected={each.value === props.value}
          aria-controls={each.value === props.value ? `${props.id}-panel` : undefined}
          tabIndex={each.value === props.value ? 0 : -1}
          onClick={() => props.onChange(each.value)}
        >
          <span>{each.label}</span>
          <small>{each.hint}</small>
        </button>
      ))}
    </div>
  );
}
