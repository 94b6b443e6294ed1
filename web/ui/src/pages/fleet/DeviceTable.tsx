// biome-ignore-all lint/a11y/useSemanticElements: a table element cannot leave out the rows that are not in view
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and points at the active row

import { useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type MouseEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { columns, hiddenOf } from './columns';
import { DeviceRow } from './DeviceRow';
import { type FleetSearch, sortOf } from './filter';
import { added, nothing, type Selection, ticked } from './selection';
import { headHeight, TableHead } from './TableHead';
import type { Devices } from './useDevices';

const rowHeight = 36;
const foundHeight = 50;
const tickWidth = 40;
// Room for the bar that floats above the last rows.
const barRoom = 64;

interface Props {
  devices: Devices;
  /** What is asked for, in one text: another one begins at the top. */
  asked: string;
  search: FleetSearch;
  /** arrange changes the order. */
  arrange: (next: Partial<FleetSearch>) => void;
  selection: Selection;
  select: (next: (now: Selection) => Selection) => void;
}

/** DeviceTable shows as many devices as there are, of which it renders those in view. */
export function DeviceTable({ devices, asked, search, arrange, selection, select }: Props) {
  const navigate = useNavigate();
  const frame = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const anchor = useRef(0);
  const columnVisibility = useMemo(() => hiddenOf(search.hide), [search.hide]);
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
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is asked for is why
  useEffect(() => {
    // To ask the element, or to scroll it where it is, would have the browser lay everything out at once.
    if (rows.scrollOffset && frame.current) frame.current.scrollTop = 0;
    setActive(0);
    anchor.current = 0;
  }, [asked]);
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
        <TableHead
          hide={search.hide}
          sort={sortOf(search)}
          change={arrange}
          total={total}
          some={selection.all || selection.ids.size > 0}
          all={selection.all}
          select={select}
        />
        <div className="fl-rows" role="rowgroup">
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
