import './map.css';
import { ActionIcon, Paper, Stack } from '@mantine/core';
import { useElementSize, useMergedRef } from '@mantine/hooks';
import { IconFocusCentered, IconMinus, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { memo, useMemo, useRef, useState } from 'react';
import { count } from '../../../kit/bytes';
import { Failure } from '../../../kit/Failure';
import { livenessStates, lookOf } from '../../../kit/states';
import type { Filter, FleetSearch } from '../filter';
import { positionsQuery } from '../queries';
import { centred } from './camera';
import { Clusters, type Mark, type Placed } from './clusters';
import { MarkCard } from './MarkCard';
import { useCamera } from './useCamera';
import { Without } from './Without';
import { outlines, project } from './world';

const nobody: Placed[] = [];
// How many devices of one place are listed.
const most = 50;
// A mark this far outside is drawn still.
const margin = 40;

/** FleetMap shows where devices are, those near each other as one mark in the colour and shape of the worst state. */
export default function FleetMap({ filter, search }: { filter: Filter; search: FleetSearch }) {
  const { data, error, refetch } = useQuery(positionsQuery(filter));
  const devices = data?.items ?? nobody;
  const clusters = useMemo(() => new Clusters(devices), [devices]);
  // What is shown first stays when devices come and go.
  const begun = useRef<[number, number][]>(undefined);
  if (data && devices.length > 0) begun.current ??= devices.map((d) => project(d.lon, d.lat));
  const { ref, width, height } = useElementSize<HTMLDivElement>();
  const box = useRef<HTMLDivElement>(null);
  const frame = { width: width || 1, height: height || 1 };
  const view = useCamera(box, frame, begun.current ?? []);
  const { k, dx, dy } = view.camera;
  // With its devices: clusters are made anew when a device moves.
  const [chosen, setChosen] = useState<{ mark: Mark; devices: Placed[] }>();
  const seen = clusters
    .marks(k)
    .map((mark) => ({ mark, x: mark.x * k + dx, y: mark.y * k + dy }))
    .filter((m) => m.x > -margin && m.y > -margin && m.x < width + margin && m.y < height + margin);
  const press = (mark: Mark) => {
    if (view.dragged()) return;
    const closer = mark.cluster === undefined ? undefined : clusters.scaleOf(mark.cluster);
    if (closer === undefined) return setChosen({ mark, devices: clusters.devices(mark, most) });
    view.set(centred([mark.x, mark.y], Math.max(closer * 1.05, k * 1.5), frame));
  };
  return (
    <Stack gap="xs" flex={1} mih={0}>
      <Failure error={error} retry={() => void refetch()} />
      {/* biome-ignore lint/a11y/useSemanticElements: it is neither a form nor a list */}
      <div
        ref={useMergedRef(ref, box)}
        className="fm-box"
        role="group"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys move the map
        tabIndex={0}
        aria-label={`Map of ${count(devices.length, 'device')}. Arrow keys move it, + and - zoom, 0 shows all.`}
        {...view.handlers}
      >
        <svg className="fm-sheet" aria-hidden="true">
          <g transform={`translate(${dx} ${dy}) scale(${k})`}>
            <World />
          </g>
        </svg>
        <Stack gap={4} className="fm-tools">
          <Tool label="Zoom in" onClick={view.zoomIn} icon={IconPlus} />
          <Tool label="Zoom out" onClick={view.zoomOut} icon={IconMinus} />
          <Tool label="Show all devices" onClick={view.all} icon={IconFocusCentered} />
        </Stack>
        {width > 0 &&
          seen.map(({ mark, x, y }) => (
            <MarkButton key={mark.key} mark={mark} x={x} y={y} press={press} chosen={chosen?.mark.key === mark.key} />
          ))}
        {chosen && (
          <Paper withBorder shadow="md" p="sm" className="fm-card" onPointerDown={(e) => e.stopPropagation()}>
            <MarkCard count={chosen.mark.count} devices={chosen.devices} close={() => setChosen(undefined)} />
          </Paper>
        )}
      </div>
      {data && <Without n={data.without} some={devices.length > 0} search={search} />}
    </Stack>
  );
}

function Tool({ label, onClick, icon: Icon }: { label: string; onClick: () => void; icon: typeof IconPlus }) {
  return (
    <ActionIcon variant="default" size={36} aria-label={label} title={label} onClick={onClick}>
      <Icon size={18} />
    </ActionIcon>
  );
}

/** World is drawn once; only what is around it moves. */
const World = memo(function World() {
  const { sea, land, grid } = useMemo(outlines, []);
  return (
    <>
      <path className="fm-sea" d={sea} />
      <path className="fm-grid" d={grid} />
      <path className="fm-land" d={land} />
    </>
  );
});

interface MarkProps {
  mark: Mark;
  x: number;
  y: number;
  chosen: boolean;
  press: (mark: Mark) => void;
}

function MarkButton({ mark, x, y, chosen, press }: MarkProps) {
  const look = lookOf('liveness', mark.state);
  const states = livenessStates
    .filter((s) => mark.states[s])
    .map((s) =>
      mark.count === 1 ? lookOf('liveness', s).word : `${count(mark.states[s] ?? 0)} ${lookOf('liveness', s).word}`,
    )
    .join(', ');
  const name = mark.device?.name ?? count(mark.count, 'device');
  const size = mark.count === 1 ? 24 : Math.round(26 + 5 * Math.log10(mark.count) * 2);
  const style = {
    transform: `translate(${x - size / 2}px, ${y - size / 2}px)`,
    width: size,
    height: size,
    '--fm-ink': `var(--mantine-color-${look.color}-filled)`,
  } as React.CSSProperties;
  return (
    <button
      type="button"
      className="fm-mark"
      style={style}
      data-state={mark.state}
      data-chosen={chosen || undefined}
      aria-label={`${name}: ${states}`}
      title={`${name}: ${states}`}
      onClick={() => press(mark)}
    >
      {mark.count === 1 ? (
        <look.icon size={14} aria-hidden />
      ) : (
        <>
          {short(mark.count)}
          <span className="fm-worst">
            <look.icon size={14} aria-hidden />
          </span>
        </>
      )}
    </button>
  );
}

function short(n: number): string {
  return n < 1000 ? String(n) : `${(n / 1000).toFixed(n < 9950 ? 1 : 0)}k`;
}
