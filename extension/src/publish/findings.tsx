import * as React from 'react';

import { IDataPilot } from '../tokens';
import { IChecked } from './check';
import { SecretKind } from './secrets';

/** What the check found: in order, or what keeps the notebook from being published, with a way to the cell. */
export function Findings(props: { datapilot: IDataPilot; checked: IChecked; onShow: (cell: number) => void }): JSX.Element {
  const { trans } = props.datapilot;
  const { secrets, failed, tiles, left } = props.checked;
  const kinds: Record<SecretKind, string> = {
    key: trans.__('an access key'),
    password: trans.__('a password'),
    connection: trans.__('a connection with its password'),
    token: trans.__('an access token')
  };
  const show = (cell: number): JSX.Element => (
    <button type="button" className="dp-Plain" onClick={() => props.onShow(cell)}>
      {trans.__('Show')}
    </button>
  );
  return (
    <ul className="dp-Findings">
      {secrets.length === 0 ? <li className="dp-mod-good">{trans.__('No secret in the cells')}</li> : null}
      {secrets.map(secret => (
        <li key={`${secret.cell}-${secret.line}`} className="dp-mod-bad">
          {trans.__('Cell %1, line %2 has what looks like %3: take it out before publishing.', secret.cell + 1, secret.line, kinds[secret.kind])}{' '}
          {show(secret.cell)}
        </li>
      ))}
      {secrets.length === 0 && failed === null ? <li className="dp-mod-good">{trans.__('It runs from top to bottom')}</li> : null}
      {failed ? (
        <li className="dp-mod-bad">
          {trans.__('Cell %1 fails: %2', failed.cell + 1, failed.message || trans.__('it was stopped'))} {show(failed.cell)}
        </li>
      ) : null}
      {secrets.length === 0 && failed === null && tiles.length === 0 ? (
        <li className="dp-mod-bad">{trans.__('No question of this notebook can be published.')}</li>
      ) : null}
      {left.map(one => (
        <li key={`${one.cell}-${one.text}`} className="dp-mod-left">
          {trans.__('Cell %1, “%2”, stays out. %3', one.cell + 1, one.text, one.why)}
        </li>
      ))}
    </ul>
  );
}
