import './jobs.css';
import { Tooltip } from '@mantine/core';
import { lookOf } from '../../kit/states';
import { dateOf, exact } from '../../kit/time';
import type { JobDevice, JobRow } from './queries';

/** Strip shows the latest due times of a job, the latest last: what failed is red and taller. */
export function Strip({ beats }: { beats: JobRow['strip'] }) {
  return (
    <Bars
      bars={beats.map((b) => ({
        key: b.due,
        tone: b.failed > 0 ? 'bad' : b.done > 0 ? 'good' : 'other',
        words: `${when(b.due)}: ${b.done} done, ${b.failed} failed${b.other ? `, ${b.other} other` : ''}`,
      }))}
    />
  );
}

/** Marks shows the latest runs on one device. */
export function Marks({ marks }: { marks: JobDevice['strip'] }) {
  return (
    <Bars
      bars={marks.map((m) => ({
        key: String(m.run),
        tone: toneOf(m.state),
        words: `${when(m.due)}: ${lookOf('run', m.state).word}`,
      }))}
    />
  );
}

const when = (t: string) => {
  const d = dateOf(t);
  return d ? exact(d) : t;
};

function toneOf(state: string): string {
  if (state === 'done') return 'good';
  return ['failed', 'timed-out', 'interrupted', 'refused'].includes(state) ? 'bad' : 'other';
}

function Bars({ bars }: { bars: readonly { key: string; tone: string; words: string }[] }) {
  const bad = bars.filter((b) => b.tone === 'bad').length;
  if (bars.length === 0) return <span className="jb-none">no run yet</span>;
  return (
    <span className="jb-strip" role="img" aria-label={`Last ${bars.length}: ${bad} with failures`}>
      {bars.map((b) => (
        <Tooltip key={b.key} label={b.words}>
          <span className="jb-bar" data-tone={b.tone} />
        </Tooltip>
      ))}
    </span>
  );
}
