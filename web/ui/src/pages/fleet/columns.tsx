import { columnVisibilityFeature, createColumnHelper, tableFeatures } from '@tanstack/react-table';
import type { ReactNode } from 'react';
import { ContainersCell, DataCell, DueCell, LabelsCell, NameCell, StacksCell, StateCell, TimeCell } from './cells';
import type { Device } from './queries';

/** How a column is shown, beside its name. */
export interface Look {
  /** In CSS, for grid-template-columns. */
  width: string;
  /** In px: below this the table scrolls sideways. */
  least: number;
  /** The hub can sort by it. */
  sorts: boolean;
  numeric?: true;
  show: (d: Device) => ReactNode;
}

export const features = tableFeatures({ columnVisibilityFeature, columnMeta: {} as Look });

const helper = createColumnHelper<typeof features, Device>();

const column = (id: string, header: string, meta: Look) =>
  helper.display({ id, header, meta, enableHiding: id !== 'name' });

export const columns = [
  column('state', 'State', {
    width: '104px',
    least: 104,
    sorts: true,
    show: (d) => <StateCell state={d.liveness.state} reason={d.liveness.reason} />,
  }),
  column('name', 'Name', {
    width: 'minmax(136px, 2fr)',
    least: 136,
    sorts: true,
    show: (d) => <NameCell device={d} />,
  }),
  column('group', 'Group', {
    width: 'minmax(100px, 1.4fr)',
    least: 100,
    sorts: true,
    show: (d) => (
      <span className="fs-text" title={d.group}>
        {d.group}
      </span>
    ),
  }),
  column('labels', 'Labels', {
    width: 'minmax(90px, 1.8fr)',
    least: 90,
    sorts: false,
    show: (d) => <LabelsCell labels={d.labels} />,
  }),
  column('mode', 'Mode', { width: '80px', least: 80, sorts: true, show: (d) => d.mode }),
  column('carrier', 'Carrier', {
    width: '66px',
    least: 66,
    sorts: false,
    show: (d) => d.carrier || <span className="fl-none">–</span>,
  }),
  column('last_contact', 'Last contact', {
    width: '104px',
    least: 104,
    sorts: true,
    show: (d) => <TimeCell at={d.liveness.last_contact} />,
  }),
  column('next_contact', 'Next contact', {
    width: '104px',
    least: 104,
    sorts: true,
    show: ({ liveness: { state, next_contact } }) =>
      state === 'on-time' ? <DueCell at={next_contact} /> : <TimeCell at={next_contact} />,
  }),
  column('stacks', 'Stacks', {
    width: '96px',
    least: 96,
    sorts: true,
    show: (d) => <StacksCell stacks={d.stacks} />,
  }),
  column('containers', 'Containers', {
    width: '90px',
    least: 90,
    sorts: true,
    numeric: true,
    show: (d) => <ContainersCell containers={d.containers} />,
  }),
  column('share', 'Data', {
    width: '80px',
    least: 80,
    sorts: true,
    show: (d) => <DataCell data={d.data} />,
  }),
  column('version', 'Version', {
    width: '84px',
    least: 84,
    sorts: true,
    show: (d) => (
      <span className="fs-text" title={d.version}>
        {d.version}
      </span>
    ),
  }),
];

/** hiddenOf reads which columns the address hides, as the table takes it. */
export function hiddenOf(hide: string | undefined): Record<string, boolean> {
  return Object.fromEntries((hide ?? '').split(',').flatMap((id) => (id === '' || id === 'name' ? [] : [[id, false]])));
}
