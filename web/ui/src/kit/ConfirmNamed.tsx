import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { Failure } from './Failure';

interface Props {
  opened: boolean;
  close: () => void;
  /** What is done, as a question. */
  title: string;
  /** What it means, and what cannot be undone. */
  children: ReactNode;
  /** What has to be typed: the name of what is destroyed. */
  name: string;
  /** The word on the button. */
  action: string;
  run: () => Promise<unknown>;
}

/** ConfirmNamed asks for the name of what is about to be destroyed. */
export function ConfirmNamed(props: Props) {
  return (
    <Modal opened={props.opened} onClose={props.close} title={props.title} centered>
      <Asked key={props.name} {...props} />
    </Modal>
  );
}

function Asked({ close, children, name, action, run }: Props) {
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await run();
      close();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (typed === name && !busy) void submit();
      }}
    >
      <Stack gap="sm">
        <Text component="div" size="sm">
          {children}
        </Text>
        <TextInput
          label={
            <>
              Type <b className="fs-text">{name}</b> to go on
            </>
          }
          value={typed}
          onChange={(e) => setTyped(e.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
        />
        <Failure error={error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" color="red" disabled={typed !== name} loading={busy}>
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
