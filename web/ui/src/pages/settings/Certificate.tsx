import { Alert, Button, Group, Skeleton, Stack, Table, Text, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { May } from '../../app/May';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';

const certificateQuery = queryOptions({
  queryKey: ['settings', 'certificate'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/settings/certificate', { signal })),
});

const sources = {
  generated: 'Made by the hub itself',
  upload: 'Set by an administrator',
  files: 'Read from files of the hub’s machine',
} as const;

/** Certificate is what browsers and the command line see of the hub. */
export function Certificate() {
  const { data, error, refetch } = useQuery(certificateQuery);
  if (!data) return error ? <Failure error={error} retry={refetch} /> : <Skeleton h={260} />;
  return (
    <Stack gap="md" maw={860}>
      {data.warnings?.map((w) => (
        <Alert key={w} color="yellow">
          {w}
        </Alert>
      ))}
      <Table aria-label="Certificate" layout="auto">
        <Table.Tbody>
          <Row name="Source">{sources[data.source]}</Row>
          <Row name="Subject">{data.subject}</Row>
          <Row name="Good for">{data.names?.join(', ')}</Row>
          <Row name="Issuer">{data.issuer}</Row>
          <Row name="Ends">
            <Since at={data.until} />
          </Row>
          <Row name="Fingerprint">
            <span className="fs-code">{data.fingerprint}</span>
          </Row>
        </Table.Tbody>
      </Table>
      {data.source === 'files' ? (
        <Text size="sm" c="dimmed">
          Files win over what is set here: replace them, and the hub reads them again by itself.
        </Text>
      ) : (
        <May operation="hub.change">
          <Form key={data.etag} now={data} />
        </May>
      )}
    </Stack>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={500} w={{ base: 120, sm: 200 }} style={{ verticalAlign: 'top' }}>
        {name}
      </Table.Th>
      <Table.Td className="fs-text">{children}</Table.Td>
    </Table.Tr>
  );
}

function Form({ now }: { now: Schemas['Certificate'] }) {
  const cache = useQueryClient();
  const [chain, setChain] = useState('');
  const [secret, setSecret] = useState('');
  const header = { 'If-Match': `"${now.etag}"` };
  const done = (saved: Schemas['Certificate']) => {
    cache.setQueryData(certificateQuery.queryKey, saved);
    notifications.show({ message: 'New connections see the new certificate.' });
  };
  const put = useMutation({
    mutationFn: () =>
      ok(api.PUT('/api/v1/settings/certificate', { params: { header }, body: { certificate: chain, key: secret } })),
    onSuccess: done,
  });
  const remove = useMutation({
    mutationFn: () => ok(api.DELETE('/api/v1/settings/certificate', { params: { header } })),
    onSuccess: done,
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        put.mutate();
      }}
    >
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          It holds from the next connection on. Devices do not see it: they go by the hub’s own key. Whoever trusted the
          hub by its fingerprint has to compare the new one.
        </Text>
        <Textarea
          label="Certificate"
          description="PEM: the hub’s own first, then those between it and the root"
          autosize
          minRows={4}
          maxRows={12}
          required
          value={chain}
          onChange={(e) => setChain(e.currentTarget.value)}
        />
        <Textarea
          label="Key"
          description="PEM, not encrypted. It is kept sealed and never shown again."
          autosize
          minRows={4}
          maxRows={12}
          required
          autoComplete="off"
          spellCheck={false}
          value={secret}
          onChange={(e) => setSecret(e.currentTarget.value)}
        />
        <Failure error={put.error ?? remove.error} />
        <Group>
          <Button type="submit" loading={put.isPending}>
            Use this certificate
          </Button>
          {now.source === 'upload' && (
            <Button variant="default" loading={remove.isPending} onClick={() => remove.mutate()}>
              Back to the hub’s own
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
