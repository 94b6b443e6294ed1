import { Stack, Table, Text } from '@mantine/core';
import { IconNetwork } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Empty } from '../../kit/Empty';
import { usePhone } from '../../kit/usePhone';
import { usersIn } from './containers';
import { useFirst } from './First';
import type { Container, Snapshot } from './queries';
import { UsedBy } from './UsedBy';

/** Networks lists the networks on the device, and which containers are in them. */
export function Networks({ snapshot }: { snapshot: Snapshot }) {
  const phone = usePhone();
  const users = useMemo(() => usersIn(snapshot).networks, [snapshot]);
  const inside = (name: string): Container[] => users.get(name) ?? [];
  const all = useMemo(() => [...(snapshot.networks ?? [])].sort((a, b) => a.name.localeCompare(b.name)), [snapshot]);
  const { shown: list, bar } = useFirst({
    all,
    text: (n) => [n.name, n.driver, n.project, ...(n.subnets ?? [])].join(' '),
    word: 'network',
  });
  if (all.length === 0) {
    return (
      <Empty icon={IconNetwork} title="No networks">
        The engine has not told of any.
      </Empty>
    );
  }
  if (phone) {
    return (
      <Stack gap={0}>
        {bar}
        {list.map((n) => (
          <div key={n.id} className="fs-card">
            <span className="fs-text">{n.name}</span>
            <Text size="sm" className="fs-text">
              {[n.driver, ...(n.subnets ?? [])].filter(Boolean).join(' · ')}
            </Text>
            <Text size="sm" component="div">
              Containers: <UsedBy containers={inside(n.name)} />
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
              <Table.Th>Network</Table.Th>
              <Table.Th>Project</Table.Th>
              <Table.Th>Driver</Table.Th>
              <Table.Th>Subnets</Table.Th>
              <Table.Th>Containers</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {list.map((n) => (
              <Table.Tr key={n.id}>
                <Table.Td className="fs-text">{n.name}</Table.Td>
                <Table.Td className="fs-text">{n.project}</Table.Td>
                <Table.Td className="fs-text">{n.driver}</Table.Td>
                <Table.Td className="fs-text">{n.subnets?.join(', ')}</Table.Td>
                <Table.Td>
                  <UsedBy containers={inside(n.name)} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Stack>
  );
}
