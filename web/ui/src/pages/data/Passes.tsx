import {
  Alert,
  Button,
  FileButton,
  Group,
  Modal,
  NativeSelect,
  Skeleton,
  Stack,
  Text,
  Textarea,
  Title,
  type TitleProps,
} from '@mantine/core';
import { IconAlertTriangle, IconFileUpload, IconPencil, IconPlus } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { useMay } from '../../app/useMay';
import { bytes, count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { endOf, readPasses, writePasses } from '../../kit/data/passes';
import { Failure } from '../../kit/Failure';
import { Since, useNow } from '../../kit/Since';
import { exact, moment, span } from '../../kit/time';
import { titleOf } from '../groups/tree';
import { choices } from './profile';

/** Whose table of passes it is: a group's, by its path, or a device's, by its id. */
export type Scope = { group: string } | { device: string };

type PassTable = Schemas['Passes'];

const byDevice = '/api/v1/devices/{device}/passes';
const byGroup = '/api/v1/groups/passes';

const passesQuery = (scope: Scope) =>
  queryOptions({
    queryKey: ['passes', scope],
    queryFn: ({ signal }) =>
      ok(
        'device' in scope
          ? api.GET(byDevice, { params: { path: { device: scope.device } }, signal })
          : api.GET(byGroup, { params: { query: { path: scope.group } }, signal }),
      ),
  });

/** put replaces a table, as of the etag of the one that was there, if there was one. */
const put = (scope: Scope, body: Schemas['PutPasses'], etag: string | undefined) => {
  const header = etag ? { 'If-Match': etag } : {};
  return ok(
    'device' in scope
      ? api.PUT(byDevice, { params: { path: { device: scope.device }, header }, body })
      : api.PUT(byGroup, { params: { query: { path: scope.group }, header }, body }),
  );
};

const remove = (scope: Scope, etag: string) => {
  const header = { 'If-Match': etag };
  return ok(
    'device' in scope
      ? api.DELETE(byDevice, { params: { path: { device: scope.device }, header } })
      : api.DELETE(byGroup, { params: { query: { path: scope.group }, header } }),
  );
};

interface Props {
  scope: Scope;
  heading: Pick<TitleProps, 'order' | 'size'>;
}

const shown = 8;

/** Passes are single times of contact, as of a satellite, that are given to a device or to all devices of a group. */
export function Passes({ scope, heading }: Props) {
  const cache = useQueryClient();
  const change = useMay('device' in scope ? 'devices.change' : 'groups.change');
  const { data, error, refetch } = useQuery(passesQuery(scope));
  const [editing, setEditing] = useState(false);
  const [removing, setRemoving] = useState(false);
  const now = useNow();
  const ahead = (data?.passes ?? []).filter((p) => endOf(p) > now);
  const name = 'device' in scope ? 'this device' : titleOf(scope.group);
  const fresh = () => Promise.all(['passes', 'device', 'usage'].map((k) => cache.invalidateQueries({ queryKey: [k] })));
  return (
    <section>
      <Group justify="space-between" mb={6}>
        <Title {...heading}>Passes</Title>
        {change && data && (
          <Group gap={4}>
            <Button
              size="xs"
              variant="default"
              leftSection={data.own ? <IconPencil size={14} aria-hidden /> : <IconPlus size={14} aria-hidden />}
              onClick={() => setEditing(true)}
            >
              {data.own ? 'New table of passes' : 'Give a table of passes'}
            </Button>
            {data.own && (
              <Button size="xs" variant="subtle" color="red" onClick={() => setRemoving(true)}>
                Remove …
              </Button>
            )}
          </Group>
        )}
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={40} />}
      {data?.passes.length === 0 && (
        <Text size="sm" c="dimmed">
          None. Passes are single times of contact, such as those of a satellite. A table of them is given to a device,
          or to all devices of a group; the nearest counts.
        </Text>
      )}
      {data && data.passes.length > 0 && (
        <>
          <Text size="sm" className="fs-text">
            {count(data.passes.length, 'pass', 'passes')}, {count(ahead.length)} of them to come
            {!data.own && data.from && `, given to ${data.from}`}. {data.afterwards}
          </Text>
          <Warnings of={data.warnings} />
          {ahead.length > 0 && (
            <ul aria-label="Passes to come" className="da-times">
              {ahead.slice(0, shown).map((p) => (
                <li key={p.start}>
                  <b>
                    <Since at={p.start} />
                  </b>
                  , for {span(p.seconds)}
                  {p.bytes ? `, ${bytes(p.bytes)} expected` : ''}
                  <Text size="xs" c="dimmed">
                    {moment(new Date(p.start))}
                  </Text>
                </li>
              ))}
            </ul>
          )}
          {ahead.length > shown && (
            <Text size="xs" c="dimmed">
              And {count(ahead.length - shown)} more.
            </Text>
          )}
        </>
      )}
      <Modal opened={editing} onClose={() => setEditing(false)} title="Table of passes" size="lg">
        {editing && (
          <Edit
            scope={scope}
            now={data?.own ? data : undefined}
            close={() => setEditing(false)}
            saved={async () => {
              await fresh();
              setEditing(false);
            }}
          />
        )}
      </Modal>
      {data?.own && (
        <ConfirmNamed
          opened={removing}
          close={() => setRemoving(false)}
          title="Remove this table of passes?"
          name={name}
          action="Remove"
          run={async () => {
            await remove(scope, data.etag);
            await fresh();
          }}
        >
          The table of the next group above counts then, if there is one, and what the link profile says.
        </ConfirmNamed>
      )}
    </section>
  );
}

