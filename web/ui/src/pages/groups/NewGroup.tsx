import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { asProblem } from '../../api/problem';
import { Failure } from '../../kit/Failure';
import { wrongGroup } from '../../kit/PlaceFields';

interface Props {
  /** The group below which it shall be; undefined: the dialog is closed. */
  below: string | undefined;
  close: () => void;
  made: (path: string) => void;
}

/** NewGroup makes a group. */
export function NewGroup({ below, close, made }: Props) {
  return (
    <Modal opened={below !== undefined} onClose={close} title="New group" centered>
      {below !== undefined && <Form below={below} close={close} made={made} />}
    </Modal>
  );
}

function Form({ below, close, made }: Props & { below: string }) {
  const cache = useQueryClient();
  const [path, setPath] = useState(below === '' ? '' : `${below}/`);
  const [asked, setAsked] = useState(false);
  const typed = path.trim().replace(/^\/+|\/+$/g, '');
  const wrong = typed === '' ? 'Give it a path, such as norway/oslo.' : wrongGroup(typed);
  const make = useMutation({
    mutationFn: () =>
      ok(api.PUT('/api/v1/groups', { params: { header: { 'If-None-Match': '*' } }, body: { path: typed } })),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['groups'] });
      made(typed);
    },
  });
  const exists = make.error && asProblem(make.error).code === 'exists';
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        setAsked(true);
        if (!wrong) make.mutate();
      }}
    >
      <Stack gap="sm">
        <TextInput
          size="md"
          label="Path"
          description="Groups above it are made too"
          placeholder="norway/oslo"
          data-autofocus
          autoCapitalize="none"
          spellCheck={false}
          maxLength={512}
          value={path}
          onChange={(e) => setPath(e.currentTarget.value)}
          error={
            (asked && wrong) || (exists && 'This group is there already.') || asProblem(make.error ?? '').field('path')
          }
        />
        <Failure error={exists ? undefined : make.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={make.isPending}>
            Make the group
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
