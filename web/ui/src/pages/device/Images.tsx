import { Stack, Table, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconPhoto } from '@tabler/icons-react';
import { useMemo } from 'react';
import { bytes, count } from '../../kit/bytes';
import { CopyIcon } from '../../kit/Copy';
import { Empty } from '../../kit/Empty';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { usersIn } from './containers';
import { useFirst } from './First';
import type { Container, Detail, Snapshot } from './queries';
import { RemoveButton } from './RemoveButton';
import { UsedBy } from './UsedBy';
import { shortId } from './words';

type Image = NonNullable<Snapshot['images']>[number];

interface Props {
  device: Detail;
  snapshot: Snapshot;
}

/** Images lists the images on the device, the largest first. */
export function Images({ device, snapshot }: Props) {
  const phone = usePhone();
  const all = useMemo(() => {
    const users = usersIn(snapshot).images;
    return (snapshot.images ?? [])
      .map((image, i) => ({ image, users: users.get(i) ?? [] }))
      .sort((a, b) => b.image.size - a.image.size);
  }, [snapshot]);
  const { shown: list, bar } = useFirst({
    all,
    text: ({ image }) => `${image.tags?.join(' ') ?? ''} ${image.id}`,
    word: 'image',
  });
  if (all.length === 0) {
    return (
      <Empty icon={IconPhoto} title="No images">
        They come with the first container or stack.
      </Empty>
    );
  }
  const unused = all.filter((x) => x.users.length === 0);
  const sum = (xs: typeof all) => bytes(xs.reduce((n, x) => n + x.image.size, 0));
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">
        {count(all.length, 'image')}, {sum(all)} together
        {unused.length > 0 && `; ${count(unused.length)} of them, ${sum(unused)}, are used by no container`}. Layers
        that images share are counted for each.
      </Text>
      {bar}
      {phone ? (
        list.map(({ image, users }) => (
          <div key={image.id} className="fs-card" data-image={image.id}>
            <div className="fs-card-head">
              <Tags image={image} />
              <Remove device={device} image={image} users={users} />
            </div>
            <Text size="sm">
              {bytes(image.size)} · built <Since at={image.created} />
            </Text>
            <Text size="sm" component="div">
              Used by <UsedBy containers={users} />
            </Text>
            <Digest image={image} />
          </div>
        ))
      ) : (
        <div className="fs-scroll">
          <Table highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Image</Table.Th>
                <Table.Th w={170}>Digest</Table.Th>
                <Table.Th w={100} ta="right">
                  Size
                </Table.Th>
                <Table.Th w={140}>Built</Table.Th>
                <Table.Th>Used by</Table.Th>
                <Table.Th w={50}>
                  <VisuallyHidden>Actions</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.map(({ image, users }) => (
                <Table.Tr key={image.id} data-image={image.id}>
                  <Table.Td>
                    <Tags image={image} />
                  </Table.Td>
                  <Table.Td py={0}>
                    <Digest image={image} />
                  </Table.Td>
                  <Table.Td ta="right">{bytes(image.size)}</Table.Td>
                  <Table.Td>
                    <Since at={image.created} />
                  </Table.Td>
                  <Table.Td>
                    <UsedBy containers={users} />
                  </Table.Td>
                  <Table.Td py={0}>
                    <Remove device={device} image={image} users={users} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Stack>
  );
}

function Tags({ image }: { image: Image }) {
  if (!image.tags?.length) return <span className="fs-dim">without a name</span>;
  return (
    <span>
      {image.tags.slice(0, 20).map((t) => (
        <div key={t} className="fs-text">
          {t}
        </div>
      ))}
    </span>
  );
}

function Digest({ image }: { image: Image }) {
  return (
    <span className="fs-digest">
      <Tooltip label={`sha256:${image.id}`} multiline maw={340} className="fs-text">
        <code>{shortId(image.id)}</code>
      </Tooltip>
      <CopyIcon text={`sha256:${image.id}`} label="Copy the digest" />
    </span>
  );
}

const reference = /^[a-zA-Z0-9][a-zA-Z0-9_.:/@-]{0,254}$/;

function Remove({ device, image, users }: { device: Detail; image: Image; users: Container[] }) {
  const tags = image.tags ?? [];
  const name = tags[0] ?? shortId(image.id);
  let inUse: string | undefined;
  if (users.length > 0) inUse = `${count(users.length, 'container uses', 'containers use')} it.`;
  else if (tags.length > 1) inUse = 'It has several names.';
  return (
    <RemoveButton
      device={device}
      kind="image.remove"
      name={name}
      target={tags.length === 1 && reference.test(name) ? name : image.id}
      inUse={inUse}
    >
      Who needs it again has to fetch it again: {bytes(image.size)} or less.
    </RemoveButton>
  );
}
