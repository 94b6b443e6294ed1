import { Button, Group, Skeleton, Text } from '@mantine/core';
import { IconListSearch } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { Newer, useHeld } from './held';
import { type Audit, auditQuery } from './queries';
import { TrailActions } from './TrailActions';
import { TrailFilters } from './TrailFilters';
import { Cards, Rows } from './TrailTable';
import { trailFilter } from './words';

/** Trail is the audit trail: who did what to what. */
export function Trail() {
  const filter = trailFilter(useSearch({ from: '/inside/activity' }));
  const phone = usePhone();
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(auditQuery(filter));
  const entries = data?.pages.flatMap((p) => p.items) ?? [];
  const { shown, newer, show } = useHeld(entries, seqOf);
  const looked = data?.pages.reduce((n, p) => n + p.looked, 0) ?? 0;
  const until = data?.pages.findLast((p) => p.until)?.until;
  return (
    <>
      <TrailFilters />
      <TrailActions filter={filter} />
      <Failure error={error} retry={() => void refetch()} />
      {!data && !error && <Skeleton h={400} />}
      {data && entries.length === 0 && (
        <Empty icon={IconListSearch} title="No entry fits">
          {hasNextPage
            ? `Not among the latest ${count(looked)}. Look further back, or loosen the filters.`
            : 'Loosen the filters; the trail has each sign-in and each change.'}
        </Empty>
      )}
      {shown.length > 0 && (phone ? <Cards entries={shown} /> : <Rows entries={shown} />)}
      <Newer n={newer} show={show} />
      {data && (
        <Group gap="sm" justify="center">
          {hasNextPage && (
            <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
              {entries.length === 0 ? 'Look further back' : 'Older'}
            </Button>
          )}
          <Text size="xs" c="dimmed" component="div">
            {hasNextPage ? (
              <>
                {count(looked, 'entry', 'entries')} looked at, back to <Since at={until} />
              </>
            ) : (
              `All ${count(looked, 'entry', 'entries')} looked at.`
            )}
          </Text>
        </Group>
      )}
    </>
  );
}

const seqOf = (e: Audit) => String(e.seq);
