import { Modal, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { devicesQuery } from '../../api/queries';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import type { Detail } from './queries';

interface Props {
  device: Detail;
  opened: boolean;
  close: () => void;
}

const shown = 8;

/** Replace chooses the device that takes over from this one, and then asks for this one's name. */
export function Replace({ device, opened, close }: Props) {
  const [heir, choose] = useState<Schemas['Device']>();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const end = () => {
    choose(undefined);
    close();
  };
  return (
    <>
      <Modal opened={opened && !heir} onClose={end} title="Which device takes over?" centered>
        {opened && <Choose device={device} choose={choose} />}
      </Modal>
      <ConfirmNamed
        opened={opened && !!heir}
        close={end}
        title="Replace the device?"
        name={device.name}
        action="Replace"
        run={async () => {
          if (!heir) return;
          await ok(
            api.POST('/api/v1/devices/{device}/replace', {
              params: { path: { device: device.id } },
              body: { by: heir.id },
            }),
          );
          await navigate({ to: '/devices/$device', params: { device: heir.id } });
          void cache.invalidateQueries({ queryKey: ['device'] });
          void cache.invalidateQueries({ queryKey: ['devices'] });
        }}
      >
        <b className="fs-text">{heir?.name}</b> ({heir?.id}) takes over name, group, labels, settings and link profile,
        and gets this device’s stacks. This device is shut out for good.
      </ConfirmNamed>
    </>
  );
}

function Choose({ device, choose }: { device: Detail; choose: (d: Schemas['Device']) => void }) {
  const [text, setText] = useState('');
  const [q] = useDebouncedValue(text.trim(), 200);
  const { data, error } = useQuery(devicesQuery({ limit: shown + 1, ...(q && { q }) }));
  const others = data?.items.filter((d) => d.id !== device.id && d.liveness.state !== 'revoked').slice(0, shown) ?? [];
  return (
    <Stack gap="sm">
      <Text size="sm">It has to be approved already: approve the new one in the waiting room first.</Text>
      <TextInput
        label="Find it by name, id or label"
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        autoComplete="off"
        data-autofocus
      />
      <Failure error={error} />
      {data && others.length === 0 && <Text size="sm">No other device is known by that.</Text>}
      <Radio.Group
        aria-label="Device that takes over"
        onChange={(id) => {
          const d = others.find((o) => o.id === id);
          if (d) choose(d);
        }}
      >
        <Stack gap={4}>
          {others.map((d) => (
            <Radio
              key={d.id}
              value={d.id}
              label={<span className="fs-text">{d.name}</span>}
              description={
                <>
                  {d.group || 'no group'} · last contact <Since at={d.liveness.last_contact} none="never" />
                </>
              }
            />
          ))}
        </Stack>
      </Radio.Group>
    </Stack>
  );
}
