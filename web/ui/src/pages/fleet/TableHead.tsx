// biome-ignore-all lint/a11y/useSemanticElements: see DeviceTable
// biome-ignore-all lint/a11y/useFocusableInteractive: what is in a head has the focus

import { useTable } from '@tanstack/react-table';
import { memo, useMemo } from 'react';
import { count } from '../../kit/bytes';
import { columns, features, hiddenOf } from './columns';
import { type FleetSearch, nextSort, type Sort } from './filter';
import type { Device } from './queries';
import { nothing, type Selection } from './selection';

export const headHeight = 34;

interface Props {
  hide: string | undefined;
  sort: Sort;
  change: (next: Partial<FleetSearch>) => void;
  total: number;
  some: boolean;
  all: boolean;
  select: (next: (now: Selection) => Selection) => void;
}

// The table knows columns alone: rows are the hub's, page by page.
const noRows: Device[] = [];

/** TableHead names the columns and sorts by them. */
export const TableHead = memo(function TableHead({ hide, sort, change, total, some, all, select }: Props) {
  const columnVisibility = useMemo(() => hiddenOf(hide), [hide]);
  const table = useTable({ features, columns, data: noRows, state: { columnVisibility } });
  const word = some ? 'Select none' : `Select all ${count(total, 'device')}`;
  return (
    <div className="fl-head" role="rowgroup">
      <div className="fl-row" role="row" aria-rowindex={1} style={{ height: headHeight }}>
        <div role="columnheader" className="fl-tick">
          <input
            type="checkbox"
            aria-label={word}
            title={some ? word : `${word} that fit`}
            checked={all}
            disabled={total === 0}
            ref={(box) => {
              if (box) box.indeterminate = some && !all;
            }}
            onChange={() => select(() => (some ? nothing : { all: true }))}
          />
        </div>
        {table.getVisibleLeafColumns().map((c) => {
          const by = sort === c.id ? 'ascending' : sort === `-${c.id}` ? 'descending' : undefined;
          const name = c.columnDef.header as string;
          return (
            <div key={c.id} role="columnheader" aria-sort={by}>
              {c.columnDef.meta?.sorts ? (
                <button type="button" onClick={() => change({ sort: nextSort(sort, c.id) })}>
                  {name}
                  <span aria-hidden>{by === 'ascending' ? ' ↑' : by === 'descending' ? ' ↓' : ''}</span>
                </button>
              ) : (
                name
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
});
