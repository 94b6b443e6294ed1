import { Button, Group, NumberInput, Skeleton, Stack, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { useMay } from '../../app/useMay';
import { bytes, count } from '../../kit/bytes';
import { CopyBlock } from '../../kit/Copy';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { Since } from '../../kit/Since';
import { Destinations } from './Destinations';

const retentionQuery = queryOptions({
  queryKey: ['settings', 'audit'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/settings/audit', { signal })),
});

/** AuditTrail says how much of the audit trail is kept, and where it is forwarded to. */
export function AuditTrail() {
  const { data, error, refetch } = useQuery(retentionQuery);
  const reads = useMay('audit.read');
  if (!data) return error ? <Failure error={error} retry={refetch} /> : <Skeleton h={320} />;
  return (
    <Stack gap="xl" maw={860}>
      <Retention key={data.etag} now={data} again={refetch} />
      {reads && <Destinations />}
      <Stack gap="xs">
        <Title order={2} size="h3">
          Key of the trail
        </Title>
        <Text size="sm" c="dimmed">
          The hub signs the trail with the private half. Write this down somewhere else: by it{' '}
          <code>farshore audit verify</code> judges an export without asking the hub.
        </Text>
        <CopyBlock text={data.hub_key} label="Public key of the hub" />
      </Stack>
    </Stack>
  );
}

function Retention({ now, again }: { now: Schemas['AuditSettings']; again: () => void }) {
  const cache = useQueryClient();
  const change = useMay('hub.change');
  const [days, setDays] = useState<number | string>(now.days);
  const [megabytes, setMegabytes] = useState<number | string>(now.megabytes);
  const save = useMutation({
    mutationFn: () =>
      ok(
        api.PUT('/api/v1/settings/audit', {
          params: { header: { 'If-Match': now.etag } },
          body: { days: Number(days), megabytes: Number(megabytes) },
        }),
      ),
    onSuccess: (saved) => {
      cache.setQueryData(retentionQuery.queryKey, saved);
      notifications.show({ message: 'How much of the audit trail is kept is saved.' });
    },
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (days !== '' && megabytes !== '') save.mutate();
      }}
    >
      <Stack gap="sm">
        <Title order={2} size="h3">
          How much is kept
        </Title>
        <Text size="sm" c="dimmed" component="div">
          Now {count(now.last - now.first + 1, 'entry', 'entries')}, {bytes(now.bytes)}
          {now.since && (
            <>
              , begun <Since at={now.since} />
            </>
          )}
          .{' '}
          <LinkAnchor to="/activity" underline="always">
            Look at them
          </LinkAnchor>
        </Text>
        <Group grow align="flex-start" maw={520}>
          <NumberInput
            label="Days"
            description="7 or more"
            min={7}
            max={36500}
            allowDecimal={false}
            required
            disabled={!change}
            value={days}
            onChange={setDays}
          />
          <NumberInput
            label="At most (MB)"
            description="64 or more"
            min={64}
            max={10_000_000}
            allowDecimal={false}
            required
            disabled={!change}
            value={megabytes}
            onChange={setMegabytes}
          />
        </Group>
        <Text size="xs" c="dimmed">
          What is older or more goes, the oldest first. What a destination has not got yet does not go for its age.
        </Text>
        <Failure error={save.error} retry={again} />
        {change && (
          <Group>
            <Button type="submit" loading={save.isPending}>
              Save
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  );
}
