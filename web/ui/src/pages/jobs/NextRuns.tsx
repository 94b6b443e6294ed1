import { Alert, List, Paper, Skeleton, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Failure } from '../../kit/Failure';
import { dateOf, moment } from '../../kit/time';
import { previewQuery, type Schedule } from './queries';
import { problemsOf } from './schedule';

const none: Schedule = { kind: 'manual' };

/** usePreview asks the hub what a schedule means, a moment after the last letter. */
export function usePreview(schedule: Schedule | undefined) {
  const [text] = useDebouncedValue(schedule ? JSON.stringify(schedule) : '', 300);
  const asked: Schedule = text ? JSON.parse(text) : none;
  return useQuery({ ...previewQuery(asked), enabled: text !== '' });
}

interface Props {
  schedule: Schedule | undefined;
  preview: ReturnType<typeof usePreview>;
}

/** elsewhere tells problems that are of no field: those of one are said there. */
const elsewhere = (problem: string) => Object.keys(problemsOf([problem])).length === 0;

/** NextRuns says a schedule in words, with its next five runs, as the hub reckons them. */
export function NextRuns({ schedule, preview: { data, error, refetch } }: Props) {
  if (!schedule) {
    return (
      <Text size="sm" c="dimmed">
        When the schedule is whole, its next runs are shown here.
      </Text>
    );
  }
  if (error) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton h={90} />;
  return (
    <Paper withBorder p="sm" aria-live="polite" aria-label="What the schedule means" role="region">
      {data.problems?.length ? (
        <>
          {data.problems.filter(elsewhere).map((p) => (
            <Alert key={p} color="red" p="xs" mb={4}>
              {p}
            </Alert>
          ))}
          <Text size="sm" c="dimmed">
            When that is put right, its next runs are shown here.
          </Text>
        </>
      ) : (
        <>
          <Text size="sm" fw={600} className="fs-text">
            {data.words}
          </Text>
          <Times next={data.next ?? []} schedule={schedule} />
        </>
      )}
      {data.warnings?.map((w) => (
        <Text key={w} size="sm" className="fs-warning" mt={4}>
          {w}
        </Text>
      ))}
    </Paper>
  );
}

/** Times lists times of a schedule by its zone, where it names one. */
export function Times({ next, schedule }: { next: readonly string[]; schedule: Schedule }) {
  const { zone } = schedule;
  const named = zone === 'device' ? 'UTC' : zone && zone !== 'hub' ? zone : undefined;
  if (next.length === 0) return null;
  return (
    <>
      <List size="sm" mt={4} aria-label="Next runs">
        {next.map((t) => {
          const d = dateOf(t);
          return <List.Item key={t}>{d ? moment(d, named) : t}</List.Item>;
        })}
      </List>
      {zone === 'device' && (
        <Text size="xs" c="dimmed" mt={4}>
          As for a device in UTC; each device has its own.
        </Text>
      )}
    </>
  );
}
