import { Alert, Stack, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconAlertTriangle } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { bytes } from '../../kit/bytes';
import { OpeningTime } from '../../kit/data/OpeningTime';
import { Warnings } from './Passes';

const shown = 4;

/** Outlook says of a profile that is being typed what an idle device costs with it, when it opens, and what the hub minds. */
export function Outlook({ body }: { body: Schemas['PutProfile'] }) {
  const [text] = useDebouncedValue(JSON.stringify(body), 400);
  const { data, error } = useQuery({
    queryKey: ['profile-preview', text],
    queryFn: ({ signal }) => ok(api.POST('/api/v1/profiles/preview', { body: JSON.parse(text), signal })),
    placeholderData: keepPreviousData,
    gcTime: 60_000,
    retry: false,
  });
  if (error)
    return (
      <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title="The hub would refuse this" p="xs">
        <Text size="sm" className="fs-text">
          {asProblem(error).message}
        </Text>
      </Alert>
    );
  if (!data) return null;
  const { idle, openings } = data;
  const cost = idle.cost_per_month && `, ${idle.cost_per_month} ${body.tariff?.currency ?? ''}`.trimEnd();
  return (
    <Stack gap={6} component="section" aria-label="What it would mean" className="da-outlook">
      <Text size="sm">
        An idle device costs <b>{bytes(idle.bytes_per_month)}</b> a month{cost}.{' '}
        {data.always ? 'It may be in contact at any time.' : openings.length > 0 ? 'It opens next:' : 'It never opens.'}
      </Text>
      {openings.length > 0 && (
        <ul aria-label="It would open" className="da-times">
          {openings.slice(0, shown).map((o) => (
            <OpeningTime key={o.start} {...o} />
          ))}
        </ul>
      )}
      {openings.length > 0 && body.link?.contact?.windows?.some((w) => !w.zone) && (
        <Text size="xs" c="dimmed">
          A window without a time zone goes by each device’s own clock; here it is shown as UTC’s.
        </Text>
      )}
      <Warnings of={data.warnings} />
    </Stack>
  );
}
