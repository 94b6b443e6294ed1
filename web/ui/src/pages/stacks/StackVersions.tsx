import {
  Anchor,
  Badge,
  Button,
  Group,
  NativeSelect,
  Skeleton,
  Stack,
  Table,
  Text,
  Title,
  VisuallyHidden,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import { May } from '../../app/May';
import { bytes, count } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { DeployDialog } from './DeployDialog';
import { FileDiffs } from './editor/FileDiffs';
import { bundleQuery, diffQuery, versionsQuery } from './queries';
import { StackFiles } from './StackFiles';
import { optionWords } from './words';

type Version = Schemas['Version'];

/** StackVersions lists the versions that are kept, shows the files of one, and compares two. */
export function StackVersions({ stack }: { stack: Schemas['Stack'] }) {
  const search = useSearch({ from: '/inside/stacks/$stack' });
  const navigate = useNavigate({ from: '/stacks/$stack' });
  const phone = usePhone();
  const [deploying, setDeploying] = useState<number>();
  const { data, error, refetch } = useQuery(versionsQuery(stack.name));
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (!data) return <Skeleton h={200} />;
  const versions = data.items;
  const shown = versions.find((v) => v.number === Number(search.version));
  const other = versions.find((v) => v.number === Number(search.with));
  const look = (part: { version?: string | undefined; with?: string | undefined; file?: undefined }) =>
    void navigate({ search: (s) => ({ ...s, ...part }), replace: true });
  const row = (v: Version) => ({
    deploy: () => setDeploying(v.number),
    latest: v.number === stack.version,
    look: () => look({ version: String(v.number), with: undefined, file: undefined }),
    compare: () => look({ version: String(v.number), with: String(stack.version), file: undefined }),
  });
  return (
    <Stack gap="md">
      {deploying !== undefined && (
        <DeployDialog stack={stack} version={deploying} close={() => setDeploying(undefined)} />
      )}
      {phone ? (
        versions.map((v) => (
          <Stack key={v.number} gap={4} py={6} style={{ borderBottom: '1px solid var(--fs-line)' }}>
            <About version={v} latest={row(v).latest} deployed={v.number === stack.deployed} />
            <Buttons stack={stack} version={v} {...row(v)} />
          </Stack>
        ))
      ) : (
        <Table aria-label="Versions">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Version</Table.Th>
              <Table.Th w={420}>
                <VisuallyHidden>Actions</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {versions.map((v) => (
              <Table.Tr key={v.number} aria-current={v === shown}>
                <Table.Td>
                  <About version={v} latest={row(v).latest} deployed={v.number === stack.deployed} />
                </Table.Td>
                <Table.Td>
                  <Buttons stack={stack} version={v} {...row(v)} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {shown && (
        <section aria-labelledby="fs-version-shown">
          <Group gap="sm" mb="xs" align="flex-end">
            <Title order={2} id="fs-version-shown">
              {other ? `What version ${shown.number} has, against ${other.number}` : `Files of version ${shown.number}`}
            </Title>
            <NativeSelect
              aria-label="Compare with"
              size={phone ? 'md' : 'xs'}
              value={other ? String(other.number) : ''}
              onChange={(e) => look({ with: e.currentTarget.value || undefined })}
              data={[
                { value: '', label: 'not compared' },
                ...versions
                  .filter((v) => v !== shown)
                  .map((v) => ({ value: String(v.number), label: `against version ${v.number}` })),
              ]}
            />
          </Group>
          {other ? (
            <Compared stack={stack} from={other} to={shown} />
          ) : (
            <StackFiles stack={stack} version={shown.number} />
          )}
        </section>
      )}
    </Stack>
  );
}

function About({ version: v, latest, deployed }: { version: Version; latest: boolean; deployed: boolean }) {
  const size = v.files.reduce((n, f) => n + Number(f.size), 0);
  return (
    <div>
      <Group gap="xs">
        <Text size="sm" fw={600}>
          Version {v.number}
        </Text>
        {latest && (
          <Badge className="fs-state" variant="light">
            latest
          </Badge>
        )}
        {deployed && (
          <Badge className="fs-state" variant="light" color="green">
            deployed
          </Badge>
        )}
        <Text size="sm" c="dimmed" component="div" className="fs-text">
          <Since at={v.created} />
          {v.author && ` by ${v.author}`} · {count(v.files.length, 'file')}, {bytes(size)}
        </Text>
      </Group>
      <Text size="sm" className="fs-text">
        {v.message}
      </Text>
      {v.source && (
        <Text size="xs" c="dimmed" className="fs-text">
          From {v.source}
        </Text>
      )}
      {v.env && v.env.length > 0 && (
        <Text size="xs" c="dimmed" className="fs-text">
          Variables: {v.env.map((n) => (v.secret?.includes(n) ? `${n} (secret)` : n)).join(', ')}
        </Text>
      )}
    </div>
  );
}

interface ButtonsProps {
  stack: Schemas['Stack'];
  version: Version;
  latest: boolean;
  deploy: () => void;
  look: () => void;
  compare: () => void;
}

function Buttons({ stack, version: v, latest, deploy, look, compare }: ButtonsProps) {
  const phone = usePhone();
  const size = phone ? 'sm' : 'compact-sm';
  const h = { base: 40, sm: 26 };
  return (
    <Group gap={6} justify="flex-end" wrap={phone ? 'wrap' : 'nowrap'}>
      <Button size={size} h={h} variant="default" onClick={look} aria-label={`Files of version ${v.number}`}>
        Files
      </Button>
      {!latest && (
        <>
          <Button
            size={size}
            h={h}
            variant="default"
            onClick={compare}
            aria-label={`Compare version ${v.number} with the latest`}
          >
            Compare
          </Button>
          {!stack.from_git && (
            <May operation="stacks.apply">
              <Anchor
                size="sm"
                py={{ base: 8, sm: 0 }}
                style={{ whiteSpace: 'nowrap' }}
                renderRoot={(props) => (
                  <Link
                    to="/stacks/$stack/edit"
                    params={{ stack: stack.name }}
                    search={{ from: String(v.number) }}
                    {...props}
                  />
                )}
              >
                Edit from it
              </Anchor>
            </May>
          )}
        </>
      )}
      {!stack.removed && (
        <May operation="stacks.operate">
          <Button size={size} h={h} variant="default" onClick={deploy} aria-label={`Deploy version ${v.number}`}>
            Deploy …
          </Button>
        </May>
      )}
    </Group>
  );
}

function Compared({ stack, from, to }: { stack: Schemas['Stack']; from: Version; to: Version }) {
  const before = useQuery(bundleQuery(stack, from.number));
  const after = useQuery(bundleQuery(stack, to.number));
  const error = before.error ?? after.error;
  if (error) return <Failure error={error} />;
  if (!before.data || !after.data) return <Skeleton h={200} />;
  return (
    <>
      <Beside stack={stack} from={from} to={to} />
      <FileDiffs
        key={`${from.number} ${to.number}`}
        before={before.data.files}
        after={after.data.files}
        names={[`Version ${from.number}`, `Version ${to.number}`]}
      />
    </>
  );
}

/** Beside says what differs between two versions beside their files: variables by name, and options. */
function Beside({ stack, from, to }: { stack: Schemas['Stack']; from: Version; to: Version }) {
  const { data, error } = useQuery(diffQuery(stack, from.number, to.number));
  if (error) return <Failure error={error} />;
  if (!data) return <Skeleton h={40} mb="xs" />;
  return (
    <Stack gap={2} mb="xs">
      {data.same && <Text size="sm">Both versions are the same.</Text>}
      {data.env.length > 0 && (
        <Text size="sm" className="fs-text">
          Variables: {data.env.map((v) => `${v.name} ${v.change}`).join(', ')}.
        </Text>
      )}
      {data.options.map((o) => (
        <Text key={o.name} size="sm" className="fs-text">
          {optionWords(o.name)}: {o.from || 'nothing'} → {o.to || 'nothing'}
        </Text>
      ))}
    </Stack>
  );
}
