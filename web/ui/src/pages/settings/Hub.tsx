import { Anchor, Group, Skeleton, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { prefix } from '../../api/client';
import { sessionQuery } from '../../api/queries';
import { CopyIcon } from '../../kit/Copy';
import { Failure } from '../../kit/Failure';

/** Hub says which hub this is and where it is reached. */
export function Hub() {
  const { data, error, refetch } = useQuery(sessionQuery);
  if (!data) return error ? <Failure error={error} retry={refetch} /> : <Skeleton h={220} />;
  const { hub } = data;
  return (
    <Stack gap="md" maw={860}>
      <Table aria-label="The hub" layout="auto">
        <Table.Tbody>
          <Row name="Version">{hub.version}</Row>
          <Row name="Address for devices" copy={hub.url}>
            {hub.url}
          </Row>
          {hub.mqtt_url && (
            <Row name="By MQTT" copy={hub.mqtt_url}>
              {hub.mqtt_url}
            </Row>
          )}
          <Row name="Fingerprint" copy={hub.fingerprint}>
            <span className="fs-code">{hub.fingerprint}</span>
          </Row>
          <Row name="API">
            <Anchor href={`${prefix}/api/openapi.json`} target="_blank" size="sm" underline="always">
              OpenAPI document
            </Anchor>
          </Row>
          <Row name="Signed in as">
            {data.name}
            {data.admin && ', an administrator'}
          </Row>
        </Table.Tbody>
      </Table>
      <Text size="sm" c="dimmed">
        The fingerprint is that of the certificate which browsers and the command line see. Compare it when they ask
        whether to trust this hub. Addresses are where edge keys send devices; they are set where the hub is started.
      </Text>
    </Stack>
  );
}

function Row({ name, copy, children }: { name: string; copy?: string; children: ReactNode }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={500} w={{ base: 120, sm: 200 }} style={{ verticalAlign: 'top' }}>
        {name}
      </Table.Th>
      <Table.Td className="fs-text">
        <Group gap="xs" wrap="nowrap" justify="space-between" align="flex-start">
          <span>{children}</span>
          {copy && <CopyIcon text={copy} label={`Copy ${name.toLowerCase()}`} />}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}
