import { Group, Text } from '@mantine/core';
import { LinkAnchor } from '../../kit/links';
import { State } from '../../kit/State';
import { why } from './fields';
import type { Member } from './queries';

interface Props {
  devices: readonly Member[];
  label: string;
  /** They do not lead to the devices, since something is being typed beside them. */
  plain?: boolean;
}

/** Members is a list of devices, each with why it is in the edge group. */
export function Members({ devices, label, plain = false }: Props) {
  return (
    <ul aria-label={label} style={{ listStyle: 'none', margin: 0, padding: 0 }}>
      {devices.map((d) => (
        <Group key={d.id} component="li" gap="xs" justify="space-between" mih={36} wrap="nowrap">
          <div style={{ minWidth: 0 }}>
            {plain ? (
              <Text size="sm" className="fs-text">
                {d.name}
              </Text>
            ) : (
              <LinkAnchor to="/devices/$device" params={{ device: d.id }} size="sm" className="fs-text">
                {d.name}
              </LinkAnchor>
            )}
            <Text size="xs" c="dimmed" className="fs-text">
              {d.group && `${d.group} · `}
              {why(d)}
            </Text>
          </div>
          <State kind="liveness" state={d.state} />
        </Group>
      ))}
    </ul>
  );
}
