import { Skeleton, Stack } from '@mantine/core';
import { IconServerOff } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { asProblem } from '../../api/problem';
import { deviceQuery } from '../../api/queries';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkButton } from '../../kit/links';
import { Page } from '../../kit/Page';
import { DevicePage } from './DevicePage';
import { route } from './place';

// Contacts that only say that a device is still there are no events.
const look = 10_000;

/** Device is all that is known of one device. The address may name it by id or name, or the beginning of either. */
export function Device() {
  const { device: name } = route.useParams();
  const navigate = route.useNavigate();
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery({ ...deviceQuery(name), refetchInterval: look });
  const id = data?.id;
  useEffect(() => {
    if (!data || !id || id === name) return;
    cache.setQueryData(deviceQuery(id).queryKey, data);
    void navigate({ to: '/devices/$device', params: { device: id }, search: (s) => s, replace: true });
  }, [data, id, name, cache, navigate]);
  const missing = error ? asProblem(error) : undefined;
  if (missing && (missing.status === 404 || missing.code === 'ambiguous')) {
    const many = missing.code === 'ambiguous';
    return (
      <Page title={many ? 'More than one device' : 'No such device'}>
        <Empty
          icon={IconServerOff}
          title={many ? `More than one device is known by “${name}”` : `No device is “${name}”`}
        >
          {many
            ? 'Choose the one you mean from the fleet’s list.'
            : 'It may have been removed, or its address was cut when it was sent.'}
          <br />
          <LinkButton to="/fleet" search={{ q: name.slice(0, 200) }} mt="md">
            Search the fleet for it
          </LinkButton>
        </Empty>
      </Page>
    );
  }
  if (data) return <DevicePage key={data.id} device={data} />;
  return (
    <Page title={name}>
      {error ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : (
        <Stack gap="sm" aria-busy="true" aria-label="Reading the device">
          <Skeleton h={66} />
          <Skeleton h={36} />
          <Skeleton h={320} />
        </Stack>
      )}
    </Page>
  );
}