/** Warnings are what is allowed, and yet probably not meant. */
export function Warnings({ of }: { of: readonly string[] | null | undefined }) {
  if (!of || of.length === 0) return null;
  return (
    <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title="To think of" p="xs" my="xs">
      {of.map((w) => (
        <Text size="sm" key={w} className="fs-text">
          {w}
        </Text>
      ))}
    </Alert>
  );
}

interface EditProps {
  scope: Scope;
  now: PassTable | undefined;
  close: () => void;
  saved: () => Promise<unknown>;
}

const largest = 256 << 10;

function Edit({ scope, now, close, saved }: EditProps) {
  const [text, setText] = useState(() => (now ? writePasses(now.passes) : ''));
  const [after, setAfter] = useState(now?.after ?? '');
  const [tooLarge, setTooLarge] = useState('');
  const [asked, setAsked] = useState(false);
  const read = readPasses(text);
  const save = useMutation({
    mutationFn: (body: Schemas['PutPasses']) => put(scope, body, now?.etag),
    onSuccess: saved,
  });
  const take = async (file: File | null) => {
    if (!file) return;
    setTooLarge(file.size > largest ? `${file.name} has ${bytes(file.size)}: want at most ${bytes(largest)}.` : '');
    if (file.size <= largest) setText(await file.text());
  };
  const wrong = 'wrong' in read ? read.wrong : [];
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        setAsked(true);
        if ('passes' in read) save.mutate({ passes: read.passes, ...(after && { after }) });
      }}
    >
      <Stack gap="sm">
        <Group justify="space-between" align="flex-end">
          <Text size="sm" maw={420}>
            A line each: start, end, and how many bytes are expected to fit, where that is known. Times are in UTC where
            they name no zone.
          </Text>
          <FileButton onChange={take} accept=".csv,.txt,text/csv,text/plain">
            {(props) => (
              <Button {...props} variant="default" leftSection={<IconFileUpload size={16} aria-hidden />}>
                From a file
              </Button>
            )}
          </FileButton>
        </Group>
        <Textarea
          label="Passes, as CSV"
          placeholder={'start,end,bytes\n2026-11-23T10:00:00Z,2026-11-23T10:10:00Z,250000'}
          autosize
          minRows={6}
          maxRows={16}
          spellCheck={false}
          classNames={{ input: 'fs-code' }}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
          error={
            tooLarge ||
            ((asked || text.trim() !== '') && wrong.length > 0 && (
              <span style={{ whiteSpace: 'pre-line' }}>{wrong.join('\n')}</span>
            ))
          }
        />
        {'passes' in read && (
          <Text size="sm" c="dimmed" aria-live="polite">
            {count(read.passes.length, 'pass', 'passes')}, from {exact(new Date(read.passes[0]?.start ?? 0))} to{' '}
            {exact(new Date(Math.max(...read.passes.map(endOf))))}.
          </Text>
        )}
        <NativeSelect
          label="After the last pass"
          value={after}
          onChange={(e) => setAfter(e.currentTarget.value)}
          data={[
            { value: '', label: 'As the link profile says' },
            ...(['daily', 'silent', 'open'] as const).map((value) => ({ value, label: choices.after[value] })),
          ]}
        />
        <Failure error={save.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={save.isPending} disabled={asked && wrong.length > 0}>
            Save the table
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
