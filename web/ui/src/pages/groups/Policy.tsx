import { Badge, Button, Checkbox, Group, SimpleGrid, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { IconPencil } from '@tabler/icons-react';
import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { useMay } from '../../app/useMay';
import { EditFooter } from '../../kit/EditFooter';
import { Failure } from '../../kit/Failure';
import type { Fields } from '../../kit/merge';
import { undoable } from '../../kit/undoable';
import { useEdit } from '../../kit/useEdit';
import { titleOf } from './tree';

type FleetPolicy = Schemas['Policy'];
type Rule = NonNullable<Schemas['PutPolicy']['forbid']>[number];

/** What each rule keeps stacks and live calls from asking for. */
const rules: Readonly<Record<Rule, string>> = {
  privileged: 'Privileged containers',
  'host-pid': 'The host’s processes',
  'host-ipc': 'The host’s shared memory',
  'host-network': 'The host’s network',
  'host-user-namespace': 'The host’s users',
  'host-devices': 'The host’s devices and GPUs',
  capabilities: 'More capabilities',
  'bind-mounts': 'The host’s files (bind mounts, drivers that mount)',
  sysctls: 'Kernel settings (sysctls)',
  'security-options': 'Security options, other runtimes, cgroups',
  'other-containers': 'Parts of other containers',
  'host-scripts': 'Scripts of jobs on the host itself',
};
const ruleNames = Object.keys(rules) as Rule[];

const policiesQuery = (path: string) =>
  queryOptions({
    queryKey: ['policies', path],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/policies', { params: { query: { group: `/${path}` } }, signal })),
  });

const lines = (text = '') => text.split(/[\s,]+/).filter(Boolean);

/** Policy shows what may not be asked of the engines of a group's devices, and by which group. */
export function Policy({ path }: { path: string }) {
  const { data, error, refetch } = useQuery(policiesQuery(path));
  const [editing, setEditing] = useState(false);
  const change = useMay('policy.change');
  const holding = data?.items ?? [];
  const own = holding.find((p) => p.group === path);
  return (
    <div>
      <Group justify="space-between" mb={6}>
        <Title order={3}>What stacks may not ask for here</Title>
        {own && change && !editing && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPencil size={14} aria-hidden />}
            onClick={() => setEditing(true)}
          >
            Change
          </Button>
        )}
      </Group>
      <Failure error={error} retry={refetch} />
      {data && !editing && (
        <Holding path={path} holding={holding.filter((p) => p.forbid.length > 0 || p.images.length > 0)} />
      )}
      {editing && own && (
        <EditPolicy own={own} above={holding.filter((p) => p !== own)} close={() => setEditing(false)} />
      )}
    </div>
  );
}

function Holding({ path, holding }: { path: string; holding: readonly FleetPolicy[] }) {
  if (holding.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Anything may be asked for. What a group forbids is forbidden in every group below it; administrators and device
        administrators are exempt.
      </Text>
    );
  }
  return (
    <Stack gap="xs">
      {holding.map((p) => (
        <div key={p.group}>
          <Group gap="xs">
            {p.forbid.map((r) => (
              <Badge key={r} variant="default" className="fs-label">
                {rules[r as Rule] ?? r}
              </Badge>
            ))}
            {p.images.length > 0 && (
              <Text size="sm" className="fs-text">
                only images {p.images.join(', ')}
              </Text>
            )}
          </Group>
          <Text size="xs" c="dimmed" className="fs-text">
            {p.group === path ? 'said here' : `said by ${titleOf(p.group)}`}
            {p.note && `: ${p.note}`}
          </Text>
        </div>
      ))}
    </Stack>
  );
}

const fieldsOf = (p: FleetPolicy): Fields => ({
  images: p.images.join('\n'),
  note: p.note ?? '',
  ...Object.fromEntries(ruleNames.map((r) => [r, p.forbid.includes(r) ? 'forbidden' : ''])),
});

function EditPolicy({ own, above, close }: { own: FleetPolicy; above: readonly FleetPolicy[]; close: () => void }) {
  const cache = useQueryClient();
  const put = async (fields: Fields, etag: string) => {
    const now = await ok(
      api.PUT('/api/v1/policies', {
        params: { header: { 'If-Match': etag } },
        body: {
          group: own.group,
          forbid: ruleNames.filter((r) => fields[r]),
          images: lines(fields.images),
          note: fields.note || undefined,
        },
      }),
    );
    void cache.invalidateQueries({ queryKey: ['policies'] });
    return now;
  };
  const edit = useEdit({
    thing: own,
    etagOf: (p) => p.etag,
    fieldsOf,
    names: { images: 'Images', note: 'Note', ...rules },
    save: put,
    read: async () => {
      const { items } = await cache.fetchQuery({ ...policiesQuery(own.group), staleTime: 0 });
      return items.find((p) => p.group === own.group) ?? own;
    },
    saved: (now, before) => {
      close();
      undoable(`${titleOf(own.group)}: what it forbids is saved`, () => put(before, now.etag));
    },
  });
  const refused = edit.error ? asProblem(edit.error) : undefined;
  const forbiddenBy = (r: Rule) => above.find((p) => p.forbid.includes(r));
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        edit.save();
      }}
    >
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xs">
          {ruleNames.map((r) => {
            const by = forbiddenBy(r);
            return (
              <Checkbox
                key={r}
                label={rules[r]}
                description={by ? `forbidden by ${titleOf(by.group)}` : r}
                checked={!!by || !!edit.fields[r]}
                disabled={!!by}
                onChange={(e) => edit.set(r, e.currentTarget.checked ? 'forbidden' : '')}
              />
            );
          })}
        </SimpleGrid>
        <Textarea
          label="Images that may be used"
          description="Without tags, one a line; * stands for any text, ** for any parts. Empty: any."
          placeholder="registry.example.com/plant/**"
          autosize
          autoCapitalize="none"
          spellCheck={false}
          value={edit.fields.images}
          onChange={(e) => edit.set('images', e.currentTarget.value)}
          error={refused?.field('images')}
        />
        <TextInput
          label="Why"
          description="Shown to people who run into it"
          value={edit.fields.note}
          onChange={(e) => edit.set('note', e.currentTarget.value)}
        />
        <Text size="xs" c="dimmed">
          It holds for what is applied from now on, and for devices that get a stack from now on; stacks that run are
          left alone. Jobs are taken from devices where they are not allowed any more.
        </Text>
        <EditFooter edit={edit} close={close} />
      </Stack>
    </form>
  );
}
