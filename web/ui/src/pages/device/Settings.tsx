import { Button, Group, SimpleGrid, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { asProblem } from '../../api/problem';
import { deviceQuery, groupsQuery, profilesQuery } from '../../api/queries';
import { deviceSearch } from '../../app/search';
import { Conflict } from '../../kit/Conflict';
import { Failure } from '../../kit/Failure';
import { effective, inheritedProfile, inheritedWords, labelsOf, sourceWords } from '../../kit/inherit';
import { Leaving } from '../../kit/Leaving';
import { GroupField, ProfileField } from '../../kit/PlaceFields';
import { SettingsFields } from '../../kit/SettingsFields';
import { type SettingsField, settingFields } from '../../kit/settings';
import { Danger } from './Danger';
import { against, changedFields, type Draft, fieldNames, fieldsOf, patchOf, type, wrong } from './form';
import { latLabel, lonLabel, pastedPosition } from './position';
import type { Detail } from './queries';
import { usePatch } from './usePatch';

/** Settings is what people decide about the device. What is typed stays until it is saved or given up. */
export function Settings({ device }: { device: Detail }) {
  const [draft, setDraft] = useState<Draft>();
  const cache = useQueryClient();
  const patch = usePatch(device);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const groups = useQuery(groupsQuery).data?.items ?? [];
  const profiles = useQuery(profilesQuery).data?.items ?? [];
  const values = draft?.mine ?? fieldsOf(device);
  const bad = wrong(values);
  const changed = draft ? changedFields(draft.base, draft.mine) : [];
  const refused = error ? asProblem(error) : undefined;
  const put = (fields: Record<string, string>) => {
    setError(undefined);
    setDraft((d) => type(d, device, fields));
  };
  const save = async (etag: string) => {
    if (!draft) return;
    setBusy(true);
    setError(undefined);
    const { base, mine } = draft;
    try {
      await patch(
        {
          patch: patchOf(base, mine),
          undo: patchOf(mine, base),
          done: `Saved: ${changed.map((f) => fieldNames[f]).join(', ')}.`,
        },
        etag,
      );
      setDraft(undefined);
    } catch (e) {
      setError(e);
      if (asProblem(e).code === 'changed') await cache.invalidateQueries({ queryKey: deviceQuery(device.id).queryKey });
    } finally {
      setBusy(false);
    }
  };
  const group = (values.group ?? '').trim();
  const sources = { groups, profiles };
  const otherwise = inheritedWords(effective({ group, profile: values.profile }, sources), hubDefaults(device));
  const given = labelsOf(group, groups);
  const conflict = draft && draft.etag !== device.etag;
  const out = device.liveness.state === 'revoked';
  const place = (field: 'lat' | 'lon', text: string) => {
    const both = pastedPosition(text);
    put(both ?? { [field]: text });
  };
  return (
    <Stack gap="lg" maw={900}>
      <form
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          if (draft && Object.keys(bad).length === 0 && !busy && !conflict) void save(draft.etag);
        }}
      >
        <Stack gap="md">
          <Title order={2} size="h4">
            Name and place
          </Title>
          <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="xs">
            <TextInput
              label="Name"
              value={values.name}
              onChange={(e) => put({ name: e.currentTarget.value })}
              error={bad.name ?? refused?.field('name') ?? (refused?.code === 'exists' ? refused.message : undefined)}
              maxLength={200}
              autoComplete="off"
              spellCheck={false}
              disabled={out}
            />
            <GroupField
              value={values.group}
              onChange={(t) => put({ group: t })}
              error={bad.group ?? refused?.field('group')}
              description={
                values.group && !groups.some((g) => g.path === values.group?.trim()) && !bad.group
                  ? 'This group does not exist yet: it is made.'
                  : 'Empty: none'
              }
              inputWrapperOrder={['label', 'input', 'description', 'error']}
              disabled={out}
            />
            <Textarea
              label="Own labels"
              description="key=value, apart by commas or lines. They go before those of its groups."
              inputWrapperOrder={['label', 'input', 'description', 'error']}
              value={values.labels}
              onChange={(e) => put({ labels: e.currentTarget.value })}
              error={bad.labels ?? refused?.field('labels')}
              autosize
              minRows={1}
              maxRows={8}
              spellCheck={false}
              autoCapitalize="none"
              disabled={out}
            />
            <ProfileField
              value={values.profile}
              onChange={(e) => put({ profile: e.currentTarget.value })}
              error={refused?.field('profile')}
              none={inheritedProfile(effective({ group }, sources))}
              disabled={out}
            />
            <TextInput
              label="Latitude"
              placeholder={given.get(latLabel)?.value.toString()}
              description={`Paste “59.91, 10.75” into either field to fill both. ${positionWords(given)}`}
              inputWrapperOrder={['label', 'input', 'description', 'error']}
              value={values.lat}
              onChange={(e) => place('lat', e.currentTarget.value)}
              error={bad.lat ?? labelRefused(refused, latLabel)}
              inputMode="text"
              autoComplete="off"
              disabled={out}
            />
            <TextInput
              label="Longitude"
              placeholder={given.get(lonLabel)?.value.toString()}
              value={values.lon}
              onChange={(e) => place('lon', e.currentTarget.value)}
              error={bad.lon ?? labelRefused(refused, lonLabel)}
              inputMode="text"
              autoComplete="off"
              disabled={out}
            />
          </SimpleGrid>
          <Title order={2} size="h4">
            How it talks with the hub
          </Title>
          <SettingsFields
            value={values}
            change={(f: SettingsField, text) => put({ [f]: text })}
            otherwise={otherwise}
            refused={(f) => refused?.field(`settings.${f}`)}
            disabled={out}
          />
          <div className="fs-savebar" data-dirty={draft ? '' : undefined}>
            {conflict ? (
              <Conflict
                error={error}
                differences={against(draft, fieldsOf(device))}
                takeMine={() => void save(device.etag)}
                takeTheirs={() => {
                  setDraft(undefined);
                  setError(undefined);
                }}
                busy={busy}
              />
            ) : (
              <Failure error={error} />
            )}
            {!conflict && (
              <Group gap="sm">
                <Button type="submit" disabled={!draft || Object.keys(bad).length > 0} loading={busy}>
                  Save
                </Button>
                <Button
                  variant="default"
                  disabled={!draft || busy}
                  onClick={() => {
                    setDraft(undefined);
                    setError(undefined);
                  }}
                >
                  Discard
                </Button>
                <Text size="sm" c="dimmed">
                  {draft
                    ? `Not saved: ${changed.map((f) => fieldNames[f]).join(', ')}`
                    : out
                      ? 'The device is shut out: it cannot be changed.'
                      : 'Nothing changed.'}
                </Text>
              </Group>
            )}
          </div>
        </Stack>
      </form>
      <Danger device={device} />
      <Leaving dirty={() => !!draft} stays={(s) => deviceSearch(s).tab === 'settings'} />
    </Stack>
  );
}

function labelRefused(refused: ReturnType<typeof asProblem> | undefined, label: string): string | undefined {
  const said = refused?.message ?? '';
  return said.includes(label) ? said : undefined;
}

/** hubDefaults gives those settings of the device that nobody has set. */
function hubDefaults({ effective: { settings, from } }: Detail): Detail['effective']['settings'] {
  return Object.fromEntries(settingFields.filter((f) => from[f] === 'hub default').map((f) => [f, settings[f]]));
}

function positionWords(given: ReturnType<typeof labelsOf>): string {
  const lat = given.get(latLabel);
  const lon = given.get(lonLabel);
  if (!lat || !lon) return 'Empty: it has no position.';
  return `Empty: ${lat.value}, ${lon.value}, ${sourceWords(lat)}.`;
}
