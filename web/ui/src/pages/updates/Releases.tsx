import { Button, FileButton, Group, Paper, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconUpload } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, prefix, type Schemas } from '../../api/client';
import { problemOf } from '../../api/problem';
import { useMay } from '../../app/useMay';
import { bytes, count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { releasesQuery } from './queries';

/** Releases lists the releases on the hub, takes in new ones, and removes old ones. */
export function Releases() {
  const { data, error, refetch } = useQuery(releasesQuery);
  const change = useMay('releases.change');
  const cache = useQueryClient();
  const [asked, setAsked] = useState<string>();
  // The client of the API holds bodies in memory; a release is hundreds of megabytes, which the browser reads itself.
  const upload = useMutation({
    mutationFn: async (file: File) => {
      const response = await fetch(`${prefix}/api/v1/releases`, {
        method: 'POST',
        headers: { 'X-Farshore': '1', 'Content-Type': 'application/octet-stream' },
        body: file,
      });
      if (!response.ok) throw problemOf(response.status, await response.json().catch(() => undefined));
      return (await response.json()) as Schemas['Release'];
    },
    onSuccess: (r) => {
      notifications.show({ message: `Release ${r.version} is on the hub.` });
      void cache.invalidateQueries({ queryKey: releasesQuery.queryKey });
    },
  });
  const remove = async () => {
    await ok(api.DELETE('/api/v1/releases/{release}', { params: { path: { release: asked ?? '' } } }));
    void cache.invalidateQueries({ queryKey: releasesQuery.queryKey });
    setAsked(undefined);
  };
  return (
    <Stack gap="xs">
      <Failure error={error} retry={() => refetch()} />
      {!data && !error && <Skeleton h={80} />}
      {data?.items.length === 0 && (
        <Text size="sm" c="dimmed">
          None yet: <code>farshore release make</code> makes one of your builds. The hub accepts those that are signed
          with a release key that it trusts.
        </Text>
      )}
      {data?.items.map((r) => (
        <Paper key={r.version} withBorder p="sm">
          <Group justify="space-between" gap="xs">
            <div style={{ minWidth: 0 }}>
              <Text size="sm" fw={600} className="fs-text">
                {r.version}
              </Text>
              <Text size="sm" c="dimmed" component="div">
                {count(r.programs.length, 'program')}, {bytes(r.programs.reduce((sum, p) => sum + p.size, 0))}, added{' '}
                <Since at={r.added} />
              </Text>
            </div>
            {change && (
              <Button
                variant="subtle"
                color="red"
                size="sm"
                aria-label={`Remove release ${r.version}`}
                onClick={() => setAsked(r.version)}
              >
                Remove …
              </Button>
            )}
          </Group>
        </Paper>
      ))}
      <Failure error={upload.error} />
      {change && (
        <Group>
          <FileButton onChange={(file) => file && upload.mutate(file)}>
            {(props) => (
              <Button {...props} variant="default" leftSection={<IconUpload size={16} />} loading={upload.isPending}>
                Upload a release
              </Button>
            )}
          </FileButton>
        </Group>
      )}
      <ConfirmNamed
        opened={asked !== undefined}
        close={() => setAsked(undefined)}
        title={`Remove release ${asked}?`}
        name={asked ?? ''}
        action="Remove"
        run={remove}
      >
        Devices that run it go on. They get the next release whole, since a patch needs what they run.
      </ConfirmNamed>
    </Stack>
  );
}
