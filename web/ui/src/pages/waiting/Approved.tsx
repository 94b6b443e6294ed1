import { Alert, Anchor, Button, Group, Stack, Table, Text, Title } from '@mantine/core';
import { IconCircleCheck, IconCircleX, IconShieldCheck, IconShieldQuestion } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { count } from '../../kit/bytes';
import type { Outcome } from './decide';

/** Certainty says whether the pairing code was compared. */
function Certainty({ confirmed }: { confirmed: boolean }) {
  return confirmed ? (
    <Group gap={8} wrap="nowrap" ta="left">
      <IconShieldCheck size={24} aria-hidden color="var(--mantine-color-green-7)" style={{ flexShrink: 0 }} />
      <Text>Confirmed: the pairing code was compared.</Text>
    </Group>
  ) : (
    <Group gap={8} wrap="nowrap" ta="left">
      <IconShieldQuestion size={24} aria-hidden color="var(--mantine-color-orange-7)" style={{ flexShrink: 0 }} />
      <Text>Unconfirmed: nobody compared the pairing code.</Text>
    </Group>
  );
}

interface Props {
  outcome: Outcome;
  confirmed: boolean;
  another: () => void;
}

/** Approved is shown large: it is read at arm's length. */
export function Approved({ outcome, confirmed, another }: Props) {
  return (
    <Stack align="center" ta="center" gap="md" py="lg" role="status">
      <IconCircleCheck size={96} stroke={1.4} aria-hidden color="var(--mantine-color-green-7)" />
      <Title order={2} size="1.8rem" className="fs-text">
        {outcome.name || outcome.id} is in
      </Title>
      <Certainty confirmed={confirmed} />
      <Stack w="100%" maw={360} gap="sm" mt="md">
        <Button
          size="lg"
          renderRoot={(p) => <Link to="/devices/$device" params={{ device: outcome.id }} {...p} />}
          fullWidth
        >
          Open the device
        </Button>
        <Button size="lg" variant="default" onClick={another} fullWidth>
          Approve another
        </Button>
      </Stack>
    </Stack>
  );
}

interface OutcomesProps {
  outcomes: readonly Outcome[];
  /** What was done to those that worked, such as "is in, unconfirmed". */
  done: string;
  /** A name for each id. */
  nameOf: (id: string) => string;
  linked?: boolean;
}

/** Outcomes says what became of each of many devices, what did not work first. */
export function Outcomes({ outcomes, done, nameOf, linked }: OutcomesProps) {
  const failed = outcomes.filter((o) => o.error);
  const worked = outcomes.filter((o) => !o.error);
  return (
    <Stack gap="sm">
      <Alert color={failed.length ? 'yellow' : 'green'} p="xs" role="status">
        Done for {count(worked.length, 'device')}.
        {failed.length > 0 && ` It did not work for ${count(failed.length, 'device')}: see below why.`}
      </Alert>
      <Table>
        <Table.Tbody>
          {[...failed, ...worked].map((o) => (
            <Table.Tr key={o.id}>
              <Table.Td w={28}>
                {o.error ? (
                  <IconCircleX size={18} aria-label="failed" color="var(--mantine-color-red-7)" />
                ) : (
                  <IconCircleCheck size={18} aria-label="done" color="var(--mantine-color-green-7)" />
                )}
              </Table.Td>
              <Table.Td className="fs-text">
                {linked && !o.error ? (
                  <Anchor size="sm" renderRoot={(p) => <Link to="/devices/$device" params={{ device: o.id }} {...p} />}>
                    {o.name || nameOf(o.id)}
                  </Anchor>
                ) : (
                  o.name || nameOf(o.id)
                )}
              </Table.Td>
              <Table.Td className="fs-text">{o.error || done}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
