/** Where an environment is to lie from now on. */
import React from 'react';
import { LocationField } from '../create/fields';
import { plain } from '../format';
import type { IEnvironmentDetail } from '../tokens';
import { Callout, Trouble } from '../ui/blocks';
import { useHpcEnv, useLoaded, useModel } from '../ui/context';
import { Refused, useSending } from '../ui/sending';
import { Form } from './form';

/** Asked where to; nothing is sent before its button is pressed. */
export function MoveForm(props: { environment: IEnvironmentDetail; onClose: () => void; onDone: () => void }): JSX.Element {
  const { trans, actions } = useHpcEnv();
  const model = useModel();
  const { environment } = props;
  const { busy, refused, send, forget } = useSending();
  const [chosen, setChosen] = React.useState('');
  const [tried, setTried] = React.useState(false);
  const read = useLoaded(() => model.refreshSite(), environment.id);
  const site = read.value ?? model.site;
  const locations = (site?.locations ?? []).filter(each => each.name !== environment.location);
  const running = model.kernelsRunning(environment);
  const move = async (): Promise<void> => {
    setTried(true);
    if (chosen && (await send(chosen, key => actions.move(environment, chosen, key)))) {
      props.onDone();
    }
  };
  return (
    <Form
      title={trans.__('Move %1', plain(environment.name))}
      text={trans.__('It is built at the other location with exactly the same packages, and proven there. Then what is here goes to the trash.')}
      accept={busy ? trans.__('Sending…') : trans.__('Move')}
      busy={busy}
      onAccept={() => void move()}
      onClose={props.onClose}
    >
      {running > 0 && (
        <Callout kind="warn">
          {trans._n('%1 kernel is running. Shut it down first.', '%1 kernels are running. Shut them down first.', running)}
        </Callout>
      )}
      {environment.shared && (
        <Callout>{trans.__('It is shared. With whom has to be said again after the move.')}</Callout>
      )}
      {!site && !!read.error ? (
        <Trouble title={trans.__('The locations could not be read')} error={read.error} onRetry={read.reload} />
      ) : site && locations.length === 0 ? (
        <p>{trans.__('There is no other location on this machine.')}</p>
      ) : (
        <LocationField
          name={`hpcenv-${environment.id}-move`}
          locations={locations}
          value={chosen}
          wrong={tried && !chosen && locations.length > 0 ? trans.__('Choose a location.') : undefined}
          onChange={value => {
            setChosen(value);
            forget();
          }}
        />
      )}
      <Refused error={refused} />
    </Form>
  );
}
