import * as React from 'react';

import { SourceOut } from './protocol';
import { IDataPilot } from './tokens';

/** Sources as the options of a picker: the whole organisation's first, then those of each workspace under its name. */
export function SourceOptions(props: { datapilot: IDataPilot; among?: (source: SourceOut) => boolean }): JSX.Element {
  const { trans, sources } = props.datapilot;
  const list = (sources.list ?? []).filter(props.among ?? (() => true));
  const option = (source: SourceOut): JSX.Element => (
    <option key={source.id} value={source.id}>
      {source.name}
    </option>
  );
  const groups = groupsOf(list, sources.workspaces);
  if (groups.every(([workspace]) => workspace === null)) {
    return <>{list.map(option)}</>;
  }
  return (
    <>
      {groups.map(([workspace, members]) => (
        <optgroup key={workspace ?? ''} label={workspace ?? trans.__('Whole organisation')}>
          {members.map(option)}
        </optgroup>
      ))}
    </>
  );
}

/** Return sources by the name of their workspace, in the order of the names; null, the whole organisation's, comes first. */
export function groupsOf(list: readonly SourceOut[], names: ReadonlyMap<string, string>): [string | null, SourceOut[]][] {
  const groups = new Map<string | null, SourceOut[]>();
  for (const source of list) {
    const name = source.workspace_id === null ? null : (names.get(source.workspace_id) ?? '—');
    groups.set(name, [...(groups.get(name) ?? []), source]);
  }
  return [...groups].sort(([a], [b]) => (a === null ? -1 : b === null ? 1 : a.localeCompare(b)));
}
