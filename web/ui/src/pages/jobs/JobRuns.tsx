import { Anchor, Button, Group, NativeSelect, Skeleton, Table, Text, UnstyledButton } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { lookOf, runStates } from '../../kit/states';
import { usePhone } from '../../kit/usePhone';
import { jobRunsQuery, type Run } from './queries';
import { countWords, endWords, tookWords } from './words';

/** JobRuns lists the latest runs of a job on all devices, or of those that are asked for. */
export function JobRuns({ job, next }: { job: string; next: string | undefined }) {
  const search = useSearch({ from: '/inside/jobs/$job' });
  const navigate = useNavigate({ from: '/jobs/$job' });
  const state = runStates.find((s) => s === search.state);
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(
    jobRunsQuery(job, state, search.device),
  );
  const runs = data?.pages.flatMap((p) => p.items) ?? [];
  const open = (r: Run) => void navigate({ search: (s) => ({ ...s, of: r.device, run: r.run }) });
  return (
    <div>
      <Group gap="sm" mb="sm">
        <NativeSelect
          aria-label="Only runs in this state"
          w={180}
          value={state ?? ''}
          onChange={(e) => {
            const state = e.currentTarget.value || undefined;
            void navigate({ search: (s) => ({ ...s, state }), replace: true });
          }}
          data={[
            { value: '', label: 'all runs' },
            ...runStates.map((s) => ({ value: s, label: lookOf('run', s).word })),
          ]}
        />
        {search.device && (
          <Text size="sm">
            on {runs[0]?.name || search.device} only{' '}
            <Anchor
              component="button"
              type="button"
              size="sm"
              onClick={() => void navigate({ search: ({ device: _, ...s }) => s, replace: true })}
            >
              Show all
            </Anchor>
          </Text>
        )}
      </Group>
      <Failure error={error} retry={() => void refetch()} />
      {!data && !error && <Skeleton h={240} />}
      {data && runs.length === 0 && (
        <Empty icon={IconHistory} title={state || search.device ? 'No run fits' : 'No run is known yet'}>
          {state || search.device ? (
            'Others are hidden by what is chosen above.'
          ) : (
            <>
              Devices tell of their runs when they are in contact next.
              {next && (
                <>
                  {' '}
                  The first is due <Since at={next} />.
                </>
              )}
            </>
          )}
        </Empty>
      )}
      {runs.length > 0 && <Runs runs={runs} open={open} />}
      {hasNextPage && (
        <Group justify="center" mt="sm">
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Older
          </Button>
        </Group>
      )}
    </div>
  );
}

function Runs({ runs, open }: { runs: readonly Run[]; open: (run: Run) => void }) {
  const phone = usePhone();
  const key = (r: Run) => `${r.device} ${r.run}`;
  const took = (r: Run) => (r.final && r.started ? tookWords(r.took_ms) : '–');
  if (phone) {
    return (
      <ul className="jb-cards" aria-label="Runs">
        {runs.map((r) => (
          <li key={key(r)} className="fs-card">
            <div className="fs-card-head">
              <span className="fs-text">{r.name || r.device}</span>
              <RunState run={r} open={() => open(r)} />
            </div>
            <Text size="sm" component="div" className="fs-text">
              <Since at={r.due} />
              {r.final && r.started && ` · ${took(r)}`}
              {endWords(r) !== '–' && ` · ${endWords(r)}`}
            </Text>
          </li>
        ))}
      </ul>
    );
  }
  return (
    <div className="fs-scroll">
      <Table highlightOnHover miw={760} layout="fixed" aria-label="Runs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={190}>State</Table.Th>
            <Table.Th>Device</Table.Th>
            <Table.Th w={130}>Due</Table.Th>
            <Table.Th w={90}>Took</Table.Th>
            <Table.Th>How it ended</Table.Th>
            <Table.Th w={130}>Asked for by</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((r) => (
            <Table.Tr key={key(r)}>
              <Table.Td>
                <RunState run={r} open={() => open(r)} />
              </Table.Td>
              <Table.Td className="fs-text">{r.name || r.device}</Table.Td>
              <Table.Td>
                <Since at={r.due} />
              </Table.Td>
              <Table.Td>{took(r)}</Table.Td>
              <Table.Td className="fs-text">{endWords(r)}</Table.Td>
              <Table.Td className="fs-text">{r.by ?? '–'}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** RunState shows how a run stands; pressed, it shows the run. */
export function RunState({ run: r, open }: { run: Run; open: () => void }) {
  const times = countWords(r.count);
  return (
    <UnstyledButton
      className="jb-run"
      onClick={open}
      aria-label={`Run ${r.run} on ${r.name || r.device}: ${lookOf('run', r.state).word}`}
    >
      <State kind="run" state={r.state} />
      {times && (
        <Text component="span" size="sm">
          {times}
        </Text>
      )}
    </UnstyledButton>
  );
}
