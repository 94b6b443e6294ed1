import { Alert, Button, Group, Paper, SegmentedControl, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconArrowUp } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import { useMay } from '../../app/useMay';
import { bytes } from '../../kit/bytes';
import { CapBar, capWords } from '../../kit/data/CapBar';
import { Chart, Legend } from '../../kit/data/Chart';
import { sumOf } from '../../kit/data/classes';
import { OpeningTime } from '../../kit/data/OpeningTime';
import { filled } from '../../kit/data/scale';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { stageReason } from '../../kit/states';
import { dateOf } from '../../kit/time';
import { Passes, Warnings } from '../data/Passes';
import { type Since as Back, spans, stepSeconds } from '../data/queries';
import { Lift } from './Lift';
import { contactQuery, type Detail, usageOfQuery } from './queries';

type Usage = Schemas['DeviceUsage'];

/** Data is what the device spends on its link, what it may, and when it is in contact. */
export function Data({ device }: { device: Detail }) {
  const [since, setSince] = useState<Back>('30d');
  const { data: usage, error, refetch } = useQuery(usageOfQuery(device.id, since));
  return (
    <Stack gap="md">
      <Failure error={error} retry={refetch} />
      {!usage && !error && <Skeleton h={280} />}
      {usage && (
        <>
          <Alerts usage={usage} />
          <Cycle device={device} usage={usage} />
          <Time usage={usage} since={since} set={setSince} />
        </>
      )}
      <Contact device={device} />
    </Stack>
  );
}

function Alerts({ usage: u }: { usage: Usage }) {
  return u.alerts.map((a) => (
    <Alert key={a.kind + a.since} color="yellow" icon={<IconAlertTriangle aria-hidden />} p="xs">
      <Text size="sm" className="fs-text" component="div">
        {a.text.charAt(0).toUpperCase() + a.text.slice(1)} (<Since at={a.since} />
        ).
      </Text>
    </Alert>
  ));
}

const dayText = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long' });

function Cycle({ device, usage: u }: { device: Detail; usage: Usage }) {
  const [lifting, setLifting] = useState(false);
  const change = useMay('devices.lift');
  const [start, end] = [dateOf(u.cycle.start), dateOf(u.cycle.end)];
  const capped = !!(u.caps.hard || u.caps.soft);
  const money = (amount: string | undefined) => (amount ? `${amount} ${u.currency ?? ''}`.trim() : undefined);
  const { lift } = device;
  const over = u.caps.hard ? (u.projected ?? 0) > u.caps.hard : false;
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-labelledby="fs-data-cycle">
      <Group justify="space-between" gap="xs" mb="xs">
        <Group gap="xs">
          <Title order={2} size="h4" id="fs-data-cycle">
            Billing cycle{start && end && `, ${dayText.format(start)} to ${dayText.format(end)}`}
          </Title>
          <State kind="spending" state={u.stage} />
        </Group>
        {capped && change && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconArrowUp size={14} aria-hidden />}
            onClick={() => setLifting(true)}
          >
            Lift the caps …
          </Button>
        )}
      </Group>
      <Text size="sm" mb={6}>
        <b>{capWords({ spent: u.spent, ...u.caps })}</b>
        {capped && u.stage !== 'free' && ` – ${stageReason(u.stage) ?? ''}`}
      </Text>
      <CapBar large spent={u.spent} {...u.caps} projected={u.projected} stage={u.stage} />
      <dl className="fs-terms-row" style={{ marginTop: 10 }}>
        {!!u.projected && (
          <Item name="At the cycle’s end">
            {over ? <b className="da-over">{bytes(u.projected)}, over the cap</b> : bytes(u.projected)}
          </Item>
        )}
        {money(u.cost) && <Item name="Cost until now">{money(u.cost)}</Item>}
        {money(u.projected_cost) && <Item name="Cost of the cycle">{money(u.projected_cost)}</Item>}
        {!!u.caps.soft && <Item name="Saves from">{bytes(u.caps.soft)}</Item>}
        {!!u.caps.reserve && <Item name="Kept for urgent work">{bytes(u.caps.reserve)}</Item>}
        {!!u.rate && <Item name="Rate down">{bytes(u.rate)} a second</Item>}
        {end && (
          <Item name="Ends">
            <Since at={u.cycle.end} />
          </Item>
        )}
        {u.as_of && (
          <Item name="As of">
            <Since at={u.as_of} />
          </Item>
        )}
      </dl>
      {lift && (
        <Text size="sm" className="fs-text">
          {bytes(lift.extra)} were added to the caps
          {lift.by && ` by ${lift.by}`} <Since at={lift.at} />
          {lift.note && `: “${lift.note}”`}
        </Text>
      )}
      {!capped && (
        <Text size="sm" c="dimmed">
          Nothing is capped. A budget is a part of a{' '}
          <LinkAnchor to="/data" search={{ tab: 'profiles' }} size="sm" underline="always">
            link profile
          </LinkAnchor>
          .
        </Text>
      )}
      <Lift device={device} usage={u} lifted={!!lift} opened={lifting} close={() => setLifting(false)} />
    </Paper>
  );
}

