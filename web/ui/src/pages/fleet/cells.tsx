import { IconShieldQuestion } from '@tabler/icons-react';
import { prefix } from '../../api/client';
import { bytes } from '../../kit/bytes';
import { CapBar, capWords } from '../../kit/data/CapBar';
import { useAgo, useUntil } from '../../kit/Since';
import { lookOf } from '../../kit/states';
import { dateOf, exact } from '../../kit/time';
import { foundText, labelList } from './describe';
import type { Device } from './queries';

// Cells are plain elements with native hover texts: thousands of them pass by when one scrolls.

/** StateCell looks as kit/State does. */
export function StateCell({ state, reason }: { state: string; reason?: string }) {
  const look = lookOf('liveness', state);
  const style = {
    '--fl-ground': `var(--mantine-color-${look.color}-light)`,
    '--fl-ink': `var(--mantine-color-${look.color}-light-color)`,
  } as React.CSSProperties;
  return (
    <span className="fl-state" data-state={state} title={reason} style={style}>
      <look.icon size={14} aria-hidden />
      {look.word}
    </span>
  );
}

/** NameCell is a link; clicks are taken by the grid. */
export function NameCell({ device }: { device: Device }) {
  const found = foundText(device.found_in);
  return (
    <span className="fl-name">
      <span className="fl-line">
        <a
          className="fs-text"
          href={`${prefix}/devices/${encodeURIComponent(device.id)}`}
          data-device={device.id}
          tabIndex={-1}
          title={device.name}
        >
          {device.name}
        </a>
        {!device.confirmed && (
          <span title="Nobody has checked that this is the device it says it is" className="fl-unchecked">
            <IconShieldQuestion size={14} role="img" aria-label="identity not checked" />
          </span>
        )}
      </span>
      {found && (
        <span className="fl-found fs-text" title={found}>
          {found}
        </span>
      )}
    </span>
  );
}

export function TimeCell({ at }: { at: string | undefined }) {
  const d = dateOf(at);
  return <Moment d={d} words={useAgo(d)} />;
}

/** DueCell shows when something that is not late is due. What has come meanwhile is read a little later. */
export function DueCell({ at }: { at: string | undefined }) {
  const d = dateOf(at);
  return <Moment d={d} words={useUntil(d)} />;
}

function Moment({ d, words }: { d: Date | undefined; words: string | undefined }) {
  return d ? (
    <time dateTime={d.toISOString()} title={exact(d)}>
      {words}
    </time>
  ) : (
    <span className="fl-none">–</span>
  );
}

export function LabelsCell({ labels }: { labels: Device['labels'] }) {
  const all = labelList(labels);
  return (
    <span className="fl-labels" title={all.join('\n')}>
      {all.slice(0, 4).map((l) => (
        <span key={l} className="fl-label">
          {l}
        </span>
      ))}
      {all.length > 4 && `+${all.length - 4}`}
    </span>
  );
}

export function StacksCell({ stacks }: { stacks: Device['stacks'] }) {
  if (stacks.all === 0) return <span className="fl-none">–</span>;
  return (
    <span title={`${stacks.ok} of ${stacks.all} stacks run as wanted; ${stacks.failed} failed or degraded`}>
      {stacks.ok}/{stacks.all}
      {stacks.failed > 0 && <b className="fl-bad"> {stacks.failed} failed</b>}
    </span>
  );
}

export function ContainersCell({ containers }: { containers: Device['containers'] }) {
  if (!containers) return <span className="fl-none">–</span>;
  return (
    <span title={`${containers.running} of ${containers.all} containers are running`}>
      {containers.running}/{containers.all}
    </span>
  );
}

/** DataCell shows what is spent of the cap of this billing cycle. */
export function DataCell({ data: d }: { data: Device['data'] }) {
  if (!d || (d.spent === 0 && !d.cap)) return <span className="fl-none">–</span>;
  const look = lookOf('spending', d.stage);
  const words = [
    capWords({ spent: d.spent, hard: d.cap }),
    d.projected ? `${bytes(d.projected)} at the cycle’s end` : '',
    d.cap ? look.word : '',
  ];
  return (
    <span className="fl-data" data-stage={d.stage} title={words.filter(Boolean).join(', ')}>
      <span className="fl-line">
        {d.stage !== 'free' && <look.icon size={14} role="img" aria-label={look.word} />}
        {bytes(d.spent)}
      </span>
      <CapBar spent={d.spent} hard={d.cap} stage={d.stage} projected={d.projected} />
    </span>
  );
}
