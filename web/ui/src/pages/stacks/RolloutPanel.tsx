import { Anchor, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, ok, type Schemas } from '../../api/client';
import { stackQuery } from '../../api/queries';
import { useMay } from '../../app/useMay';
import { spentWords } from '../../kit/data/Estimate';
import { Actions } from '../../kit/rollout/Actions';
import { BatchBar } from '../../kit/rollout/BatchBar';
import { Phase } from '../../kit/rollout/Phase';
import { formOf, planWords } from '../../kit/rollout/plan';
import { type Action, shownPhase } from '../../kit/rollout/words';
import { Since, useUntil } from '../../kit/Since';
import { dateOf, exact } from '../../kit/time';

type Rollout = Schemas['Rollout'];

interface Props {
  rollout: Rollout;
  /** The stack is named, where several are listed. */
  named?: boolean;
}

/** RolloutPanel shows where a rollout stands, why, how far its batches are, and what can be done with it. */
export function RolloutPanel({ rollout: r, named }: Props) {
  const unapproved = r.approve === true && !dateOf(r.approved);
  const next = useUntil(dateOf(r.next));
  const title = `Rollout ${r.number}: version ${r.version}`;
  return (
    <Paper withBorder p="sm" component="section" aria-label={named ? `${r.stack}, rollout ${r.number}` : title}>
      <Group justify="space-between" align="flex-start" gap="sm">
        <div style={{ minWidth: 0, flex: '1 1 280px' }}>
          <Group gap="xs">
            <Title order={2} size="h4" className="fs-text">
              {named && (
                <>
                  <Anchor
                    inherit
                    renderRoot={(props) => <Link to="/stacks/$stack" params={{ stack: r.stack }} {...props} />}
                  >
                    {r.stack}
                  </Anchor>
                  ,{' '}
                </>
              )}
              {title}
            </Title>
            <Phase phase={shownPhase(r.phase, unapproved)} />
          </Group>
          <Text size="sm" c="dimmed" component="div" className="fs-text">
            <Since at={r.created} />
            {r.by && ` by ${r.by}`}
            {r.message && `: “${r.message}”`}
            {r.force && '. Devices that have the version apply it again.'}
          </Text>
        </div>
        <Steering rollout={r} unapproved={unapproved} />
      </Group>
      {r.why && (
        <Text size="sm" mt={4} className="fs-text" fw={r.phase === 'paused' || unapproved ? 600 : undefined}>
          {sentence(r.why)}
        </Text>
      )}
      {next && r.phase !== 'paused' && (
        <Text size="sm" className="fs-text">
          The next step is {next}
        </Text>
      )}
      {Object.keys(r.devices).length > 0 && <BatchBar devices={r.devices} />}
      {r.data && (
        <Text size="sm" data-testid="spent">
          {spentWords(r.data)}
        </Text>
      )}
      {r.partial && (
        <Text size="xs" c="dimmed">
          Counted are the devices that you see.
        </Text>
      )}
      <Text size="sm" c="dimmed" className="fs-text">
        {planWords(formOf(r.plan))}
        {dateOf(r.approved) && ` Approved by ${r.approved_by || 'somebody'}.`}
      </Text>
      {r.batches.length > 0 && <Batches rollout={r} />}
    </Paper>
  );
}

/** sentence writes what the hub says of a rollout as one, with times as people here have them. */
function sentence(text: string): string {
  const whole = `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
  return whole.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, (t) => {
    const d = dateOf(t);
    return d ? exact(d) : t;
  });
}

/** Batches shows each batch that was begun, the latest first. */
function Batches({ rollout: r }: { rollout: Rollout }) {
  return (
    <Stack gap={4} mt="xs" component="ul" p={0} style={{ listStyle: 'none' }} aria-label="Batches">
      {[...r.batches].reverse().map((b) => (
        <li key={b.number}>
          <Anchor
            size="sm"
            fw={600}
            display="inline-block"
            py={{ base: 8, sm: 0 }}
            renderRoot={(props) => (
              <Link
                to="/stacks/$stack"
                params={{ stack: r.stack }}
                search={{ batch: b.number, rollout: r.number }}
                {...props}
              />
            )}
          >
            Batch {b.number}
          </Anchor>
          <BatchBar devices={b.devices} />
        </li>
      ))}
    </Stack>
  );
}

function Steering({ rollout: r, unapproved }: { rollout: Rollout; unapproved: boolean }) {
  const cache = useQueryClient();
  const operates = useMay('stacks.operate');
  const approves = useMay('rollouts.approve');
  const run = async (action: Action) => {
    const path = { stack: r.stack, rollout: r.number };
    try {
      await ok(api.POST(`/api/v1/stacks/{stack}/rollouts/{rollout}/${action}`, { params: { path } }));
    } finally {
      // Of what is shown when the buttons change, all is read anew.
      await Promise.all([
        cache.invalidateQueries({ queryKey: stackQuery(r.stack).queryKey }),
        cache.invalidateQueries({ queryKey: ['rollouts'] }),
      ]);
    }
  };
  return (
    <Actions
      course={{ phase: r.phase, devices: r.devices, queued: r.queued, unapproved }}
      may={(action) => (action === 'approve' ? approves : operates)}
      run={run}
      aborting={`No more devices are given version ${r.version}. Those that have begun finish, and those that have it keep it: deploy another version to bring them back.`}
    />
  );
}