function Item({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Time({ usage: u, since, set }: { usage: Usage; since: Back; set: (since: Back) => void }) {
  const { step } = spans[since];
  const all = sumOf(u.totals);
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-labelledby="fs-data-time">
      <Group justify="space-between" gap="xs" mb="xs">
        <Title order={2} size="h4" id="fs-data-time">
          {all > 0 ? `${bytes(all)} in ${spans[since].words}` : `Nothing told of ${spans[since].words}`}
        </Title>
        <SegmentedControl
          size="xs"
          aria-label="How far back"
          value={since}
          onChange={(v) => set(v as Back)}
          data={Object.entries(spans).map(([value, s]) => ({ value, label: s.words }))}
        />
      </Group>
      {all > 0 ? (
        <Stack gap="xs">
          <Chart
            steps={filled(u.steps, {
              from: Date.parse(u.from),
              to: Date.parse(u.to),
              seconds: stepSeconds[step],
              empty: (at) => ({ at, classes: {} }),
            })}
            step={step}
            label={`Bytes by class, each ${step}`}
          />
          <Legend totals={u.totals} />
        </Stack>
      ) : (
        <Text size="sm" c="dimmed">
          The device says what it spent with what it sends anyway. What it spent while it was away comes later, and
          stands in its own days.
        </Text>
      )}
    </Paper>
  );
}

function Contact({ device }: { device: Detail }) {
  const { data, error, refetch } = useQuery(contactQuery(device.id));
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-labelledby="fs-data-contact">
      <Stack gap="md">
        <div>
          <Title order={2} size="h4" id="fs-data-contact" mb={6}>
            Times of contact
          </Title>
          <Failure error={error} retry={refetch} />
          {!data && !error && <Skeleton h={60} />}
          {data && <Openings times={data} />}
        </div>
        <Passes scope={{ device: device.id }} heading={{ order: 3, size: 'h5' }} />
      </Stack>
    </Paper>
  );
}

function Openings({ times: t }: { times: Schemas['DeviceContact'] }) {
  if (t.always)
    return (
      <Text size="sm" c="dimmed">
        At any time: its link profile names no contact windows, and it has no passes.
      </Text>
    );
  return (
    <>
      <Text size="sm">
        {t.now
          ? 'It may be in contact now.'
          : t.openings.length > 0
            ? 'It is quiet until the next opening.'
            : 'None to come.'}
      </Text>
      <Text size="xs" c="dimmed" className="fs-text">
        By {t.from}. The device’s time zone is {t.zone}.
      </Text>
      <Warnings of={t.warnings} />
      {t.openings.length > 0 && (
        <ul aria-label="Next openings" className="da-times">
          {t.openings.map((o) => (
            <OpeningTime key={o.start} {...o} zone={t.zone} />
          ))}
        </ul>
      )}
    </>
  );
}
