import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { asProblem } from '../api/problem';

/** Failure says what went wrong and what to do, with a way to try again where there is one. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  if (!error) return null;
  const p = asProblem(error);
  const others = p.fields.filter((f) => f.message !== p.message);
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={p.title} role="alert" my="sm">
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        {p.message}
      </Text>
      {others.map((f) => (
        <Text size="sm" key={f.location + f.message} style={{ overflowWrap: 'anywhere' }}>
          {f.location ? `${f.location.replace(/^(body|query|path)\./, '')}: ` : ''}
          {f.message}
        </Text>
      ))}
      {retry && (
        <Group mt="xs">
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        </Group>
      )}
    </Alert>
  );
}
