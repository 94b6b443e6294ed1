import { Stack, Textarea, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem, problemOf } from '../../api/problem';
import { groupsQuery } from '../../api/queries';
import { groupsSearch } from '../../app/search';
import { EditFooter } from '../../kit/EditFooter';
import { effective, inheritedProfile, inheritedWords } from '../../kit/inherit';
import { Leaving } from '../../kit/Leaving';
import { labelText, parseLabels } from '../../kit/labels';
import type { Fields } from '../../kit/merge';
import { ProfileField } from '../../kit/PlaceFields';
import { SettingsFields } from '../../kit/SettingsFields';
import { settingFields, settingNames, settingsFrom, settingsText, wrongSetting } from '../../kit/settings';
import { undoable } from '../../kit/undoable';
import { useEdit } from '../../kit/useEdit';
import { usePhone } from '../../kit/usePhone';
import { type Group as FleetGroup, titleOf } from './tree';

const names = { labels: 'Labels', profile: 'Link profile', ...settingNames };

const fieldsOf = (g: FleetGroup): Fields => ({
  labels: labelText(g.labels),
  profile: g.profile ?? '',
  ...settingsText(g.settings),
});

interface Props {
  group: FleetGroup;
  groups: readonly FleetGroup[];
  profiles: readonly Schemas['Profile'][];
  close: () => void;
}

/** EditGroup changes what a group says. */
export function EditGroup({ group, groups, profiles, close }: Props) {
  const cache = useQueryClient();
  const phone = usePhone();
  const put = async (fields: Fields, etag: string) => {
    const labels = parseLabels(fields.labels ?? '');
    if ('wrong' in labels) throw problemOf(-1, { title: 'Labels', detail: labels.wrong });
    const now = await ok(
      api.PUT('/api/v1/groups', {
        params: { header: { 'If-Match': etag } },
        body: {
          path: group.path,
          labels: labels.labels,
          profile: fields.profile || undefined,
          settings: settingsFrom(fields),
        },
      }),
    );
    // Devices below show what they inherit.
    for (const k of ['groups', 'devices', 'device']) void cache.invalidateQueries({ queryKey: [k] });
    return now;
  };
  const edit = useEdit({
    thing: group,
    etagOf: (g) => g.etag,
    fieldsOf,
    names,
    save: put,
    read: async () => {
      const { items } = await cache.fetchQuery({ ...groupsQuery, staleTime: 0 });
      const g = items.find((x) => x.path === group.path);
      if (!g) throw problemOf(404, { title: 'Gone', detail: `The group ${group.path} was removed meanwhile.` });
      return g;
    },
    saved: (now, before) => {
      close();
      undoable(`${titleOf(group.path)}: saved`, () => put(before, now.etag));
    },
  });
  const labels = parseLabels(edit.fields.labels ?? '');
  const wrongLabels = 'wrong' in labels ? labels.wrong : undefined;
  const wrong = !!wrongLabels || settingFields.some((f) => wrongSetting(f, edit.fields[f] ?? ''));
  const refused = edit.error ? asProblem(edit.error) : undefined;
  /** inherited gives what holds here if the group itself says nothing but the name of a link profile. */
  const inherited = (profile: string | undefined) => {
    const silent = groups.map((g) => (g.path === group.path ? { ...g, settings: {}, profile } : g));
    return effective({ group: group.path }, { groups: silent, profiles });
  };
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (!wrong) edit.save();
      }}
    >
      <Stack gap="md">
        <Title order={3}>What this group says</Title>
        <Textarea
          label="Labels"
          description="key=value, apart by commas or lines; given to all devices below"
          autosize
          autoCapitalize="none"
          spellCheck={false}
          value={edit.fields.labels}
          onChange={(e) => edit.set('labels', e.currentTarget.value)}
          error={wrongLabels ?? refused?.field('labels')}
        />
        <ProfileField
          value={edit.fields.profile}
          onChange={(e) => edit.set('profile', e.currentTarget.value)}
          error={refused?.field('profile')}
          none={inheritedProfile(inherited(''))}
        />
        <SettingsFields
          value={edit.fields}
          change={edit.set}
          otherwise={inheritedWords(inherited(edit.fields.profile))}
          refused={(f) => refused?.field(`settings.${f}`)}
        />
        <EditFooter edit={edit} wrong={wrong} close={close} />
      </Stack>
      <Leaving
        dirty={() => edit.dirty}
        stays={(s) => (groupsSearch(s).path ?? (phone ? undefined : '')) === group.path}
      />
    </form>
  );
}
