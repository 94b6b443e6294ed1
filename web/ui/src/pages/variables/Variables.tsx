import { Badge, Button, Group, Modal, Skeleton, Stack, Text, Title, type TitleProps } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { useMay } from '../../app/useMay';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { titleOf } from '../groups/tree';
import { VariableForm } from './VariableForm';

export type Variable = Schemas['Variable'];

/** Where variables are set: on a group, by its path, or on a device, by its id. */
export type Scope = { group: string } | { device: string };

const variablesQuery = (scope: Scope) =>
  queryOptions({
    queryKey: ['variables', scope],
    queryFn: ({ signal }) =>
      ok(
        'device' in scope
          ? api.GET('/api/v1/devices/{device}/variables', { params: { path: { device: scope.device } }, signal })
          : api.GET('/api/v1/groups/variables', { params: { query: { path: scope.group } }, signal }),
      ),
  });

interface Props {
  scope: Scope;
  /** How its title looks. */
  heading: Pick<TitleProps, 'order' | 'size'>;
}

/** Variables are what a group or a device gives to stacks, and what it has from the groups above. */
export function Variables({ scope, heading }: Props) {
  const read = useMay('variables.read');
  return read ? <Seen scope={scope} heading={heading} /> : null;
}

function Seen({ scope, heading }: Props) {
  const cache = useQueryClient();
  const change = useMay('variables.change');
  const { data, error, refetch } = useQuery(variablesQuery(scope));
  const [form, setForm] = useState<{ now?: Variable }>();
  const [removing, setRemoving] = useState<Variable>();
  // What a group sets is shown on all that is below it.
  const fresh = () => cache.invalidateQueries({ queryKey: ['variables'] });
  const here = 'device' in scope ? 'this device' : 'this group';
  return (
    <section>
      <Group justify="space-between" mb={6}>
        <Title {...heading}>Variables for stacks</Title>
        {change && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => setForm({})}
          >
            Set a variable
          </Button>
        )}
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={40} />}
      {data?.items.length === 0 && (
        <Text size="sm" c="dimmed">
          None. A variable that is set here is given to the stacks of {'device' in scope ? 'it' : 'the devices below'}{' '}
          that use it, by its name in their Compose files.
        </Text>
      )}
      {data && data.items.length > 0 && (
        <Stack gap={6} component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Variables">
          {data.items.map((v) => (
            <Item
              key={v.name}
              variable={v}
              here={here}
              edit={change ? () => setForm({ now: v }) : undefined}
              remove={() => setRemoving(v)}
            />
          ))}
        </Stack>
      )}
      <Modal
        opened={form !== undefined}
        onClose={() => setForm(undefined)}
        title={form?.now ? `Set ${form.now.name}` : 'Set a variable'}
        centered
      >
        {form && (
          <VariableForm
            scope={scope}
            now={form.now}
            close={() => setForm(undefined)}
            saved={async () => {
              setForm(undefined);
              await fresh();
            }}
          />
        )}
      </Modal>
      {removing && (
        <ConfirmNamed
          opened
          close={() => setRemoving(undefined)}
          title="Remove this variable?"
          name={removing.name}
          action="Remove"
          run={async () => {
            const header = { 'If-Match': removing.etag };
            const path = { variable: removing.name };
            await ok(
              'device' in scope
                ? api.DELETE('/api/v1/devices/{device}/variables/{variable}', {
                    params: { path: { ...path, device: scope.device }, header },
                  })
                : api.DELETE('/api/v1/groups/variables/{variable}', {
                    params: { path, query: { path: scope.group }, header },
                  }),
            );
            await fresh();
          }}
        >
          Stacks that use it are changed on the devices.{' '}
          {removing.secret && 'Its value is gone; nobody can look it up.'}
        </ConfirmNamed>
      )}
    </section>
  );
}

interface ItemProps {
  variable: Variable;
  here: string;
  /** undefined: who looks may not change it. */
  edit: (() => void) | undefined;
  remove: () => void;
}

function Item({ variable: v, here, edit, remove }: ItemProps) {
  return (
    <Group component="li" justify="space-between" gap="xs" wrap="nowrap" align="flex-start">
      <div style={{ minWidth: 0 }}>
        <Text size="sm" className="fs-text" component="div">
          <b>{v.name}</b>{' '}
          {v.lost ? (
            <Badge variant="light" color="red" className="fs-state">
              lost: set it again
            </Badge>
          ) : v.secret ? (
            <Badge variant="default" className="fs-label">
              set, hidden
            </Badge>
          ) : (
            <Text span size="sm" style={{ whiteSpace: 'pre-wrap' }}>
              {v.value || '(empty)'}
            </Text>
          )}
        </Text>
        <Text size="xs" c="dimmed" className="fs-text" component="div">
          {v.own ? `set on ${here}` : `from ${titleOf(v.group)}`}
          {v.by && ` by ${v.by}`} <Since at={v.updated ?? ''} />
        </Text>
      </div>
      {edit && (
        <Group gap={4} wrap="nowrap">
          <Button
            size="xs"
            variant="default"
            aria-label={v.own ? `Change ${v.name}` : `Set here: ${v.name}`}
            onClick={edit}
          >
            {v.own ? 'Change' : 'Set here'}
          </Button>
          {v.own && (
            <Button size="xs" variant="subtle" color="red" aria-label={`Remove ${v.name}`} onClick={remove}>
              Remove …
            </Button>
          )}
        </Group>
      )}
    </Group>
  );
}
