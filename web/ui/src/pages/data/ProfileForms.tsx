import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem, problemOf } from '../../api/problem';
import { profilesQuery } from '../../api/queries';
import { dataSearch } from '../../app/search';
import { EditFooter } from '../../kit/EditFooter';
import { Failure } from '../../kit/Failure';
import { Leaving } from '../../kit/Leaving';
import type { Fields } from '../../kit/merge';
import { SettingsFields } from '../../kit/SettingsFields';
import { settingsFrom } from '../../kit/settings';
import { undoable } from '../../kit/undoable';
import { useEdit } from '../../kit/useEdit';
import { usePhone } from '../../kit/usePhone';
import { LinkFields } from './LinkFields';
import { Outlook } from './Outlook';
import { anyWrong, linkOf, profileFields, profileNames, tariffOf } from './profile';

type Profile = Schemas['Profile'];

/** bodyOf gives what the API takes. */
function bodyOf(fields: Fields) {
  const [link, tariff] = [linkOf(fields), tariffOf(fields)];
  return { settings: settingsFrom(fields), ...(link && { link }), ...(tariff && { tariff }) };
}

/** refusedAt says what the hub has against a field. A budget that does not suffice stands at the hard cap. */
const refusedAt = (error: unknown) => {
  const refused = error ? asProblem(error) : undefined;
  const budget = refused?.code === 'invalid' && refused.fields.length === 0 && /\b(cap|budget)\b/.test(refused.message);
  return (path: string) =>
    refused?.field(path) ?? (budget && path === 'link.budget.hard' ? refused.message : undefined);
};

/** useRefresh reads anew what a profile changes. */
function useRefresh() {
  const cache = useQueryClient();
  return () => Promise.all(['profiles', 'device'].map((k) => cache.invalidateQueries({ queryKey: [k] })));
}

/** EditProfile changes a link profile, for all that go by it. */
export function EditProfile({ profile, close }: { profile: Profile; close: () => void }) {
  const cache = useQueryClient();
  const refresh = useRefresh();
  const put = async (fields: Fields, etag: string) => {
    const now = await ok(
      api.PUT('/api/v1/profiles/{profile}', {
        params: { path: { profile: profile.name }, header: { 'If-Match': etag } },
        body: bodyOf(fields),
      }),
    );
    void refresh();
    return now;
  };
  const edit = useEdit({
    thing: profile,
    etagOf: (p) => p.etag,
    fieldsOf: profileFields,
    names: profileNames,
    save: put,
    read: async () => {
      const { items } = await cache.fetchQuery({ ...profilesQuery, staleTime: 0 });
      const p = items.find((x) => x.name === profile.name);
      if (!p)
        throw problemOf(404, { title: 'Gone', detail: `The link profile ${profile.name} was removed meanwhile.` });
      return p;
    },
    saved: (now, before) => {
      close();
      undoable(`${profile.name}: saved`, () => put(before, now.etag));
    },
  });
  const refused = refusedAt(edit.error);
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (!anyWrong(edit.fields)) edit.save();
      }}
    >
      <Stack gap="sm">
        <SettingsFields value={edit.fields} change={edit.set} refused={(f) => refused(`settings.${f}`)} />
        <LinkFields value={edit.fields} change={edit.set} refused={refused} />
        {!anyWrong(edit.fields) && <Outlook body={bodyOf(edit.fields)} />}
        <EditFooter edit={edit} wrong={anyWrong(edit.fields)} close={close} />
      </Stack>
      <Leaving dirty={() => edit.dirty} stays={(s) => dataSearch(s).tab === 'profiles'}>
        What you typed for {profile.name} is not saved.
      </Leaving>
    </form>
  );
}

/** NewProfile makes a link profile, empty or like another. undefined: the dialog is closed. */
export function NewProfile({ like, close }: { like: Profile | 'empty' | undefined; close: () => void }) {
  const phone = usePhone();
  return (
    <Modal opened={like !== undefined} onClose={close} title="New link profile" size="lg" fullScreen={phone}>
      {like && <NewForm like={like === 'empty' ? undefined : like} close={close} />}
    </Modal>
  );
}

function NewForm({ like, close }: { like: Profile | undefined; close: () => void }) {
  const refresh = useRefresh();
  const [name, setName] = useState('');
  const [fields, setFields] = useState<Fields>(profileFields(like));
  const [asked, setAsked] = useState(false);
  const make = useMutation({
    mutationFn: () =>
      ok(
        api.PUT('/api/v1/profiles/{profile}', {
          params: { path: { profile: name.trim() }, header: { 'If-None-Match': '*' } },
          body: bodyOf(fields),
        }),
      ),
    onSuccess: async () => {
      await refresh();
      close();
    },
  });
  const refused = refusedAt(make.error);
  const exists = make.error && asProblem(make.error).code === 'exists';
  const change = (f: string, text: string) => {
    setFields((all) => ({ ...all, [f]: text }));
    if (make.isError) make.reset(); // what the hub had against it may not hold any more
  };
  const wrong = /^[a-z0-9._-]{1,63}$/.test(name.trim())
    ? undefined
    : 'Give it a name of small letters, digits, . _ and -, such as vessel.';
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        setAsked(true);
        if (!wrong && !anyWrong(fields)) make.mutate();
      }}
    >
      <Stack gap="sm">
        <TextInput
          size="md"
          label="Name"
          description={like ? `Begins as ${like.name} does; change what is different` : 'By the kind of link'}
          placeholder="vessel"
          data-autofocus
          autoCapitalize="none"
          spellCheck={false}
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
          error={(asked && wrong) || (exists && 'There is a link profile of this name already.')}
        />
        <SettingsFields value={fields} change={change} refused={(f) => refused(`settings.${f}`)} />
        <LinkFields value={fields} change={change} refused={refused} />
        {!anyWrong(fields) && !make.error && <Outlook body={bodyOf(fields)} />}
        <Failure error={exists ? undefined : make.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={make.isPending} disabled={asked && anyWrong(fields)}>
            Make the profile
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
