import { Drawer, Stack, Table, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { CopyIcon } from '../../kit/Copy';
import { Since } from '../../kit/Since';
import { Term, Terms } from '../../kit/Terms';
import { ContainerActions } from './ContainerActions';
import { States } from './Containers';
import { digestOf, imageOf } from './diff';
import { usePlace } from './place';
import type { Container, Detail, Snapshot } from './queries';
import { exitWords, portWords } from './words';

interface Props {
  device: Detail;
  snapshot: Snapshot;
}

/** ContainerDrawer shows all that is known of the container that the address names. */
export function ContainerDrawer({ device, snapshot }: Props) {
  const { search, go } = usePlace();
  const c = snapshot.containers?.find((x) => x.id === search.container);
  return (
    <Drawer
      opened={!!search.container}
      onClose={() => go({ container: undefined })}
      position="right"
      size="lg"
      title={<span className="fs-text">{c?.name ?? 'Container'}</span>}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {c ? (
        <Body device={device} snapshot={snapshot} container={c} />
      ) : (
        <Text size="sm">
          The container was not there at the time that is looked at. It may have been removed, or made anew under the
          same name.
        </Text>
      )}
    </Drawer>
  );
}

function Body({ device, snapshot, container: c }: Props & { container: Container }) {
  const digest = digestOf(c, snapshot);
  return (
    <Stack gap="md">
      <States container={c} />
      <ContainerActions device={device} container={c} as="buttons" />
      <Terms>
        <Term name="Image">{imageOf(c, snapshot)}</Term>
        <Term name="Digest">
          {digest ? (
            <>
              <code>sha256:{digest}</code>
              <CopyIcon text={`sha256:${digest}`} label="Copy the digest" />
            </>
          ) : (
            'the image is not on the device any more'
          )}
        </Term>
        <Term name="Project">{c.project}</Term>
        <Term name="Service">{c.service}</Term>
        <Term name="Created">
          <Since at={c.created} />
        </Term>
        <Term name="Started">
          <Since at={c.started} none="never" />
        </Term>
        {c.finished ? (
          <Term name="Ended">
            <Since at={c.finished} />
          </Term>
        ) : null}
        {c.state !== 'running' && c.state !== 'created' ? <Term name="Exit code">{exitWords(c.exit_code)}</Term> : null}
        <Term name="Restarts">{c.restarts}</Term>
        <Term name="Id">
          <code>{c.id}</code>
        </Term>
      </Terms>
      <Part title="Ports" n={c.ports?.length}>
        {c.ports?.map((p) => (
          <Table.Tr key={portWords(p)}>
            <Table.Td className="fs-text">{portWords(p)}</Table.Td>
            <Table.Td>{p.public ? 'on the host' : 'inside only'}</Table.Td>
          </Table.Tr>
        ))}
      </Part>
      <Part title="Mounts" n={c.mounts?.length}>
        {c.mounts?.map((m) => (
          <Table.Tr key={m.target}>
            <Table.Td className="fs-text">{m.target}</Table.Td>
            <Table.Td className="fs-text">
              {m.type ?? 'volume'} {m.source}
              {m.read_only && ', read only'}
            </Table.Td>
          </Table.Tr>
        ))}
      </Part>
      <Part title="Networks" n={c.networks?.length}>
        {c.networks?.map((n) => (
          <Table.Tr key={n.network}>
            <Table.Td className="fs-text">{n.network}</Table.Td>
            <Table.Td className="fs-text">{n.ip ?? 'no address now'}</Table.Td>
          </Table.Tr>
        ))}
      </Part>
      <Part title="Labels" n={Object.keys(c.labels ?? {}).length}>
        {Object.entries(c.labels ?? {})
          .sort(([a], [b]) => a.localeCompare(b))
          .map(([k, v]) => (
            <Table.Tr key={k}>
              <Table.Td className="fs-text">{k}</Table.Td>
              <Table.Td className="fs-text">{v}</Table.Td>
            </Table.Tr>
          ))}
      </Part>
      <Text size="xs" c="dimmed">
        Environment variables and command lines never leave a device in its snapshots, since they may hold secrets.
      </Text>
    </Stack>
  );
}

function Part({ title, n = 0, children }: { title: string; n?: number; children: ReactNode }) {
  if (n === 0) return null;
  return (
    <section>
      <Title order={3} size="h5">
        {title}
      </Title>
      <Table layout="fixed" verticalSpacing={3} aria-label={title}>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </section>
  );
}
