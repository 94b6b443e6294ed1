import { Alert, Anchor, Badge, Button, Stack as Column, Group, Modal, Paper, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconBrandGit } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { stacksQuery } from '../../api/queries';
import { useMay } from '../../app/useMay';
import { CopyBlock } from '../../kit/Copy';
import { Failure } from '../../kit/Failure';
import { Since, useUntil } from '../../kit/Since';
import { dateOf } from '../../kit/time';

const SourceForm = lazy(() => import('./SourceForm').then((m) => ({ default: m.SourceForm })));

type Item = Schemas['Source'];

/** Where a stack comes from; null: not from Git. */
export const sourceQuery = (stack: string) =>
  queryOptions({
    queryKey: ['stack', stack, 'source'],
    queryFn: async ({ signal }): Promise<Item | null> => {
      try {
        return await ok(api.GET('/api/v1/stacks/{stack}/source', { params: { path: { stack } }, signal }));
      } catch (e) {
        if (asProblem(e).status === 404) return null;
        throw e;
      }
    },
    refetchInterval: (q) => (q.state.data?.looking ? 1_000 : q.state.data ? 15_000 : false),
  });

/** Source shows from which repository a stack comes, and how that stands. Nothing where it comes from none. */
export function Source({ stack }: { stack: string }) {
  const { data, error, refetch } = useQuery(sourceQuery(stack));
  if (error) return <Failure error={error} retry={() => refetch()} />;
  return data ? <Panel source={data} /> : null;
}

function Panel({ source }: { source: Item }) {
  const [asked, setAsked] = useState<'edit' | 'remove'>();
  const cache = useQueryClient();
  const may = useMay('stacks.source');
  const next = useUntil(dateOf(source.next));
  const path = { stack: source.stack };
  const close = () => setAsked(undefined);
  const fresh = async () => {
    await cache.invalidateQueries({ queryKey: ['stack', source.stack] });
    await cache.invalidateQueries({ queryKey: stacksQuery.queryKey });
  };
  const sync = useMutation({
    mutationFn: () => ok(api.POST('/api/v1/stacks/{stack}/source/sync', { params: { path } })),
    onSuccess: async (look) => {
      if (look.ok) notifications.show({ message: look.text });
      await fresh();
    },
  });
  const remove = useMutation({
    mutationFn: () => ok(api.DELETE('/api/v1/stacks/{stack}/source', { params: { path } })),
    onSuccess: async () => {
      close();
      await fresh();
    },
  });
  return (
    <Paper withBorder p="sm" component="section" aria-label="From Git">
      <Group justify="space-between" align="flex-start" gap="sm">
        <Column gap={4} style={{ minWidth: 0, flex: '1 1 320px' }}>
          <Group gap="xs">
            <IconBrandGit size={18} aria-hidden />
            <Title order={2} size="h4">
              From Git
            </Title>
            <Badge
              variant="light"
              color={source.problem ? 'red' : source.looking ? 'blue' : 'green'}
              className="fs-state"
            >
              {source.looking ? 'looking' : source.problem ? 'does not work' : 'works'}
            </Badge>
          </Group>
          <Text size="sm" className="fs-text" style={{ overflowWrap: 'anywhere' }}>
            {source.url} · {source.ref || 'its main branch'} · /{source.path}
          </Text>
          {source.commit && (
            <Text size="sm" className="fs-text" style={{ overflowWrap: 'anywhere' }}>
              {source.commit.slice(0, 12)} {source.subject} by {source.author}: version {source.version},{' '}
              <Since at={source.applied} />
            </Text>
          )}
          <Text size="sm" c="dimmed">
            {source.next ? <>Next look {next}</> : 'The hub looks when it is asked to'}
            {source.looked && (
              <>
                , last one <Since at={source.looked} />
              </>
            )}
          </Text>
        </Column>
        {may && (
          <Group gap="xs">
            <Button size="xs" variant="default" onClick={() => sync.mutate()} loading={sync.isPending}>
              Look now
            </Button>
            <Button size="xs" variant="default" onClick={() => setAsked('edit')}>
              Edit
            </Button>
            <Button size="xs" variant="default" onClick={() => setAsked('remove')}>
              Remove …
            </Button>
          </Group>
        )}
      </Group>
      {source.problem && (
        <Alert color="red" p="xs" mt="xs" role="alert">
          <Text size="sm" className="fs-text" style={{ overflowWrap: 'anywhere' }}>
            {source.problem}
          </Text>
        </Alert>
      )}
      {source.warning && (
        <Alert color="orange" p="xs" mt="xs">
          <Text size="sm">{source.warning}</Text>
        </Alert>
      )}
      {source.webhook_url && (
        <Column gap={4} mt="xs">
          <Text size="sm">Webhook: POST requests to this address, signed with its secret, make the hub look.</Text>
          <CopyBlock text={source.webhook_url} label="address of the webhook" />
        </Column>
      )}
      <Failure error={sync.error} />
      <Modal opened={asked === 'edit'} onClose={close} title={`${source.stack} from Git`} size="lg">
        <Suspense>
          <SourceForm
            now={source}
            close={close}
            saved={async () => {
              close();
              await fresh();
            }}
          />
        </Suspense>
      </Modal>
      <Modal opened={asked === 'remove'} onClose={close} title="Remove the source?" centered>
        <Text size="sm">
          {source.exists
            ? `${source.stack} stays as it is, and new commits do not change it any more.`
            : `There is no stack ${source.stack} yet, and there will be none.`}
        </Text>
        <Failure error={remove.error} />
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button color="red" onClick={() => remove.mutate()} loading={remove.isPending}>
            Remove
          </Button>
        </Group>
      </Modal>
    </Paper>
  );
}

/** Waiting lists sources whose stacks are not there yet. */
export function WaitingSources({ open }: { open: (stack: string) => React.ReactNode }) {
  const { data } = useQuery({
    queryKey: ['stacks', 'sources'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/sources', { signal })),
  });
  const waiting = data?.items.filter((s) => !s.exists) ?? [];
  if (waiting.length === 0) return null;
  return (
    <Alert color="gray" p="xs" title="Waiting for the first good commit">
      {waiting.map((s) => (
        <Text size="sm" key={s.stack} className="fs-text" style={{ overflowWrap: 'anywhere' }}>
          <Anchor component="span">{open(s.stack)}</Anchor> {s.problem ?? `from ${s.url}`}
        </Text>
      ))}
    </Alert>
  );
}
