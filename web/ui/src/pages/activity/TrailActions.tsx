import { Alert, Button, Group, Text } from '@mantine/core';
import { IconDownload, IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { api, ok, prefix } from '../../api/client';
import { count } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import type { AuditFilter } from './queries';

/** exportAddress is where the hub gives what fits. */
export function exportAddress(format: 'csv' | 'jsonl', filter: AuditFilter): string {
  const query = new URLSearchParams({ format });
  for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, String(value));
  return `${prefix}/api/v1/audit/export?${query}`;
}

/** TrailActions exports what fits, and has the hub read the whole trail. */
export function TrailActions({ filter }: { filter: AuditFilter }) {
  const verify = useMutation({ mutationFn: () => ok(api.POST('/api/v1/audit/verify')) });
  const r = verify.data;
  return (
    <>
      <Group gap="xs">
        <Text size="sm" c="dimmed">
          Export what fits:
        </Text>
        {(['csv', 'jsonl'] as const).map((format) => (
          <Button
            key={format}
            component="a"
            href={exportAddress(format, filter)}
            download
            variant="default"
            size="sm"
            leftSection={<IconDownload size={16} aria-hidden />}
          >
            {format === 'csv' ? 'CSV' : 'JSON lines'}
          </Button>
        ))}
        <Button
          variant="default"
          size="sm"
          ml={{ sm: 'auto' }}
          leftSection={<IconShieldCheck size={16} aria-hidden />}
          loading={verify.isPending}
          onClick={() => verify.mutate()}
        >
          Verify the trail
        </Button>
      </Group>
      <Failure error={verify.error} />
      {r && (
        <Alert
          role="status"
          color={r.holds ? 'green' : 'red'}
          icon={r.holds ? <IconShieldCheck aria-hidden /> : <IconShieldX aria-hidden />}
          title={r.holds ? 'The trail holds' : 'The trail does not hold'}
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => verify.reset()}
        >
          <Text size="sm" className="fs-text">
            {r.holds
              ? `${count(r.entries, 'entry', 'entries')}, number ${r.first.seq} to ${r.last.seq}, follow from each other and are as they were written.`
              : `${r.text}. Compare with what was forwarded, exported or backed up, and find out who could write to the hub’s data folder.`}
          </Text>
          {r.torn > 0 && (
            <Text size="sm">
              In {count(r.torn, 'place')} the hub or its disk stopped within a line; that is no damage.
            </Text>
          )}
        </Alert>
      )}
    </>
  );
}
