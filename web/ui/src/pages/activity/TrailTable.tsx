import { Badge, Group, Table, Text } from '@mantine/core';
import { IconBan, IconCheck, IconHammer, IconX } from '@tabler/icons-react';
import { Since } from '../../kit/Since';
import { About } from './About';
import type { Audit } from './queries';
import { operationWords, thingOf } from './words';

/** Rows shows entries on a wide page, */
export function Rows({ entries }: { entries: readonly Audit[] }) {
  return (
    <div className="fs-scroll">
      <Table aria-label="Audit trail" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={110}>When</Table.Th>
            <Table.Th w={180}>Who</Table.Th>
            <Table.Th w={190}>Did</Table.Th>
            <Table.Th>To what</Table.Th>
            <Table.Th w={110}>Result</Table.Th>
            <Table.Th>Detail</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((e) => (
            <Table.Tr key={e.seq}>
              <Table.Td>
                <Since at={e.at} />
              </Table.Td>
              <Table.Td className="fs-text">
                {e.principal || 'nobody'}
                <BreakGlass entry={e} />
                {e.remote && (
                  <Text size="xs" c="dimmed">
                    {e.remote}
                  </Text>
                )}
              </Table.Td>
              <Table.Td className="fs-text">
                {operationWords(e.operation)}
                <Text size="xs" c="dimmed">
                  {e.operation}
                </Text>
              </Table.Td>
              <Table.Td className="fs-text">
                <To entry={e} />
                {e.group && !e.resource?.startsWith('group ') && (
                  <Text size="xs" c="dimmed">
                    in {e.group}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>
                <Result result={e.result} />
              </Table.Td>
              <Table.Td className="fs-text">{e.detail}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** and Cards on a narrow one. */
export function Cards({ entries }: { entries: readonly Audit[] }) {
  return (
    <Table aria-label="Audit trail">
      <Table.Tbody>
        {entries.map((e) => (
          <Table.Tr key={e.seq}>
            <Table.Td className="fs-text" px={0}>
              <Group justify="space-between" gap="xs" wrap="nowrap">
                <Text size="sm" component="div">
                  <b>{e.principal || 'nobody'}</b> <BreakGlass entry={e} /> {operationWords(e.operation)}{' '}
                  <To entry={e} />
                </Text>
                <Result result={e.result} />
              </Group>
              {e.detail && <Text size="xs">{e.detail}</Text>}
              <Text size="xs" c="dimmed" component="div">
                <Since at={e.at} />
                {e.remote && ` from ${e.remote}`} · {e.operation}
                {e.group && ` · in ${e.group}`}
              </Text>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function To({ entry }: { entry: Audit }) {
  const thing = thingOf(entry.resource);
  return thing ? <About thing={thing} /> : <>the hub</>;
}

function Result({ result }: { result: Audit['result'] }) {
  const look = {
    done: { color: 'green', icon: IconCheck },
    refused: { color: 'red', icon: IconBan },
    failed: { color: 'yellow', icon: IconX },
  }[result];
  return (
    <Badge
      className="fs-state"
      variant="light"
      color={look.color}
      leftSection={<look.icon size={14} aria-hidden />}
      style={{ flexShrink: 0 }}
    >
      {result}
    </Badge>
  );
}

function BreakGlass({ entry }: { entry: Audit }) {
  if (!entry.break_glass) return null;
  return (
    <Badge
      className="fs-state"
      variant="light"
      color="orange"
      title="Done with the break-glass account"
      leftSection={<IconHammer size={12} aria-hidden />}
      style={{ verticalAlign: 'middle', marginInlineStart: 4 }}
    >
      break-glass
    </Badge>
  );
}
