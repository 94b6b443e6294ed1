import { Kbd, Modal, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { sessionQuery } from '../api/queries';
import { shortcuts } from './keys';

/** Help lists the keys, and says which hub this is. */
export function Help({ opened, close }: { opened: boolean; close: () => void }) {
  const { data: session } = useQuery(sessionQuery);
  return (
    <Modal opened={opened} onClose={close} title="Help" centered>
      <Table>
        <Table.Tbody>
          {shortcuts.map((s) => (
            <Table.Tr key={s.keys}>
              <Table.Td w={90}>
                {s.keys.split(' ').map((k, i) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: the same key may come twice, and nothing moves
                  <Kbd key={i} mr={4}>
                    {k}
                  </Kbd>
                ))}
              </Table.Td>
              <Table.Td>{s.does}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="sm" c="dimmed" mt="md">
        Hub {session?.hub.version}. What the console does, the command line <code>farshore</code> and the API do too;
        the API describes itself at <code>api/openapi.json</code>.
      </Text>
    </Modal>
  );
}
