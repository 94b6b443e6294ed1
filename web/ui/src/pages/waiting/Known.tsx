import { Alert, Badge, Box, Text } from '@mantine/core';
import { IconAlertTriangle, IconInfoCircle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Schemas } from '../../api/client';
import { count } from '../../kit/bytes';
import { labelText } from '../../kit/labels';
import { Since, useNow } from '../../kit/Since';
import { dateOf } from '../../kit/time';
import { nameOf, type Waiter } from './decide';

/** Pairs is a list of terms with what is known of them; those with nothing are left out. */
function Pairs({ title, pairs }: { title: string; pairs: [string, ReactNode][] }) {
  return (
    <div>
      <Text size="xs" fw={600} c="dimmed" mb={2}>
        {title}
      </Text>
      <Box component="dl" className="fs-pairs">
        {pairs
          .filter(([, v]) => v)
          .map(([term, v]) => (
            <div key={term}>
              <dt>{term}</dt>
              <dd className="fs-text">{v}</dd>
            </div>
          ))}
      </Box>
    </div>
  );
}

/** Claims are what a device says of itself; nobody has checked it. */
export function Claims({ device: w }: { device: Waiter }) {
  const f = w.facts;
  return (
    <Pairs
      title="It says it is"
      pairs={[
        ['Name', nameOf(w)],
        ['Host', f.hostname !== nameOf(w) && f.hostname],
        ['System', [f.os, f.arch].filter(Boolean).join(', ')],
        ['Engine', f.engine || 'not told yet'],
        ['Serial', f.serial],
        ['Machine', f.machine_id],
        ['Agent', [f.version, f.mode].filter(Boolean).join(', ')],
        ['Asks for', labelText(w.wishes)],
      ]}
    />
  );
}

/** Known is what the hub itself knows of a device that waits. */
export function Known({ device: w, enrolment }: { device: Waiter; enrolment: Schemas['Key'] | undefined }) {
  const given = [enrolment?.group && `group ${enrolment.group}`, labelText(enrolment?.labels)].filter(Boolean);
  return (
    <Pairs
      title="The hub knows"
      pairs={[
        ['Address', w.remote],
        ['Edge key', enrolment?.name ?? w.key],
        ['Gives it', given.join(', ')],
        ['Knocked', <Knocked key="" device={w} />],
        [
          'Decided',
          w.decided_by && (
            <>
              {w.state} by {w.decided_by}, <Since at={w.decided} />
            </>
          ),
        ],
      ]}
    />
  );
}

export function Knocked({ device: w }: { device: Waiter }) {
  return (
    <>
      {count(w.knocks, 'time')}, first <Since at={w.first_knock} />, last <Since at={w.last_knock} />
    </>
  );
}

/** Doubts are reasons to look twice, and what else is worth knowing. */
export function Doubts({ device: w }: { device: Waiter }) {
  const marks = w.marks ?? [];
  const notes = w.notes ?? [];
  return (
    <>
      {marks.length > 0 && (
        <Alert color="orange" variant="light" p="xs" icon={<IconAlertTriangle aria-hidden />} title="Look twice">
          {marks.map((m) => (
            <Text size="sm" key={m} className="fs-text">
              {m}
            </Text>
          ))}
        </Alert>
      )}
      {notes.map((n) => (
        <Text size="sm" key={n} className="fs-text">
          <IconInfoCircle size={16} aria-hidden style={{ verticalAlign: -3 }} /> {n}
        </Text>
      ))}
    </>
  );
}

const newFor = 120_000; // ms

/** NewMark marks a device that has come just now. */
export function NewMark({ device: w }: { device: Waiter }) {
  const now = useNow();
  const first = dateOf(w.first_knock)?.getTime() ?? 0;
  if (w.state !== 'waiting' || now - first > newFor) return null;
  return (
    <Badge size="sm" color="sea.7" variant="filled" tt="none">
      new
    </Badge>
  );
}
