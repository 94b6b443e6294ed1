import {
  Alert,
  Button,
  Group,
  NumberInput,
  PasswordInput,
  Skeleton,
  Stack,
  Table,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDownload, IconPlayerPlay } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem, problemOf } from '../../api/problem';
import { May } from '../../app/May';
import { bytes } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';

const backupsQuery = queryOptions({
  queryKey: ['settings', 'backup'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/settings/backup', { signal })),
});

/** Backup takes one now, and says when and where the hub makes them by itself. */
export function Backup() {
  const { data, error, refetch } = useQuery(backupsQuery);
  if (!data) return error ? <Failure error={error} retry={refetch} /> : <Skeleton h={320} />;
  return (
    <Stack gap="xl" maw={720}>
      <May operation="backup.make">
        <TakeOne />
        <Plan key={JSON.stringify([data.folder, data.times, data.keep, data.recipients])} now={data} />
      </May>
      <Runs now={data} />
    </Stack>
  );
}

/** Lock is how a backup is encrypted, as it is typed in. */
interface Lock {
  passphrase: string;
  again: string;
  recipients: string;
}

const unlocked: Lock = { passphrase: '', again: '', recipients: '' };
const lines = (text: string) =>
  text
    .split('\n')
    .map((l) => l.trim())
    .filter(Boolean);
const lockOf = (l: Lock): Schemas['BackupLock'] =>
  lines(l.recipients).length > 0 ? { recipients: lines(l.recipients) } : { passphrase: l.passphrase || undefined };

/** wrongLock says why a lock cannot be used; undefined: it can, or nothing was typed yet. */
function wrongLock(l: Lock): string | undefined {
  if (l.passphrase && lines(l.recipients).length > 0) return 'Give a passphrase or public keys, not both.';
  if (l.passphrase && l.passphrase.length < 12) return 'Want 12 characters or more.';
  if (l.passphrase !== l.again) return 'The two are not the same.';
  return undefined;
}

function LockFields({ lock, change, kept }: { lock: Lock; change: (l: Lock) => void; kept?: boolean }) {
  const wrong = lock.again || lock.recipients ? wrongLock(lock) : undefined;
  return (
    <>
      <Group grow align="flex-start">
        <PasswordInput
          label="Passphrase"
          description={kept ? 'Empty: the one that is set stays' : '12 characters or more; several words are best'}
          autoComplete="new-password"
          value={lock.passphrase}
          onChange={(e) => change({ ...lock, passphrase: e.currentTarget.value })}
        />
        <PasswordInput
          label="Passphrase again"
          description="Without it nobody opens the backup"
          autoComplete="new-password"
          value={lock.again}
          onChange={(e) => change({ ...lock, again: e.currentTarget.value })}
          error={wrong}
        />
      </Group>
      <Textarea
        label="Or public keys"
        description="age1… or ssh-ed25519 …, one a line: whoever has one of their private keys opens it"
        autosize
        spellCheck={false}
        autoCapitalize="none"
        value={lock.recipients}
        onChange={(e) => change({ ...lock, recipients: e.currentTarget.value })}
      />
    </>
  );
}

function TakeOne() {
  const [lock, setLock] = useState(unlocked);
  const take = useMutation({
    mutationFn: async () => {
      const answer = await api.POST('/api/v1/backup', { body: lockOf(lock), parseAs: 'blob' });
      if (!answer.response.ok) throw problemOf(answer.response.status, answer.error);
      const named = /filename="([^"]+)"/.exec(answer.response.headers.get('Content-Disposition') ?? '');
      return { blob: answer.data as unknown as Blob, name: named?.[1] ?? 'farshore-backup.age' };
    },
    onSuccess: ({ blob, name }) => {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      setLock(unlocked);
      notifications.show({ title: 'The backup is made', message: `${name}, ${bytes(blob.size)}` });
    },
  });
  const ready = !wrongLock(lock) && (lock.passphrase !== '' || lines(lock.recipients).length > 0);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (ready) take.mutate();
      }}
    >
      <Stack gap="sm">
        <Title order={2} size="h3">
          Take a backup now
        </Title>
        <Text size="sm" c="dimmed">
          All of the hub in one encrypted file, while it runs. With what opens it, it is the hub: it holds the key that
          every device obeys. <code>farshore-hub restore</code> puts it back. Large ones are better taken by{' '}
          <code>farshore backup make</code>.
        </Text>
        <LockFields lock={lock} change={setLock} />
        <Failure error={take.error} />
        <Group>
          <Button
            type="submit"
            leftSection={<IconDownload size={16} aria-hidden />}
            loading={take.isPending}
            disabled={!ready}
          >
            Make and download
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Plan({ now }: { now: Schemas['Backups'] }) {
  const cache = useQueryClient();
  const [folder, setFolder] = useState(now.folder);
  const [times, setTimes] = useState(now.times ?? '02:30');
  const [keep, setKeep] = useState(now.keep || 7);
  const [lock, setLock] = useState({ ...unlocked, recipients: now.recipients?.join('\n') ?? '' });
  const save = useMutation({
    mutationFn: () =>
      ok(api.PUT('/api/v1/settings/backup', { body: folder ? { folder, times, keep, ...lockOf(lock) } : { folder } })),
    onSuccess: (saved) => {
      cache.setQueryData(backupsQuery.queryKey, saved);
      setLock((l) => ({ ...l, passphrase: '', again: '' }));
      notifications.show({
        message: saved.folder ? 'The plan is saved.' : 'The hub makes no backups by itself any more.',
      });
    },
  });
  const run = useMutation({
    mutationFn: () => ok(api.POST('/api/v1/settings/backup/run')),
    onSettled: () => void cache.invalidateQueries({ queryKey: backupsQuery.queryKey }),
  });
  const refused = save.error ? asProblem(save.error) : undefined;
  const locked = now.has_passphrase || lock.passphrase !== '' || lines(lock.recipients).length > 0;
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <Stack gap="sm">
        <Title order={2} size="h3">
          Backups that the hub makes by itself
        </Title>
        {now.folder === '' && (
          <Alert color="yellow">
            There is no plan yet: if this machine is lost, so is the fleet’s hub key, and every device must be set up
            anew.
          </Alert>
        )}
        <TextInput
          label="Folder"
          description="On the hub’s machine, outside its data folder; best on another disk or machine. Empty: none are made"
          placeholder="/var/backups/farshore"
          spellCheck={false}
          value={folder}
          onChange={(e) => setFolder(e.currentTarget.value)}
          error={refused?.field('folder')}
        />
        <Group grow align="flex-start">
          <TextInput
            label="When"
            description="A time of day, or five fields of cron"
            value={times}
            onChange={(e) => setTimes(e.currentTarget.value)}
            error={refused?.field('times')}
          />
          <NumberInput
            label="Keep"
            description="Older ones are removed"
            min={1}
            max={1000}
            value={keep}
            onChange={(v) => setKeep(Number(v))}
            error={refused?.field('keep')}
          />
        </Group>
        <LockFields lock={lock} change={setLock} kept={now.has_passphrase} />
        <Failure error={save.error ?? run.error} />
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!!wrongLock(lock) || (folder !== '' && !locked)}>
            Save plan
          </Button>
          {now.folder !== '' && (
            <Button
              variant="default"
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
              loading={run.isPending}
              onClick={() => run.mutate()}
            >
              Make one now
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}

function Runs({ now }: { now: Schemas['Backups'] }) {
  const runs = now.runs ?? [];
  return (
    <div>
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h3">
          How it went
        </Title>
        {now.next && (
          <Text size="sm" c="dimmed">
            next <Since at={now.next} />
          </Text>
        )}
      </Group>
      {runs.length === 0 ? (
        <Text size="sm" c="dimmed">
          None was made by itself yet.
        </Text>
      ) : (
        <div className="fs-scroll">
          <Table aria-label="Backups that were made">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>When</Table.Th>
                <Table.Th>File</Table.Th>
                <Table.Th>Size</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {runs.map((r) => (
                <Table.Tr key={r.started}>
                  <Table.Td>
                    <Since at={r.started} />
                  </Table.Td>
                  <Table.Td className="fs-text">{r.error ? `Failed: ${r.error}` : r.file}</Table.Td>
                  <Table.Td>{r.size ? bytes(r.size) : '–'}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </div>
  );
}
