import { Anchor, Badge, Button, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { api, ok, type Schemas } from '../../api/client';
import { May } from '../../app/May';
import { bytes } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { Page } from '../../kit/Page';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { Progress } from './Progress';
import { updateDevicesQuery, updateQuery } from './queries';
import { codeWord, over, phaseColor, stateColor, stateWord } from './words';

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
          <Actions update={u} />
        </May>
      }
    >
      <Paper withBorder p="sm">
        <Badge className="fs-state" variant="light" color={phaseColor(u.phase)}>
          {u.phase}
        </Badge>
        <Progress devices={u.devices} />
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
              <Progress devices={b.devices} />
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

type Action = 'pause' | 'continue' | 'abort' | 'skip' | 'retry';

/** Actions are what can be done with the update in its phase. */
function Actions({ update: u }: { update: Schemas['Update'] }) {
  const cache = useQueryClient();
  const size = usePhone() ? 'md' : 'sm';
  const act = useMutation({
    mutationFn: (action: Action) =>
      ok(api.POST(`/api/v1/updates/{update}/${action}`, { params: { path: { update: u.id } } })),
    onSettled: () => cache.invalidateQueries({ queryKey: ['update', u.id] }),
  });
  const failed = ['failed', 'returned', 'stuck'].some((s) => (u.devices[s] ?? 0) > 0);
  const possible: [Action, string, boolean][] = [
    ['continue', 'Go on', u.phase === 'paused'],
    ['pause', 'Pause', !over(u.phase) && u.phase !== 'paused'],
    ['skip', 'Skip batch', u.phase === 'running' || u.phase === 'soaking'],
    ['retry', 'Retry failed', failed && u.phase !== 'aborted' && u.phase !== 'rolling-back'],
    ['abort', 'Abort', !over(u.phase)],
  ];
  return (
    <Stack gap={0} align="flex-end">
      <Group gap="xs">
        {possible
          .filter(([, , can]) => can)
          .map(([action, label], i) => (
            <Button
              key={action}
              size={size}
              variant={i === 0 ? 'filled' : 'default'}
              color={action === 'abort' ? 'red' : undefined}
              loading={act.isPending && act.variables === action}
              onClick={() => act.mutate(action)}
            >
              {label}
            </Button>
          ))}
      </Group>
      <Failure error={act.error} />
    </Stack>
  );
}
