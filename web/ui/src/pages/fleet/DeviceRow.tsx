// biome-ignore-all lint/a11y/useSemanticElements: see DeviceTable
// biome-ignore-all lint/a11y/useFocusableInteractive: see DeviceTable

import { memo } from 'react';
import type { columns } from './columns';
import type { Device } from './queries';

interface Props {
  row: number;
  top: number;
  height: number;
  /** undefined: not here yet. */
  device: Device | undefined;
  columns: typeof columns;
  active: boolean;
  ticked: boolean;
  /** The tick cannot be taken away. */
  fixed: boolean;
  tick: (row: number, id: string, extend: boolean) => void;
}

/** DeviceRow is one row; it renders again only when something in it changes. */
export const DeviceRow = memo(function DeviceRow({ row, top, height, device, ...p }: Props) {
  return (
    <div
      id={`fl-row-${row}`}
      className="fl-row fl-body"
      role="row"
      aria-rowindex={row + 2}
      aria-selected={p.ticked}
      data-active={p.active || undefined}
      style={{ top, height }}
    >
      <div role="gridcell" className="fl-tick">
        {device && (
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={`Select ${device.name}`}
            checked={p.ticked}
            disabled={p.fixed}
            title={p.fixed ? 'All that fit are selected; narrow the list to leave some out' : undefined}
            onChange={(e) => p.tick(row, device.id, (e.nativeEvent as unknown as MouseEvent).shiftKey)}
          />
        )}
      </div>
      {p.columns.map((c) => (
        <div key={c.id} role="gridcell" data-column={c.id}>
          {device ? c.meta?.show(device) : <span className="fl-bone" />}
        </div>
      ))}
    </div>
  );
});
