import { Anchor, Badge, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { api, ok, type Schemas } from '../../api/client';
import { May } from '../../app/May';
import { bytes } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { Page } from '../../kit/Page';
import { Actions } from '../../kit/rollout/Actions';
import { BatchBar } from '../../kit/rollout/BatchBar';
import { Phase } from '../../kit/rollout/Phase';
import { type Action, stateColor, stateWord } from '../../kit/rollout/words';
import { Since } from '../../kit/Since';
import { updateDevicesQuery, updateQuery } from './queries';
import { codeWord } from './words';

/** Update shows one update: where it stands, its batches, and its devices with their reasons. */
export function Update() {
  const { update: id } = useParams({ from: '/inside/updates/$update' });
  const { data: u, error, refetch } = useQuery(updateQuery(id));
  const devices = useQuery(updateDevicesQuery(id));
  if (!u) {
    return (
      <Page title="Update">{error ? <Failure error={error} retry={() => refetch()} /> : <Skeleton h={240} />}</Page>
    );
  }
  return (
    <Page
      title={`Update to ${u.release}`}
      about={
        <>
          <Since at={u.created} /> by {u.by}, {u.selector || 'all devices'}
          {u.group && ` in ${u.group}`}, {bytes(u.bytes)}
        </>
      }
      actions={
        <May operation="updates.start">
          <Steering update={u} />
        </May>
      }
    >
      <Paper withBorder p="sm">
        <Phase phase={u.phase} />
        <BatchBar devices={u.devices} />
        {u.why && (
          <Text size="sm" className="fs-text" fw={u.phase === 'paused' ? 600 : undefined}>
            {u.why}
          </Text>
        )}
        <Text size="sm" c="dimmed">
          {u.words}
        </Text>
        {u.message && (
          <Text size="sm" className="fs-text">
            “{u.message}”
          </Text>
        )}
      </Paper>
      {u.batches.length > 1 && (
        <Stack gap="xs">
          <Title order={2} size="h4">
            Batches
          </Title>
          {[...u.batches].reverse().map((b) => (
            <Paper key={b.number} withBorder p="sm">
              <Text size="sm" fw={600}>
                Batch {b.number}
              </Text>
              <BatchBar devices={b.devices} />
            </Paper>
          ))}
        </Stack>
      )}
      <Title order={2} size="h4">
        Devices
      </Title>
      <Failure error={devices.error} retry={() => devices.refetch()} />
      <Stack gap={4} component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Devices">
        {devices.data?.items.slice(0, 500).map((d) => (
          <Device key={d.device} device={d} />
        ))}
      </Stack>
      {(devices.data?.items.length ?? 0) > 500 && (
        <Text size="sm" c="dimmed">
          The first 500 are shown: those that failed come first.
        </Text>
      )}
    </Page>
  );
}

function Device({ device: d }: { device: Schemas['UpdateDevice'] }) {
  const reason = [d.code && codeWord(d.code), d.text].filter(Boolean).join(': ');
  return (
    <Paper component="li" withBorder px="sm" py={6}>
      <Group justify="space-between" gap="xs">
        <Anchor
          renderRoot={(props) => <Link to="/devices/$device" params={{ device: d.device }} {...props} />}
          size="sm"
          className="fs-text"
        >
          {d.device_name || d.device}
        </Anchor>
        <Group gap="xs">
          <Text size="sm" c="dimmed">
            {d.version || 'version not known'}
            {d.bytes ? `, ${bytes(d.bytes)}${d.patch ? ' as a patch' : ''}` : ''}
          </Text>
          <Badge className="fs-state" variant="light" color={stateColor(d.state)}>
            {stateWord(d.state)}
          </Badge>
        </Group>
      </Group>
      {reason && (
        <Text size="sm" className="fs-text">
          {reason}
        </Text>
      )}
    </Paper>
  );
}

/** Steering is what can be done with the update in its phase. */
function Steering({ update: u }: { update: Schemas['Update'] }) {
  const cache = useQueryClient();
  const run = async (action: Action) => {
    if (action === 'approve') return;
    try {
      await ok(api.POST(`/api/v1/updates/{update}/${action}`, { params: { path: { update: u.id } } }));
    } finally {
      void cache.invalidateQueries({ queryKey: ['update', u.id] });
    }
  };
  return (
    <Actions
      course={u}
      may={() => true}
      run={run}
      aborting="No more devices are started. Those that have begun finish; what they run then stays."
    />
  );
}
