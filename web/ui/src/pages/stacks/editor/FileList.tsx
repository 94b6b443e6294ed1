import {
  ActionIcon,
  Badge,
  Box,
  Button,
  FileButton,
  Group,
  Menu,
  NativeSelect,
  Stack,
  Text,
  Tooltip,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDots, IconFile, IconFileCode, IconFolder, IconFolderUp, IconPlus, IconUpload } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { bytes } from '../../../kit/bytes';
import { undoable } from '../../../kit/undoable';
import { usePhone } from '../../../kit/usePhone';
import { type Files, sizeOf, sorted } from './files';
import { PathDialog } from './PathDialog';
import { type Chosen, chosenOf, dropped, read } from './upload';
import type { DraftStore } from './useDraft';
import type { Marks } from './useMarks';

interface Props {
  store: DraftStore;
  files: Files;
  open: string;
  marks: ReadonlyMap<string, Marks>;
  show: (path: string) => void;
}

/** FileList shows the files of a draft, and adds, renames and removes them. */
export function FileList({ store, files, open, marks, show }: Props) {
  const phone = usePhone();
  const [asked, setAsked] = useState<{ path?: string }>();
  const [over, setOver] = useState(false);
  const folder = useRef<HTMLInputElement>(null);
  const paths = sorted(files);
  const wrong = (path: string) => marks.get(path)?.marks.filter((m) => m.severity === 'error').length ?? 0;

  const take = async (chosen: readonly Chosen[]) => {
    const { files: more, refused } = await read(chosen, files.keys());
    const before = store.get();
    const replaced = [...more.keys()].filter((p) => files.has(p));
    if (more.size > 0) {
      store.edit((d) => ({ ...d, files: new Map([...d.files, ...more]) }));
      const first = sorted(more)[0];
      if (first !== undefined) show(first);
    }
    if (replaced.length > 0 && before) {
      undoable(`Replaced ${replaced.length === 1 ? replaced[0] : `${replaced.length} files`}`, () =>
        store.edit(() => before),
      );
    }
    if (refused.length > 0) {
      const text = refused.slice(0, 5).join(' ') + (refused.length > 5 ? ` And ${refused.length - 5} more.` : '');
      notifications.show({ color: 'red', title: 'Left out', message: text, autoClose: 15_000 });
    }
  };

  const remove = (path: string) => {
    const before = store.get();
    store.edit((d) => ({ ...d, files: new Map([...d.files].filter(([p]) => p !== path)) }));
    if (path === open) show(paths.find((p) => p !== path) ?? '');
    if (before) undoable(`Removed ${path}`, () => store.edit(() => before));
  };

  const named = (path: string) => {
    const from = asked?.path;
    store.edit((d) => {
      const next = new Map(d.files);
      const file = (from !== undefined ? next.get(from) : undefined) ?? { content: '' };
      if (from !== undefined) next.delete(from);
      return { ...d, files: next.set(path, file) };
    });
    show(path);
  };

  const actions = (path: string, size: number) => (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={size} aria-label={`More for ${path}`}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => setAsked({ path })}>Rename or move</Menu.Item>
        <Menu.Item color="red" onClick={() => remove(path)}>
          Remove
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );

  return (
    <Stack
      gap={6}
      className="fs-drop"
      data-over={over}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => {
        e.preventDefault();
        setOver(false);
        void dropped(e.dataTransfer).then(take);
      }}
    >
      {phone ? (
        <Group gap="xs" wrap="nowrap" align="flex-end">
          <NativeSelect
            label="File"
            flex={1}
            size="md"
            value={open}
            onChange={(e) => show(e.currentTarget.value)}
            data={paths.map((p) => ({ value: p, label: wrong(p) > 0 ? `${p} (${wrong(p)} wrong)` : p }))}
          />
          {open !== '' && actions(open, 42)}
        </Group>
      ) : (
        <Box
          component="ul"
          m={0}
          p={0}
          aria-label="Files"
          style={{ listStyle: 'none', maxHeight: '60vh', overflowY: 'auto' }}
        >
          {paths.map((path, i) => {
            const parts = path.split('/');
            const dir = parts.slice(0, -1).join('/');
            const begins = dir !== '' && dir !== paths[i - 1]?.split('/').slice(0, -1).join('/');
            const file = files.get(path);
            const binary = typeof file?.content !== 'string';
            return (
              <Box component="li" key={path}>
                {begins && (
                  <Group gap={6} px={8} pt={6} c="dimmed" wrap="nowrap">
                    <IconFolder size={15} aria-hidden />
                    <Text size="xs" className="fs-text">
                      {dir}
                    </Text>
                  </Group>
                )}
                <Group gap={0} wrap="nowrap" pl={dir === '' ? 0 : 14}>
                  <button
                    type="button"
                    className="fs-file"
                    aria-current={path === open}
                    aria-label={path}
                    title={path}
                    onClick={() => show(path)}
                  >
                    {binary ? <IconFile size={15} aria-hidden /> : <IconFileCode size={15} aria-hidden />}
                    <Text component="span" inherit truncate flex={1}>
                      {parts.at(-1)}
                    </Text>
                  </button>
                  {wrong(path) > 0 && (
                    <Badge size="xs" color="red.8" variant="filled" aria-label={`${wrong(path)} wrong`}>
                      {wrong(path)}
                    </Badge>
                  )}
                  {binary && file && (
                    <Text component="span" size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
                      {bytes(sizeOf(file))}
                    </Text>
                  )}
                  {actions(path, 28)}
                </Group>
              </Box>
            );
          })}
        </Box>
      )}
      <Group gap={6}>
        <Button
          size="compact-sm"
          h={{ base: 40, sm: 26 }}
          variant="default"
          leftSection={<IconPlus size={14} />}
          onClick={() => setAsked({})}
        >
          File
        </Button>
        <FileButton multiple onChange={(list) => void take(list.map((file) => ({ path: file.name, file })))}>
          {(props) => (
            <Tooltip label="Upload files; they can be dropped here too">
              <Button
                size="compact-sm"
                h={{ base: 40, sm: 26 }}
                variant="default"
                leftSection={<IconUpload size={14} />}
                {...props}
              >
                Upload
              </Button>
            </Tooltip>
          )}
        </FileButton>
        <Tooltip label="Upload a folder with all that is in it">
          <ActionIcon
            variant="default"
            size={26}
            visibleFrom="sm"
            aria-label="Upload a folder"
            onClick={() => folder.current?.click()}
          >
            <IconFolderUp size={15} />
          </ActionIcon>
        </Tooltip>
      </Group>
      <input
        ref={(el) => {
          folder.current = el;
          el?.setAttribute('webkitdirectory', '');
        }}
        type="file"
        hidden
        aria-label="Folder to upload"
        onChange={(e) => {
          const list = e.currentTarget.files;
          if (list) void take(chosenOf(list));
          e.currentTarget.value = '';
        }}
      />
      <PathDialog
        opened={asked !== undefined}
        path={asked?.path}
        others={paths.filter((p) => p !== asked?.path)}
        close={() => setAsked(undefined)}
        named={named}
      />
    </Stack>
  );
}
