import { CloseButton, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { deviceQuery } from '../../../api/queries';
import { count } from '../../../kit/bytes';
import { LinkAnchor } from '../../../kit/links';
import { Since } from '../../../kit/Since';
import { State } from '../../../kit/State';
import type { Placed } from './clusters';

interface Props {
  /** How many devices there are; devices has the first of them. */
  count: number;
  devices: Placed[];
  close: () => void;
}

/** MarkCard tells of the device that was chosen on the map, or of all devices at one place. */
export function MarkCard({ count: n, devices, close }: Props) {
  const [first] = devices;
  if (n === 1 && first) {
    return (
      <Group align="flex-start" wrap="nowrap" justify="space-between" gap="xs">
        <One placed={first} />
        <CloseButton aria-label="Close" onClick={close} />
      </Group>
    );
  }
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap">
        <Text fw={600} size="sm">
          {count(n, 'device')} close together
        </Text>
        <CloseButton aria-label="Close" onClick={close} />
      </Group>
      <Stack gap={4} mah={220} style={{ overflowY: 'auto' }}>
        {devices.map((d) => (
          <Group key={d.id} justify="space-between" wrap="nowrap" gap="xs" mih={{ base: 40, sm: 26 }}>
            <DeviceLink placed={d} />
            <State kind="liveness" state={d.state} />
          </Group>
        ))}
        {n > devices.length && (
          <Text size="xs" c="dimmed">
            And {count(n - devices.length)} more.
          </Text>
        )}
      </Stack>
    </Stack>
  );
}

function DeviceLink({ placed }: { placed: Placed }) {
  return (
    <LinkAnchor className="fs-text" size="sm" fw={600} to="/devices/$device" params={{ device: placed.id }}>
      {placed.name}
    </LinkAnchor>
  );
}

function One({ placed }: { placed: Placed }) {
  const { data } = useQuery(deviceQuery(placed.id));
  return (
    <Stack gap={4} miw={0}>
      <Group gap="xs" wrap="nowrap">
        <DeviceLink placed={placed} />
        <State kind="liveness" state={data?.liveness.state ?? placed.state} />
      </Group>
      <Text size="xs" c="dimmed" className="fs-text">
        {data ? data.group || 'no group' : ' '}
      </Text>
      <Text size="xs">{data ? data.liveness.reason : ' '}</Text>
      <Text size="xs" c="dimmed">
        Last contact <Since at={data?.liveness.last_contact} /> · {placed.lat.toFixed(4)}°, {placed.lon.toFixed(4)}°
      </Text>
    </Stack>
  );
}
