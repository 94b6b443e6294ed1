import { Alert, Button, Skeleton, Text } from '@mantine/core';
import { IconAlertTriangle, IconCameraOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { asProblem } from '../../api/problem';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { usePlace } from './place';
import { type Detail, type Snapshot, snapshotQuery, timesQuery } from './queries';

interface Props {
  device: Detail;
  children: (snapshot: Snapshot) => ReactNode;
}

/** Observation shows something of the state as of the time looked at, or says why there is none. */
export function Observation({ device, children }: Props) {
  const { go, asOf } = usePlace();
  const { data, error, refetch } = useQuery(snapshotQuery(device.id, asOf));
  const { data: known } = useQuery(timesQuery(device.id));
  const first = known?.times[0];
  if (error && asProblem(error).status === 404) {
    return (
      <Empty icon={IconCameraOff} title={asOf ? 'Nothing is known of that time' : 'No snapshot yet'}>
        {asOf ? (
          <>
            The hub keeps what a device looked like for some days, and thins out what is older.
            <br />
            <Button mt="md" onClick={() => go({ as_of: first })}>
              {first ? 'Go to the oldest that is known' : 'Back to now'}
            </Button>
          </>
        ) : (
          'The device sends one when it has made contact and looked at itself. Snapshot now, on top, asks it to.'
        )}
      </Empty>
    );
  }
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton h={320} aria-busy="true" aria-label="Reading the snapshot" />;
  const { engine } = data.snapshot;
  return (
    <>
      {data.overdue_since && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} mb="sm" title="This may be old">
          The device has not been able to look at itself since <Since at={data.overdue_since} />.
          <Text size="sm" className="fs-text">
            {data.overdue_reason}
          </Text>
        </Alert>
      )}
      {engine.state !== 'running' && (
        <Alert
          color="red"
          icon={<IconAlertTriangle aria-hidden />}
          mb="sm"
          title={engine.state === 'absent' ? 'The container engine does not answer' : 'The container engine fails'}
        >
          What is listed is what the engine said last.
          {engine.reason && (
            <Text size="sm" className="fs-text">
              The device says: {engine.reason}
            </Text>
          )}
        </Alert>
      )}
      {children(data.snapshot)}
    </>
  );
}
