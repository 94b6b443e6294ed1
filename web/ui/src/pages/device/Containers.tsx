import { Group, Stack, Table, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconBox, IconSearchOff } from '@tabler/icons-react';
import { Fragment } from 'react';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { SearchField } from '../../kit/SearchField';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { usePhone } from '../../kit/usePhone';
import { ContainerActions } from './ContainerActions';
import { ContainerDrawer } from './ContainerDrawer';
import { found, type Section } from './containers';
import { digestOf, imageOf } from './diff';
import { usePlace } from './place';
import type { Container, Detail, Snapshot } from './queries';
import { exitWords, portWords, shortId } from './words';

// What a page can show at once; nobody reads more, and a device may send as many as it likes.
const most = 500;

interface Props {
  device: Detail;
  snapshot: Snapshot;
}

/** Containers lists the device's containers by project, and what can be done to them. */
export function Containers({ device, snapshot }: Props) {
  const { search, go } = usePlace();
  const phone = usePhone();
  const all = snapshot.containers?.length ?? 0;
  const sections = found(snapshot, search.q ?? '');
  const n = sections.reduce((sum, s) => sum + s.containers.length, 0);
  if (all === 0) {
    return (
      <Empty icon={IconBox} title="No containers">
        The engine of this device has none. A stack brings some.
      </Empty>
    );
  }
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <SearchField
          label="Search containers"
          value={search.q}
          search={(q) => go({ q })}
          w={{ base: '100%', xs: 320 }}
        />
        <Text size="sm" c="dimmed">
          {search.q ? `${count(n)} of ${count(all, 'container')}` : count(all, 'container')}
          {n > most && `; the first ${most} are shown, search for others`}
        </Text>
      </Group>
      {n === 0 ? (
        <Empty icon={IconSearchOff} title={`No container fits “${search.q}”`}>
          Names, images, states, projects and labels are searched.
        </Empty>
      ) : phone ? (
        <Cards device={device} snapshot={snapshot} sections={sections} />
      ) : (
        <Rows device={device} snapshot={snapshot} sections={sections} />
      )}
      <ContainerDrawer device={device} snapshot={snapshot} />
    </Stack>
  );
}

interface ListProps extends Props {
  sections: Section[];
}

function cut(sections: Section[]): Section[] {
  let left = most;
  return sections.flatMap((s) => {
    const containers = s.containers.slice(0, left);
    left -= containers.length;
    return containers.length > 0 ? [{ ...s, containers }] : [];
  });
}

function title(s: Section): string {
  const sum = `${s.running} of ${count(s.containers.length)} running`;
  return s.project ? sum : `without a project · ${sum}`;
}

function Rows({ device, snapshot, sections }: ListProps) {
  const plain = sections.length === 1 && sections[0]?.project === '';
  return (
    <div className="fs-scroll">
      <Table highlightOnHover layout="fixed" miw={900}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={210}>State</Table.Th>
            <Table.Th w="22%">Name</Table.Th>
            <Table.Th>Image</Table.Th>
            <Table.Th w={150}>Ports</Table.Th>
            <Table.Th w={90} ta="right">
              Restarts
            </Table.Th>
            <Table.Th w={140}>Started</Table.Th>
            <Table.Th w={60}>
              <VisuallyHidden>Actions</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {cut(sections).map((s) => (
            <Fragment key={s.project}>
              {!plain && (
                <Table.Tr className="fs-section">
                  <Table.Th colSpan={7} scope="rowgroup">
                    <span className="fs-text">{s.project}</span>{' '}
                    <Text span size="xs" c="dimmed">
                      {title(s)}
                    </Text>
                  </Table.Th>
                </Table.Tr>
              )}
              {s.containers.map((c) => (
                <Table.Tr key={c.id} data-container={c.name}>
                  <Table.Td>
                    <States container={c} />
                  </Table.Td>
                  <Table.Td>
                    <Name container={c} />
                  </Table.Td>
                  <Table.Td>
                    <ImageName container={c} snapshot={snapshot} />
                  </Table.Td>
                  <Table.Td>
                    <Ports container={c} />
                  </Table.Td>
                  <Table.Td ta="right">{count(c.restarts)}</Table.Td>
                  <Table.Td>
                    <Times container={c} />
                  </Table.Td>
                  <Table.Td py={0}>
                    <ContainerActions device={device} container={c} as="menu" />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Fragment>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Cards({ device, snapshot, sections }: ListProps) {
  return (
    <div>
      {cut(sections).map((s) => (
        <section key={s.project}>
          <Text size="sm" fw={600} mt="xs">
            <span className="fs-text">{s.project}</span>{' '}
            <Text span size="xs" c="dimmed">
              {title(s)}
            </Text>
          </Text>
          {s.containers.map((c) => (
            <div key={c.id} className="fs-card" data-container={c.name}>
              <div className="fs-card-head">
                <Name container={c} />
                <ContainerActions device={device} container={c} as="menu" />
              </div>
              <Group gap="xs">
                <States container={c} />
                <Text size="xs" c="dimmed" component="div">
                  <Times container={c} />
                </Text>
              </Group>
              <Text size="sm" component="div">
                <ImageName container={c} snapshot={snapshot} />
              </Text>
              <Text size="xs" component="div">
                <Ports container={c} />
              </Text>
            </div>
          ))}
        </section>
      ))}
    </div>
  );
}

function Name({ container: c }: { container: Container }) {
  const { go } = usePlace();
  return (
    <button type="button" className="fs-link" onClick={() => go({ container: c.id })}>
      {c.name}
    </button>
  );
}

/** States shows a container's state, its health where it has a check, and how it ended. */
export function States({ container: c }: { container: Container }) {
  const ended = c.state === 'exited' || c.state === 'dead';
  return (
    <Group gap={4}>
      <State kind="container" state={c.state} reason={ended ? `Exit code ${exitWords(c.exit_code)}` : undefined} />
      {ended && (
        <Text size="xs" className={c.exit_code === 0 ? 'fs-dim' : 'fs-bad'}>
          exit code {c.exit_code}
        </Text>
      )}
      {c.health !== 'none' && <State kind="health" state={c.health} />}
    </Group>
  );
}

function ImageName({ container: c, snapshot }: { container: Container; snapshot: Snapshot }) {
  const digest = digestOf(c, snapshot);
  return (
    <Tooltip label={digest ? `sha256:${shortId(digest)}…` : 'The image is not on the device any more'}>
      <span className="fs-text">{imageOf(c, snapshot) || 'unknown'}</span>
    </Tooltip>
  );
}

const portsShown = 3;

function Ports({ container: c }: { container: Container }) {
  const ports = (c.ports ?? []).map(portWords);
  const rest = ports.length - portsShown;
  return (
    <span className="fs-text" title={rest > 0 ? ports.join(', ') : undefined}>
      {ports.slice(0, portsShown).join(', ')}
      {rest > 0 && ` and ${rest} more`}
    </span>
  );
}

function Times({ container: c }: { container: Container }) {
  if (c.state === 'exited' || c.state === 'dead') {
    return (
      <>
        stopped <Since at={c.finished} none="at an unknown time" />
      </>
    );
  }
  return c.started ? <Since at={c.started} /> : <>never</>;
}
