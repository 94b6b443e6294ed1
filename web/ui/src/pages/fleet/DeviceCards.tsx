import { Link } from '@tanstack/react-router';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useRef } from 'react';
import { StateCell, TimeCell } from './cells';
import { foundText, restText, troubleText } from './describe';
import type { Device } from './queries';
import type { Devices } from './useDevices';

const height = 84;
const gap = 8;

/** DeviceCards shows the devices on a phone; the window scrolls. */
export function DeviceCards({ devices }: { devices: Devices }) {
  const frame = useRef<HTMLDivElement>(null);
  const { inView } = devices;
  const cards = useWindowVirtualizer({
    count: devices.pending ? 8 : devices.total,
    estimateSize: () => height,
    gap,
    overscan: 8,
    scrollMargin: frame.current?.offsetTop ?? 0,
    useFlushSync: false,
  });
  const range = cards.range;
  useEffect(() => {
    if (range) inView(range.startIndex, range.endIndex);
  }, [range, inView]);
  return (
    <div ref={frame} className="fl-cards" style={{ height: cards.getTotalSize() }} aria-busy={devices.before}>
      {cards.getVirtualItems().map((c) => (
        <Card key={c.key} device={devices.at(c.index)} top={c.start - cards.options.scrollMargin} />
      ))}
    </div>
  );
}

const Card = memo(function Card({ device: d, top }: { device: Device | undefined; top: number }) {
  if (!d) {
    return (
      <div className="fl-card" style={{ top, height }}>
        <span className="fl-bone" />
      </div>
    );
  }
  const trouble = troubleText(d);
  return (
    <Link className="fl-card" style={{ top, height }} to="/devices/$device" params={{ device: d.id }}>
      <span>
        <span className="fs-text">
          <b>{d.name}</b>
        </span>
        <StateCell state={d.liveness.state} />
      </span>
      <span>
        <span className="fs-text">{d.group || 'no group'}</span>
        <TimeCell at={d.liveness.last_contact} />
      </span>
      <span>
        <span className={trouble ? 'fl-bad' : 'fl-none fs-text'}>
          {trouble || foundText(d.found_in) || restText(d)}
        </span>
      </span>
    </Link>
  );
});
