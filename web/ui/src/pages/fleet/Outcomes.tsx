import { Stack, Table, Text } from '@mantine/core';
import { count } from '../../kit/bytes';
import { LinkAnchor } from '../../kit/links';
import type { BulkResult } from './queries';

/** Outcomes shows what failed, device by device. */
export function Outcomes({ result, past }: { result: BulkResult; past: string }) {
  const failures = result.items.filter((o) => o.error);
  const untold = result.failed - failures.length;
  return (
    <Stack gap="sm">
      <Text size="sm">
        {count(result.done, 'device')} {past}; for {count(result.failed)} it failed:
      </Text>
      <Table.ScrollContainer minWidth={320} maxHeight={420}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Device</Table.Th>
              <Table.Th>Why</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {failures.map((o) => (
              <Table.Tr key={o.id}>
                <Table.Td className="fs-text">
                  <LinkAnchor to="/devices/$device" params={{ device: o.id }} size="sm">
                    {o.name || o.id}
                  </LinkAnchor>
                </Table.Td>
                <Table.Td className="fs-text">{o.error}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {untold > 0 && (
        <Text size="sm" c="dimmed">
          And {count(untold)} more.
        </Text>
      )}
    </Stack>
  );
}
