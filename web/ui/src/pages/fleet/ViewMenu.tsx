import { ActionIcon, Button, Group, Modal, Popover, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconBookmark, IconDeviceFloppy, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { fleetSearch } from '../../app/search';
import { Failure } from '../../kit/Failure';
import { undoable } from '../../kit/undoable';
import { type FleetSearch, queryOf, queryText } from './filter';
import { type View, viewsQuery } from './queries';

const most = 50;

/** ViewMenu keeps views of the list under names, for the account that is signed in. */
export function ViewMenu({ search }: { search: FleetSearch }) {
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [naming, setNaming] = useState(false);
  const [opened, setOpened] = useState(false);
  const { data, error, refetch } = useQuery(viewsQuery);
  const views = data?.items ?? [];
  const put = useMutation({
    // The list is read again right before: another tab may have saved a view meanwhile.
    mutationFn: async (changed: (now: View[]) => View[]) => {
      const { items } = await ok(api.GET('/api/v1/session/views'));
      return ok(api.PUT('/api/v1/session/views', { body: { items: changed(items) } }));
    },
    onSuccess: (saved) => cache.setQueryData(viewsQuery.queryKey, saved),
  });
  const keep = (view: View) => (now: View[]) => [...now.filter((v) => v.name !== view.name), view];
  const remove = (view: View) =>
    put.mutate((now) => now.filter((v) => v.name !== view.name), {
      onSuccess: () => undoable(`View ${view.name} is removed.`, () => put.mutateAsync(keep(view))),
      onError: (e) => notifications.show({ color: 'red', message: e.message }),
    });
  return (
    <>
      <Popover opened={opened} onChange={setOpened} position="bottom-end" width={280} shadow="md" trapFocus returnFocus>
        <Popover.Target>
          <Button
            variant="default"
            size="xs"
            leftSection={<IconBookmark size={14} aria-hidden />}
            onClick={() => setOpened(!opened)}
          >
            Views
          </Button>
        </Popover.Target>
        <Popover.Dropdown p={6} mah={420} style={{ overflowY: 'auto' }}>
          <Button
            variant="subtle"
            fullWidth
            justify="flex-start"
            leftSection={<IconDeviceFloppy size={16} aria-hidden />}
            onClick={() => {
              setOpened(false);
              setNaming(true);
            }}
          >
            Save this view
          </Button>
          {views.map((v) => (
            <Group key={v.name} gap={4} wrap="nowrap">
              <Button
                variant="subtle"
                color="gray"
                c="inherit"
                flex={1}
                miw={0}
                justify="flex-start"
                onClick={() => {
                  setOpened(false);
                  void navigate({ to: '/fleet', search: fleetSearch(queryOf(v.query)) });
                }}
              >
                {v.name}
              </Button>
              <ActionIcon
                variant="subtle"
                color="gray"
                size={36}
                aria-label={`Remove view ${v.name}`}
                onClick={() => remove(v)}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </Group>
          ))}
          {data && views.length === 0 && (
            <Text size="xs" c="dimmed" px="sm" pb={6}>
              None are saved yet. A view keeps filters, order and columns under a name.
            </Text>
          )}
          <Failure error={error} retry={() => void refetch()} />
        </Popover.Dropdown>
      </Popover>
      <Modal opened={naming} onClose={() => setNaming(false)} title="Save this view" centered>
        <NameView
          views={views}
          save={async (name) => {
            await put.mutateAsync(keep({ name, query: queryText(search) }));
            setNaming(false);
            notifications.show({ message: `View ${name} is saved. It is under Views for you alone.` });
          }}
          error={put.error}
        />
      </Modal>
    </>
  );
}

interface NameProps {
  views: View[];
  save: (name: string) => Promise<void>;
  error: unknown;
}

function NameView({ views, save, error }: NameProps) {
  const [name, setName] = useState('');
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const text = name.trim();
  const same = views.some((v) => v.name === text);
  const wrong = text === '' ? 'Give the view a name.' : undefined;
  const full =
    views.length >= most && !same ? `There are ${most} views, which is the most: remove one first.` : undefined;
  return (
    <form
      onSubmit={async (e) => {
        e.preventDefault();
        setAsked(true);
        if (wrong || full || busy) return;
        setBusy(true);
        await save(text).catch(() => setBusy(false));
      }}
    >
      <Stack gap="sm">
        <Text size="sm">It keeps the filters, the order, the columns and whether the map is shown.</Text>
        <TextInput
          label="Name"
          data-autofocus
          maxLength={128}
          value={name}
          error={full ?? (asked && wrong)}
          description={same ? 'There is a view of that name: it is replaced.' : undefined}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <Failure error={error} />
        <Group justify="flex-end">
          <Button type="submit" loading={busy}>
            {same ? 'Replace' : 'Save'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
