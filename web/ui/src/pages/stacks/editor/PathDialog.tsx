import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { wrongPath } from './files';

interface Props {
  opened: boolean;
  close: () => void;
  /** The file that gets another path; undefined: a new one. */
  path: string | undefined;
  others: readonly string[];
  named: (path: string) => void;
}

/** PathDialog asks for the path of a file. */
export function PathDialog(props: Props) {
  return (
    <Modal
      opened={props.opened}
      onClose={props.close}
      title={props.path === undefined ? 'New file' : 'Rename or move'}
      centered
    >
      <Asked key={props.path ?? ''} {...props} />
    </Modal>
  );
}

function Asked({ path, others, close, named }: Props) {
  const [typed, setTyped] = useState(path ?? '');
  const [asked, setAsked] = useState(false);
  const wrong = wrongPath(typed, others);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        setAsked(true);
        if (wrong) return;
        if (typed !== path) named(typed);
        close();
      }}
    >
      <Stack gap="sm">
        <TextInput
          label="Path in the stack"
          description="Folders are apart by /, such as conf/app.ini. Mounts and env_file find it by this path."
          value={typed}
          error={(asked || typed !== '') && wrong}
          onChange={(e) => setTyped(e.currentTarget.value)}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          data-autofocus
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit">{path === undefined ? 'Add' : 'Rename'}</Button>
        </Group>
      </Stack>
    </form>
  );
}
