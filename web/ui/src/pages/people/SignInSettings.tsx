import { Button, Group, NativeSelect, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { Conflict } from '../../kit/Conflict';
import { Failure } from '../../kit/Failure';
import { useEdit } from '../../kit/useEdit';
import { fieldsOf, settingsOf, wrong } from './signIn';

const settingsQuery = queryOptions({
  queryKey: ['settings', 'access'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/settings/access', { signal })),
});

const names = { hours: 'Sessions last', password: 'Fewest characters', factor: 'Second factor' };

/** SignInSettings says how long sessions last, and what signing in takes. */
export function SignInSettings() {
  const { data, error, refetch } = useQuery(settingsQuery);
  return (
    <Stack gap="sm" component="section" aria-label="Signing in">
      <Title order={2} size="h4">
        Signing in
      </Title>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={120} />}
      {data && <Form now={data} />}
    </Stack>
  );
}

function Form({ now }: { now: Schemas['AccessSettingsNow'] }) {
  const cache = useQueryClient();
  const edit = useEdit({
    thing: now,
    etagOf: (s) => s.etag,
    fieldsOf,
    names,
    save: (fields, etag) =>
      ok(
        api.PUT('/api/v1/settings/access', {
          params: { header: { 'If-Match': `"${etag}"` } },
          body: settingsOf(fields),
        }),
      ),
    read: () => cache.fetchQuery({ ...settingsQuery, staleTime: 0 }),
    saved: (saved) => {
      cache.setQueryData(settingsQuery.queryKey, saved);
      notifications.show({ message: 'Saved. It holds for the next sign-in and the next password.' });
    },
  });
  const bad = wrong(edit.fields);
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (Object.keys(bad).length === 0) edit.save();
      }}
    >
      <Stack gap="sm" maw={640}>
        <Group grow align="flex-start">
          <TextInput
            label="Sessions last, in hours"
            description="Open ones last as long as they were given"
            inputMode="decimal"
            value={edit.fields.hours}
            error={bad.hours}
            onChange={(e) => edit.set('hours', e.currentTarget.value)}
          />
          <TextInput
            label="Characters of a password"
            description="At least, from the next one on"
            inputMode="numeric"
            value={edit.fields.password}
            error={bad.password}
            onChange={(e) => edit.set('password', e.currentTarget.value)}
          />
        </Group>
        <NativeSelect
          label="A second factor is needed by"
          value={edit.fields.factor}
          onChange={(e) => edit.set('factor', e.currentTarget.value)}
          data={[
            { value: 'nobody', label: 'nobody' },
            { value: 'administrators', label: 'administrators' },
            { value: 'everybody', label: 'everybody' },
          ]}
        />
        <Text size="sm" c="dimmed">
          Who needs one and has none can only set one up, at once: set up your own first, in My account.
        </Text>
        {edit.conflict && <Conflict {...edit.conflict} />}
        <Failure error={edit.error} />
        <Group>
          <Button
            type="submit"
            loading={edit.busy}
            disabled={!edit.dirty || Object.keys(bad).length > 0 || !!edit.conflict}
          >
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
