import { Alert, Button, Group, Table, Text } from '@mantine/core';
import { IconUsers } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { asProblem } from '../api/problem';

/** Difference is a field that two people have given different values. */
export interface Difference {
  field: string;
  theirs: string;
  mine: string;
}

interface Props {
  /** What the hub said, where it said so: it may name who was first. */
  error?: unknown;
  /** Fields that differ; what is no list of fields is shown as children. */
  differences?: readonly Difference[];
  children?: ReactNode;
  /** Saves what was typed here over what the other one saved. */
  takeMine: () => void;
  /** Gives up what was typed here. */
  takeTheirs: () => void;
  busy?: boolean;
}

/** Conflict tells the second of two people who edit one thing, and lets them choose. Nothing typed is lost before. */
export function Conflict({ error, differences = [], children, takeMine, takeTheirs, busy }: Props) {
  return (
    <Alert color="yellow" icon={<IconUsers aria-hidden />} title="Somebody else changed this meanwhile" role="alert">
      {error ? (
        <Text size="sm" className="fs-text" mb="xs">
          {asProblem(error).message}
        </Text>
      ) : null}
      {differences.length > 0 && (
        <Table mb="xs" layout="fixed" aria-label="What differs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Field</Table.Th>
              <Table.Th>Theirs, saved</Table.Th>
              <Table.Th>Yours, not saved</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {differences.map((d) => (
              <Table.Tr key={d.field}>
                <Table.Td>{d.field}</Table.Td>
                <Table.Td className="fs-text">{d.theirs || '(empty)'}</Table.Td>
                <Table.Td className="fs-text">{d.mine || '(empty)'}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {children}
      <Group gap="xs" mt="xs">
        <Button size="xs" onClick={takeMine} loading={busy}>
          Save mine on top
        </Button>
        <Button size="xs" variant="default" onClick={takeTheirs} disabled={busy}>
          Take theirs
        </Button>
      </Group>
    </Alert>
  );
}
