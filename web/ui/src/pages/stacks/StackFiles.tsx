import { Box, Group, NativeSelect, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { bytes } from '../../kit/bytes';
import { CopyIcon } from '../../kit/Copy';
import { Failure } from '../../kit/Failure';
import { usePhone } from '../../kit/usePhone';
import { sizeOf, sorted } from './editor/files';
import { Masked } from './editor/Masked';
import { Viewer } from './editor/Viewer';
import { bundleQuery } from './queries';

/** StackFiles shows the files of a version, to read. */
export function StackFiles({ stack, version }: { stack: Schemas['Stack']; version: number }) {
  const phone = usePhone();
  const { file: wanted } = useSearch({ from: '/inside/stacks/$stack' });
  const navigate = useNavigate({ from: '/stacks/$stack' });
  const { data, error, refetch } = useQuery(bundleQuery(stack, version));
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (!data) return <Skeleton h={300} />;
  const { files, masked } = data;
  const paths = sorted(files);
  const path = wanted !== undefined && files.has(wanted) ? wanted : (paths[0] ?? '');
  const file = files.get(path);
  const show = (to: string) => void navigate({ search: (s) => ({ ...s, file: to }), replace: true });
  return (
    <>
      {masked && <Masked />}
      <Group align="flex-start" gap="md" wrap={phone ? 'wrap' : 'nowrap'}>
        {phone ? (
          <NativeSelect
            label="File"
            w="100%"
            size="md"
            value={path}
            onChange={(e) => show(e.currentTarget.value)}
            data={paths}
          />
        ) : (
          <Box component="ul" m={0} p={0} w={230} aria-label="Files" style={{ listStyle: 'none', flexShrink: 0 }}>
            {paths.map((p) => (
              <li key={p}>
                <button type="button" className="fs-file" aria-current={p === path} onClick={() => show(p)}>
                  <Text component="span" inherit className="fs-text" flex={1}>
                    {p}
                  </Text>
                </button>
              </li>
            ))}
          </Box>
        )}
        <Stack gap={6} flex={1} miw={0} w={phone ? '100%' : undefined}>
          {file && typeof file.content === 'string' ? (
            <>
              <Group justify="space-between" wrap="nowrap">
                <Text size="xs" c="dimmed" className="fs-text">
                  {path}, {bytes(sizeOf(file))}
                  {file.crlf && ', Windows line ends'}
                </Text>
                <CopyIcon text={file.content} label={`Copy ${path}`} />
              </Group>
              <Viewer path={path} text={file.content} />
            </>
          ) : (
            <Text size="sm" c="dimmed">
              {file ? `Not text: ${bytes(sizeOf(file))}.` : 'No files.'}
            </Text>
          )}
        </Stack>
      </Group>
    </>
  );
}
