import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { asProblem } from '../../api/problem';
import { Failure } from '../../kit/Failure';
import type { Fields } from '../../kit/merge';
import { usePhone } from '../../kit/usePhone';
import { EdgeGroupFields } from './EdgeGroupFields';
import { bodyOf, fieldsOf, wrongName } from './fields';

interface Props {
  opened: boolean;
  close: () => void;
  made: (name: string) => void;
}

/** NewEdgeGroup makes an edge group. */
export function NewEdgeGroup({ opened, close, made }: Props) {
  const phone = usePhone();
  return (
    <Modal opened={opened} onClose={close} title="New edge group" size="lg" fullScreen={phone}>
      {opened && <Form close={close} made={made} />}
    </Modal>
  );
}

function Form({ close, made }: Omit<Props, 'opened'>) {
  const cache = useQueryClient();
  const [name, setName] = useState('');
  const [fields, setFields] = useState<Fields>(fieldsOf({ group: '' }));
  const [asked, setAsked] = useState(false);
  const edgegroup = name.trim();
  const wrong = wrongName(edgegroup);
  const make = useMutation({
    mutationFn: () =>
      ok(
        api.PUT('/api/v1/edge-groups/{edgegroup}', {
          params: { path: { edgegroup }, header: { 'If-None-Match': '*' } },
          body: bodyOf(fields),
        }),
      ),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['edge-groups'] });
      made(edgegroup);
    },
  });
  const refused = make.error ? asProblem(make.error) : undefined;
  const exists = refused?.code === 'exists';
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
          label="Name"
          placeholder="canaries"
          data-autofocus
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          maxLength={63}
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
          error={(asked && wrong) || (exists && 'There is an edge group of this name already.')}
        />
        <EdgeGroupFields
          name=""
          fields={fields}
          set={(field, text) => setFields((f) => ({ ...f, [field]: text }))}
          known={[]}
          refused={(f) => refused?.field(f)}
        />
        <Failure error={exists ? undefined : make.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={make.isPending}>
            Make the edge group
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
