import { Alert, Button, Checkbox, Group, NumberInput, Skeleton, Stack, Text, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { May } from '../../app/May';
import { Failure } from '../../kit/Failure';

const protectionQuery = queryOptions({
  queryKey: ['settings', 'protection'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/settings/protection', { signal })),
});

/** Protection says from where people and devices may come, and how often accounts may ask. */
export function Protection() {
  const { data, error, refetch } = useQuery(protectionQuery);
  if (!data) return error ? <Failure error={error} retry={refetch} /> : <Skeleton h={320} />;
  return <Form key={data.etag} now={data} />;
}

const lines = (text: string) => text.split(/[\s,]+/).filter(Boolean);

function Form({ now }: { now: Schemas['Protection'] }) {
  const cache = useQueryClient();
  const [people, setPeople] = useState(now.people?.join('\n') ?? '');
  const [devices, setDevices] = useState(now.devices?.join('\n') ?? '');
  const [proxies, setProxies] = useState(now.trusted_proxies?.join('\n') ?? '');
  const [rate, setRate] = useState(now.requests_per_second ?? 0);
  const [burst, setBurst] = useState(now.burst ?? 0);
  const [force, setForce] = useState(false);
  const save = useMutation({
    mutationFn: () =>
      ok(
        api.PUT('/api/v1/settings/protection', {
          params: { header: { 'If-Match': `"${now.etag}"` } },
          body: {
            people: lines(people),
            devices: lines(devices),
            trusted_proxies: lines(proxies),
            requests_per_second: rate,
            burst,
            force,
          },
        }),
      ),
    onSuccess: (saved) => {
      cache.setQueryData(protectionQuery.queryKey, saved);
      notifications.show({ message: 'Protection is saved and holds from now on.' });
    },
  });
  const problem = save.error && asProblem(save.error);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <Stack gap="md" maw={640}>
        <Text size="sm" c="dimmed">
          Networks such as 192.0.2.0/24 or single addresses, one a line. An empty list lets in everybody. Changes hold
          at once: connections from outside end.
        </Text>
        <Textarea
          label="People may come from"
          description={`Console and API. You come from ${now.your_address ?? 'an unknown address'}: a list without it is not saved.`}
          autosize
          minRows={2}
          value={people}
          onChange={(e) => setPeople(e.currentTarget.value)}
        />
        <Textarea
          label="Devices may come from"
          description="Both ports. Devices outside of it are late, and come back by themselves when it is changed again."
          autosize
          minRows={2}
          value={devices}
          onChange={(e) => setDevices(e.currentTarget.value)}
        />
        <Textarea
          label="Trusted proxies"
          description="They are believed where a caller is. Such a proxy must say it for everybody."
          autosize
          minRows={2}
          value={proxies}
          onChange={(e) => setProxies(e.currentTarget.value)}
        />
        <Group grow align="flex-start">
          <NumberInput
            label="Requests a second"
            description="Of one account"
            min={0}
            max={100000}
            value={rate}
            onChange={(v) => setRate(Number(v))}
          />
          <NumberInput
            label="At once"
            description="Saved up while it rests"
            min={0}
            max={100000}
            value={burst}
            onChange={(v) => setBurst(Number(v))}
          />
        </Group>
        {problem?.code === 'shut-out' ? (
          <Alert color="red" role="alert" title="This would shut you out">
            <Stack gap="sm">
              {problem.message}
              <Checkbox
                label="Save it all the same"
                checked={force}
                onChange={(e) => setForce(e.currentTarget.checked)}
              />
            </Stack>
          </Alert>
        ) : (
          <Failure error={save.error} />
        )}
        <May operation="hub.change">
          <Group>
            <Button type="submit" loading={save.isPending}>
              Save protection
            </Button>
          </Group>
        </May>
      </Stack>
    </form>
  );
}
