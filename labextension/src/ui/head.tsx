/** The head of a page: who it is about, how it stands, what can be done. */
import React from 'react';

export function PageHead(props: {
  name: string;
  text: React.ReactNode;
  actions?: React.ReactNode;
  arrived?: boolean;
}): JSX.Element {
  const heading = React.useRef<HTMLHeadingElement>(null);
  const { arrived } = props;
  React.useEffect(() => {
    // what had the focus went with the page before; a focus elsewhere is the person's and stays
    if (arrived && document.activeElement === document.body) {
      heading.current?.focus({ preventScroll: true });
    }
  }, [arrived]);
  return (
    <div className="jp-HpcEnv-pageHead">
      <span className="jp-HpcEnv-logo" aria-hidden="true">
        {props.name.slice(0, 2).toLowerCase()}
      </span>
      <div className="jp-HpcEnv-pageTitle">
        <h1 ref={heading} tabIndex={-1}>
          {props.name}
        </h1>
        <p>{props.text}</p>
      </div>
      {props.actions && <div className="jp-HpcEnv-actions">{props.actions}</div>}
    </div>
  );
}
