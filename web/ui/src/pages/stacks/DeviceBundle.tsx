import { Alert, Drawer, NativeSelect, Skeleton, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { bytes } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { usePhone } from '../../kit/usePhone';
import { sizeOf, sorted } from './editor/files';
import { Masked } from './editor/Masked';
import { Viewer } from './editor/Viewer';
import { deviceBundleQuery } from './queries';

interface Props {
  stack: string;
  /** Id of the device. */
  device: string;
  name: string;
  close: () => void;
}

/** DeviceBundle shows exactly what one device is given of a stack: files with those of its own, and variables. */
export function DeviceBundle({ stack, device, name, close }: Props) {
  const phone = usePhone();
  return (
    <Drawer
      opened
      onClose={close}
      position="right"
      size={phone ? '100%' : 'xl'}
      title={`What ${name} is given of ${stack}`}
    >
      <Given stack={stack} device={device} />
    </Drawer>
  );
}

function Given({ stack, device }: { stack: string; device: string }) {
  const { data, error, refetch } = useQuery(deviceBundleQuery(stack, device));
  const phone = usePhone();
  const [chosen, setChosen] = useState<string>();
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (!data) return <Skeleton h={320} />;
  const paths = sorted(data.files);
  const path = chosen !== undefined && data.files.has(chosen) ? chosen : (paths[0] ?? '');
  const file = data.files.get(path);
  const plain = Object.entries(data.env).sort(([a], [b]) => a.localeCompare(b));
  return (
    <Stack gap="sm">
      <Text size="sm">
        Version {data.version}
        {data.meant ? '.' : ': the stack is not meant for this device; this is what it would be given.'}
      </Text>
      {data.why && (
        <Alert color="orange" p="xs" title="It cannot be given this">
          <Text size="sm" className="fs-text">
            {data.why}
          </Text>
        </Alert>
      )}
      {data.masked && <Masked />}
      <NativeSelect
        label="File"
        size={phone ? 'md' : 'sm'}
        value={path}
        onChange={(e) => setChosen(e.currentTarget.value)}
        data={paths}
      />
      {file && typeof file.content === 'string' ? (
        <Viewer path={path} text={file.content} />
      ) : (
        <Text size="sm" c="dimmed">
          {file ? `Not text: ${bytes(sizeOf(file))}.` : 'No files.'}
        </Text>
      )}
      <Text size="sm" fw={600} component="h3" m={0}>
        Variables
      </Text>
      {plain.length + data.secret.length === 0 ? (
        <Text size="sm" c="dimmed">
          None.
        </Text>
      ) : (
        <Table aria-label="Variables that Compose is given">
          <Table.Tbody>
            {plain.map(([n, value]) => (
              <Table.Tr key={n}>
                <Table.Td className="fs-text fs-code">{n}</Table.Td>
                <Table.Td className="fs-text fs-code">{value}</Table.Td>
              </Table.Tr>
            ))}
            {data.secret.map((n) => (
              <Table.Tr key={n}>
                <Table.Td className="fs-text fs-code">{n}</Table.Td>
                <Table.Td>
                  <Text size="sm" c="dimmed">
                    set; secret
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}
