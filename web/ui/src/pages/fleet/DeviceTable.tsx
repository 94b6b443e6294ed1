// biome-ignore-all lint/a11y/useSemanticElements: a table element cannot leave out the rows that are not in view
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and points at the active row

import { useNavigate } from '@tanstack/react-router';
import { useTable } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type MouseEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { count } from '../../kit/bytes';
import { columns, features, hiddenOf } from './columns';
import { DeviceRow } from './DeviceRow';
import { type FleetSearch, nextSort, sortOf } from './filter';
import type { Device } from './queries';
import { added, nothing, type Selection, ticked } from './selection';
import type { Devices } from './useDevices';

const headHeight = 34;
const rowHeight = 36;
const foundHeight = 50;
const tickWidth = 40;
// Room for the bar that floats above the last rows.
const barRoom = 64;

interface Props {
  devices: Devices;
  search: FleetSearch;
  change: (next: Partial<FleetSearch>) => void;
  selection: Selection;
  select: (next: (now: Selection) => Selection) => void;
}

const noRows: Device[] = [];

/** DeviceTable shows as many devices as there are, of which it renders those in view. */
export function DeviceTable({ devices, search, change, selection, select }: Props) {
  const navigate = useNavigate();
  const frame = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const anchor = useRef(0);
  const columnVisibility = useMemo(() => hiddenOf(search.hide), [search.hide]);
  const table = useTable({ features, columns, data: noRows, state: { columnVisibility } });
  const shown = useMemo(() => columns.filter((c) => columnVisibility[c.id ?? ''] !== false), [columnVisibility]);
  const template = `${tickWidth}px ${shown.map((c) => c.meta?.width).join(' ')}`;
  const least = shown.reduce((sum, c) => sum + (c.meta?.least ?? 0), tickWidth);

  const { total, at, inView, pending } = devices;
  const size = search.q ? foundHeight : rowHeight;
  const rows = useVirtualizer({
    count: pending ? 20 : total,
    getScrollElement: () => frame.current,
    estimateSize: () => size,
    scrollMargin: 0,
    paddingStart: headHeight,
    scrollPaddingStart: headHeight,
    scrollPaddingEnd: barRoom,
    paddingEnd: selection.all || selection.ids.size > 0 ? barRoom : 0,
    overscan: 12,
    useFlushSync: false,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows are measured anew when their height changes
  useEffect(() => rows.measure(), [size]);
  const range = rows.range;
  useEffect(() => {
    if (range) inView(range.startIndex, range.endIndex);
  }, [range, inView]);

  // Rows render again when tick changes: it must not with every page that comes in.
  const rowAt = useRef(at);
  rowAt.current = at;
  const tick = useCallback(
    (row: number, id: string, extend: boolean) => {
      const from = anchor.current;
      anchor.current = row;
      setActive(row);
      if (!extend) return select((now) => ticked(now, id));
      const between: (string | undefined)[] = [];
      for (let i = Math.min(from, row); i <= Math.max(from, row); i++) between.push(rowAt.current(i)?.id);
      select((now) =>
        added(
          now,
          between.filter((d) => d !== undefined),
        ),
      );
    },
    [select],
  );

  const open = (id: string) => void navigate({ to: '/devices/$device', params: { device: id } });
  const go = (row: number) => {
    const next = Math.max(0, Math.min(total - 1, row));
    setActive(next);
    rows.scrollToIndex(next);
    return next;
  };
  const pressed = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget || e.ctrlKey || e.metaKey || e.altKey || total === 0) return;
    const page = Math.max(1, Math.floor(((frame.current?.clientHeight ?? 0) - headHeight) / size) - 1);
    const to = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: total - 1,
    }[e.key];
    const device = at(active);
    if (to !== undefined) {
      const next = at(go(to));
      if (e.shiftKey && device && next) select((now) => added(now, [device.id, next.id]));
    } else if (e.key === 'Enter' && device) open(device.id);
    else if (e.key === ' ' && device) tick(active, device.id, e.shiftKey);
    else if (e.key === 'Escape') select(() => nothing);
    else return;
    e.preventDefault();
  };
  const clicked = (e: MouseEvent) => {
    const id = (e.target as HTMLElement).closest<HTMLElement>('a[data-device]')?.dataset.device;
    if (!id || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    open(id);
  };

  const sort = sortOf(search);
  const some = selection.all || selection.ids.size > 0;
  return (
    <div
      ref={frame}
      className="fl-frame"
      role="grid"
      aria-label="Devices"
      aria-rowcount={total + 1}
      aria-multiselectable
      aria-activedescendant={total > 0 ? `fl-row-${active}` : undefined}
      aria-busy={devices.pending || devices.before}
      tabIndex={0}
      onKeyDown={pressed}
      onClick={clicked}
      data-before={devices.before || undefined}
    >
      <div style={{ height: rows.getTotalSize(), minWidth: least, '--fl-columns': template } as React.CSSProperties}>
        <div className="fl-head" role="rowgroup">
          <div className="fl-row" role="row" aria-rowindex={1} style={{ height: headHeight }}>
            <div role="columnheader" className="fl-tick">
              <input
                type="checkbox"
                aria-label={some ? 'Select none' : `Select all ${count(total, 'device')}`}
                title={some ? 'Select none' : `Select all ${count(total, 'device')} that fit`}
                checked={selection.all}
                disabled={total === 0}
                ref={(box) => {
                  if (box) box.indeterminate = some && !selection.all;
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
        <div role="rowgroup">
          {rows.getVirtualItems().map((row) => {
            const device = at(row.index);
            return (
              <DeviceRow
                key={row.key}
                row={row.index}
                top={row.start}
                height={size}
                device={device}
                columns={shown}
                active={row.index === active}
                ticked={selection.all || (device !== undefined && selection.ids.has(device.id))}
                fixed={selection.all}
                tick={tick}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}
