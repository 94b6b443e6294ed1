import { Badge, Button, Group, NativeSelect, Skeleton, Table, Text } from '@mantine/core';
import { IconBan, IconCheck, IconDownload, IconListSearch, IconX } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { SearchField } from '../../kit/SearchField';
import { Since } from '../../kit/Since';
import { dateOf } from '../../kit/time';
import { usePhone } from '../../kit/usePhone';
import { About } from './About';
import { auditCSV, download } from './export';
import { Newer, useHeld } from './held';
import { type Audit, auditMost, auditQuery } from './queries';
import { SinceField } from './SinceField';
import { hasWords, operationWords, sinceTime, thingOf } from './words';

const readFirst = 1000;
const showFirst = 100;

/** Trail is the audit trail: who did what to what. */
export function Trail() {
  const { q, result, since } = useSearch({ from: '/inside/activity' });
  const navigate = useNavigate({ from: '/activity' });
  const phone = usePhone();
  const [limit, setLimit] = useState(readFirst);
  const [most, setMost] = useState(showFirst);
  const { data, error, refetch, isFetching } = useQuery({ ...auditQuery(limit), placeholderData: keepPreviousData });
  const fit = useMemo(() => {
    const from = sinceTime(since, Date.now());
    return (data ?? []).filter(
      (e) =>
        (!result || e.result === result) &&
        (dateOf(e.at)?.getTime() ?? 0) >= from &&
        hasWords(q, e.principal, e.remote, e.operation, operationWords(e.operation), e.resource, e.detail),
    );
  }, [data, q, result, since]);
  const { shown, newer, show } = useHeld(fit, keyOf);
  const seen = shown.slice(0, most);
  const more = (data?.length ?? 0) >= limit && limit < auditMost;
  const stamp = () => new Date().toISOString().slice(0, 16).replace(/[:T]/g, '-');
  return (
    <>
      <Group gap="sm" align="flex-end">
        <SearchField
          label="Search the audit trail"
          value={q}
          search={(text) => navigate({ search: (s) => ({ ...s, q: text }), replace: true })}
          size={phone ? 'md' : 'sm'}
          w={{ base: '100%', sm: 280 }}
        />
        <NativeSelect
          aria-label="Result"
          size={phone ? 'md' : 'sm'}
          flex={{ base: 1, sm: 'initial' }}
          data={[
            { value: '', label: 'every result' },
            { value: 'done', label: 'done' },
            { value: 'refused', label: 'refused' },
            { value: 'failed', label: 'failed' },
          ]}
          value={result ?? ''}
          onChange={(e) => {
            const v = e.currentTarget.value;
            const next = v === 'done' || v === 'refused' || v === 'failed' ? v : undefined;
            navigate({ search: (s) => ({ ...s, result: next }), replace: true });
          }}
        />
        <SinceField />
        <Group gap="xs" ml={{ sm: 'auto' }}>
          <Text size="sm" c="dimmed">
            Export the {count(fit.length, 'entry', 'entries')} that fit:
          </Text>
          <Button
            variant="default"
            size="sm"
            leftSection={<IconDownload size={16} aria-hidden />}
            disabled={fit.length === 0}
            title={`Saves the ${count(fit.length, 'entry', 'entries')} that fit`}
            onClick={() => download(`farshore-audit-${stamp()}.csv`, 'text/csv', auditCSV(fit))}
          >
            CSV
          </Button>
          <Button
            variant="default"
            size="sm"
            leftSection={<IconDownload size={16} aria-hidden />}
            disabled={fit.length === 0}
            title={`Saves the ${count(fit.length, 'entry', 'entries')} that fit`}
            onClick={() =>
              download(`farshore-audit-${stamp()}.json`, 'application/json', `${JSON.stringify(fit, undefined, 2)}\n`)
            }
          >
            JSON
          </Button>
        </Group>
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={400} />}
      {data && fit.length === 0 && (
        <Empty icon={IconListSearch} title="No entry fits">
          {more
            ? `Among the latest ${count(data.length)}. Read further back, or loosen the filters.`
            : 'Loosen the filters; the trail has each sign-in and each change.'}
        </Empty>
      )}
      {seen.length > 0 && (phone ? <Cards entries={seen} /> : <Rows entries={seen} />)}
      <Newer n={newer} show={show} />
      {data && (
        <Group gap="sm" justify="center">
          {shown.length > seen.length && (
            <Button variant="default" onClick={() => setMost(most + 200)}>
              Show more
            </Button>
          )}
          {more && (
            <Button variant="subtle" loading={isFetching} onClick={() => setLimit(Math.min(limit * 10, auditMost))}>
              Read further back
            </Button>
          )}
          <Text size="xs" c="dimmed">
            {data.length >= auditMost
              ? `The latest ${count(auditMost)} entries; the file audit.log on the hub has all.`
              : `Filters and exports are about the latest ${count(data.length, 'entry', 'entries')}${more ? '' : ', which is all there are'}.`}
          </Text>
        </Group>
      )}
    </>
  );
}

const keyOf = (e: Audit) => `${e.at} ${e.operation} ${e.resource}`;

function Rows({ entries }: { entries: readonly Audit[] }) {
  return (
    <div className="fs-scroll">
      <Table aria-label="Audit trail" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={110}>When</Table.Th>
            <Table.Th w={180}>Who</Table.Th>
            <Table.Th w={190}>Did</Table.Th>
            <Table.Th>To what</Table.Th>
            <Table.Th w={110}>Result</Table.Th>
            <Table.Th>Detail</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((e) => (
            <Table.Tr key={keyOf(e)}>
              <Table.Td>
                <Since at={e.at} />
              </Table.Td>
              <Table.Td className="fs-text">
                {e.principal || 'nobody'}
                {e.remote && (
                  <Text size="xs" c="dimmed">
                    {e.remote}
                  </Text>
                )}
              </Table.Td>
              <Table.Td className="fs-text">
                {operationWords(e.operation)}
                <Text size="xs" c="dimmed">
                  {e.operation}
                </Text>
              </Table.Td>
              <Table.Td className="fs-text">
                <To entry={e} />
              </Table.Td>
              <Table.Td>
                <Result result={e.result} />
              </Table.Td>
              <Table.Td className="fs-text">{e.detail}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Cards({ entries }: { entries: readonly Audit[] }) {
  return (
    <Table aria-label="Audit trail">
      <Table.Tbody>
        {entries.map((e) => (
          <Table.Tr key={keyOf(e)}>
            <Table.Td className="fs-text" px={0}>
              <Group justify="space-between" gap="xs" wrap="nowrap">
                <Text size="sm">
                  <b>{e.principal || 'nobody'}</b> {operationWords(e.operation)} <To entry={e} />
                </Text>
                <Result result={e.result} />
              </Group>
              {e.detail && <Text size="xs">{e.detail}</Text>}
              <Text size="xs" c="dimmed" component="div">
                <Since at={e.at} />
                {e.remote && ` from ${e.remote}`} · {e.operation}
              </Text>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function To({ entry }: { entry: Audit }) {
  const thing = thingOf(entry.resource);
  return thing ? <About thing={thing} /> : <>the hub</>;
}

function Result({ result }: { result: Audit['result'] }) {
  const look = {
    done: { color: 'green', icon: IconCheck },
    refused: { color: 'red', icon: IconBan },
    failed: { color: 'yellow', icon: IconX },
  }[result];
  return (
    <Badge
      className="fs-state"
      variant="light"
      color={look.color}
      leftSection={<look.icon size={14} aria-hidden />}
      style={{ flexShrink: 0 }}
    >
      {result}
    </Badge>
  );
}
