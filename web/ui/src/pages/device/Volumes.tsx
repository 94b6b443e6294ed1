import { Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { IconDatabase } from '@tabler/icons-react';
import { useMemo } from 'react';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { usersIn } from './containers';
import { useFirst } from './First';
import type { Container, Detail, Snapshot } from './queries';
import { RemoveButton } from './RemoveButton';
import { UsedBy } from './UsedBy';

type Volume = NonNullable<Snapshot['volumes']>[number];

interface Props {
  device: Detail;
  snapshot: Snapshot;
}

/** Volumes lists the volumes on the device, and who has them mounted. */
export function Volumes({ device, snapshot }: Props) {
  const phone = usePhone();
  const users = useMemo(() => usersIn(snapshot).volumes, [snapshot]);
  const all = useMemo(() => [...(snapshot.volumes ?? [])].sort((a, b) => a.name.localeCompare(b.name)), [snapshot]);
  const { shown, bar } = useFirst({
    all,
    text: (v) => `${v.name} ${v.project ?? ''} ${v.driver ?? ''}`,
    word: 'volume',
  });
  const list = shown.map((volume) => ({ volume, users: users.get(volume.name) ?? [] }));
  if (all.length === 0) {
    return (
      <Empty icon={IconDatabase} title="No volumes">
        Containers of this device keep nothing in volumes.
      </Empty>
    );
  }
  if (phone) {
    return (
      <Stack gap={0}>
        {bar}
        {list.map(({ volume: v, users }) => (
          <div key={v.name} className="fs-card">
            <div className="fs-card-head">
              <span className="fs-text">{v.name}</span>
              <Remove device={device} volume={v} users={users} />
            </div>
            <Text size="sm" component="div">
              {v.driver || 'local'} · made <Since at={v.created} none="at an unknown time" />
            </Text>
            <Text size="sm" component="div">
              Mounted by <UsedBy containers={users} />
            </Text>
          </div>
        ))}
      </Stack>
    );
  }
  return (
    <Stack gap="xs">
      {bar}
      <div className="fs-scroll">
        <Table highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Volume</Table.Th>
              <Table.Th>Project</Table.Th>
              <Table.Th w={120}>Driver</Table.Th>
              <Table.Th w={140}>Created</Table.Th>
              <Table.Th>Mounted by</Table.Th>
              <Table.Th w={50}>
                <VisuallyHidden>Actions</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {list.map(({ volume: v, users }) => (
              <Table.Tr key={v.name}>
                <Table.Td className="fs-text">{v.name}</Table.Td>
                <Table.Td className="fs-text">{v.project}</Table.Td>
                <Table.Td className="fs-text">{v.driver || 'local'}</Table.Td>
                <Table.Td>
                  <Since at={v.created} />
                </Table.Td>
                <Table.Td>
                  <UsedBy containers={users} />
                </Table.Td>
                <Table.Td py={0}>
                  <Remove device={device} volume={v} users={users} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Stack>
  );
}

const nameForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

function Remove({ device, volume: v, users }: { device: Detail; volume: Volume; users: Container[] }) {
  return (
    <RemoveButton
      cannot={nameForm.test(v.name) ? undefined : 'Its name cannot be given to the device.'}
      device={device}
      kind="volume.remove"
      name={v.name}
      target={v.name}
      inUse={users.length > 0 ? `${count(users.length, 'container has', 'containers have')} it mounted.` : undefined}
    >
      All data in it is lost. There is no way back.
    </RemoveButton>
  );
}
