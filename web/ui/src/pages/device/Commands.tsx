import { Skeleton, Stack, Table, Text } from '@mantine/core';
import { IconTerminal2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { usePhone } from '../../kit/usePhone';
import { Standing } from './CommandStrip';
import { usePlace } from './place';
import { type Command, commandsQuery, type Detail } from './queries';
import { commandWords } from './words';

/** Commands lists what was asked of the device, and what became of it. */
export function Commands({ device }: { device: Detail }) {
  const { data, error, refetch } = useQuery(commandsQuery(device.id));
  const { go } = usePlace();
  const phone = usePhone();
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton h={240} />;
  if (data.items.length === 0) {
    return (
      <Empty icon={IconTerminal2} title="Nothing was asked of it">
        Actions are beside containers, images and volumes. What is asked waits for the device, and always gets a result.
      </Empty>
    );
  }
  const name = (c: Command) => (
    <button type="button" className="fs-link" onClick={() => go({ command: c.id })}>
      {commandWords(c)}
    </button>
  );
  if (phone) {
    return (
      <Stack gap={0}>
        {data.items.map((c) => (
          <div key={c.id} className="fs-card" data-command={c.id}>
            <div className="fs-card-head">
              {name(c)}
              <State kind="command" state={c.state} />
            </div>
            <Text size="sm" component="div" className="fs-text">
              <Standing device={device} command={c} />
            </Text>
            <Text size="xs" c="dimmed">
              given <Since at={c.given} /> by <span className="fs-text">{c.by}</span>
            </Text>
          </div>
        ))}
      </Stack>
    );
  }
  return (
    <div className="fs-scroll">
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={130}>State</Table.Th>
            <Table.Th>Command</Table.Th>
            <Table.Th>What became of it</Table.Th>
            <Table.Th w={140}>Given</Table.Th>
            <Table.Th w={140}>By</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {data.items.map((c) => (
            <Table.Tr key={c.id} data-command={c.id}>
              <Table.Td>
                <State kind="command" state={c.state} />
              </Table.Td>
              <Table.Td>{name(c)}</Table.Td>
              <Table.Td className="fs-text">
                <Standing device={device} command={c} />
              </Table.Td>
              <Table.Td>
                <Since at={c.given} />
              </Table.Td>
              <Table.Td className="fs-text">{c.by}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
