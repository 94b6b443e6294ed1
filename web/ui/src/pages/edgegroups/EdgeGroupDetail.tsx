import { Button, Code, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconPencil, IconTags, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { asProblem } from '../../api/problem';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { EditEdgeGroup } from './EditEdgeGroup';
import { Members } from './Members';
import { edgeGroupQuery } from './queries';

const shown = 200;

/** EdgeGroupDetail is one edge group, with who is in it and why. */
export function EdgeGroupDetail({ name, removed }: { name: string; removed: () => void }) {
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery(edgeGroupQuery(name));
  const [editing, setEditing] = useState(false);
  const [removing, setRemoving] = useState(false);
  if (error && asProblem(error).status === 404) {
    return (
      <Paper withBorder>
        <Empty icon={IconTags} title="No such edge group">
          There is no edge group {name}. It may have been removed.
        </Empty>
      </Paper>
    );
  }
  if (!data) return error ? <Failure error={error} retry={refetch} /> : <Skeleton h={300} />;
  const { group: g, devices } = data;
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }}>
      <Stack gap="md">
        <Group justify="space-between" gap="xs" align="flex-start">
          <Title order={2} className="fs-text">
            {g.name}
          </Title>
          <Group gap="xs">
            {!editing && (
              <May operation="edge-groups.change">
                <Button leftSection={<IconPencil size={16} aria-hidden />} onClick={() => setEditing(true)}>
                  Edit
                </Button>
              </May>
            )}
            <May operation="edge-groups.remove">
              <Button variant="default" px="xs" aria-label="Remove this edge group" onClick={() => setRemoving(true)}>
                <IconTrash size={18} aria-hidden />
              </Button>
            </May>
          </Group>
        </Group>
        {editing ? (
          <EditEdgeGroup key={g.name} group={g} devices={devices} close={() => setEditing(false)} />
        ) : (
          <>
            <Stack gap={4}>
              {g.description && <Text className="fs-text">{g.description}</Text>}
              <Text size="sm" c="dimmed" component="div" className="fs-text">
                Devices of {g.group ? `${g.group} and below` : 'all groups'}
                {g.selector && (
                  <>
                    {' '}
                    with <Code>{g.selector}</Code>
                  </>
                )}
                {g.listed > 0 && `${g.selector ? ', and' : ':'} ${count(g.listed, 'device')} listed`}
              </Text>
              <Text size="xs" c="dimmed" component="div">
                Changed <Since at={g.updated} />
                {g.by && ` by ${g.by}`}; owner: {ownerWords(g.owner)}
              </Text>
            </Stack>
            <div>
              <Title order={3} mb={6}>
                {g.members === 0 ? 'No device is in it now' : `${count(g.members, 'device')} in it now`}
              </Title>
              <Members devices={devices.slice(0, shown)} label="Devices of the edge group" />
              {devices.length > shown && (
                <Text size="sm" c="dimmed">
                  and {count(devices.length - shown)} more
                </Text>
              )}
            </div>
          </>
        )}
      </Stack>
      <ConfirmNamed
        opened={removing}
        close={() => setRemoving(false)}
        title="Remove this edge group?"
        name={g.name}
        action="Remove"
        run={async () => {
          await ok(
            api.DELETE('/api/v1/edge-groups/{edgegroup}', {
              params: { path: { edgegroup: g.name }, header: { 'If-Match': g.etag } },
            }),
          );
          await cache.invalidateQueries({ queryKey: ['edge-groups'] });
          notifications.show({ title: 'Edge group removed', message: g.name });
          removed();
        }}
      >
        Its devices stay as they are. One that a stack is meant for cannot be removed.
      </ConfirmNamed>
    </Paper>
  );
}

function ownerWords(o: { visibility: string; account?: string; team?: string }): string {
  if (o.visibility === 'private') return o.account ?? '';
  return o.visibility === 'team' ? `team ${o.team}` : o.visibility;
}
