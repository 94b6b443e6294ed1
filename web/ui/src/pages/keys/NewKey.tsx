import {
  Alert,
  Button,
  Checkbox,
  Group,
  NativeSelect,
  Paper,
  SimpleGrid,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { groupsQuery, keysQuery } from '../../api/queries';
import { keysSearch } from '../../app/search';
import { Failure } from '../../kit/Failure';
import { Leaving } from '../../kit/Leaving';
import { parseLabels } from '../../kit/labels';
import { GroupField, wrongGroup } from '../../kit/PlaceFields';
import { expiryOf, listOf, presets, wholeNumber } from './expiry';

const empty = {
  name: '',
  uses: '',
  expires: '7d',
  at: '',
  group: '',
  labels: '',
  maxWaiting: '',
  deviceName: '',
  serials: '',
  hostnames: '',
  networks: '',
};

interface Props {
  made: (key: Schemas['Key']) => void;
  cancel: () => void;
}

/** NewKey is the form that makes an edge key. */
export function NewKey({ made, cancel }: Props) {
  const cache = useQueryClient();
  const [typed, setTyped] = useState(empty);
  const [rule, setRule] = useState(false);
  const dirty = () => rule || Object.entries(empty).some(([f, text]) => typed[f as keyof typeof empty] !== text);
  const [asked, setAsked] = useState(false);
  const set = (field: keyof typeof empty) => (text: string) => setTyped((t) => ({ ...t, [field]: text }));
  const input = (field: keyof typeof empty) => ({
    value: typed[field],
    onChange: (e: { currentTarget: { value: string } }) => set(field)(e.currentTarget.value),
  });
  const make = useMutation({
    mutationFn: (body: Schemas['NewKey']) => ok(api.POST('/api/v1/keys', { body })),
    gcTime: 0, // its answer has the edge key, which nothing keeps
    onSuccess: async (key) => {
      await Promise.all([keysQuery, groupsQuery].map((q) => cache.invalidateQueries({ queryKey: q.queryKey })));
      made(key);
    },
  });
  const refused = make.error ? asProblem(make.error) : undefined;
  const single = typed.deviceName.trim() !== '';
  const uses = wholeNumber(typed.uses);
  const maxWaiting = wholeNumber(typed.maxWaiting);
  const labels = parseLabels(typed.labels);
  const expiry = expiryOf(typed.expires, typed.at, Date.now());
  const wrong = {
    name: typed.name.trim() === '' ? 'Give it a name, such as the place or the batch of devices.' : undefined,
    uses: 'wrong' in uses ? uses.wrong : undefined,
    maxWaiting: 'wrong' in maxWaiting ? maxWaiting.wrong : undefined,
    group: wrongGroup(typed.group),
    labels: 'wrong' in labels ? labels.wrong : undefined,
    at: 'wrong' in expiry ? expiry.wrong : undefined,
  };
  const submit = () => {
    setAsked(true);
    if ('wrong' in uses || 'wrong' in maxWaiting || 'wrong' in labels || 'wrong' in expiry) return;
    if (wrong.name || wrong.group) return;
    make.mutate({
      name: typed.name.trim(),
      uses: single ? undefined : uses.n || undefined,
      expires: expiry.expires,
      group: typed.group.trim() || undefined,
      labels: labels.labels,
      max_waiting: maxWaiting.n || undefined,
      device_name: typed.deviceName.trim() || undefined,
      auto_approve: rule
        ? { serials: listOf(typed.serials), hostnames: listOf(typed.hostnames), networks: listOf(typed.networks) }
        : undefined,
    });
  };
  const open = rule && !typed.serials.trim() && !typed.hostnames.trim() && !typed.networks.trim();
  const error = (field: 'name' | 'uses' | 'maxWaiting' | 'group' | 'labels' | 'at', body: string) =>
    (asked && wrong[field]) || refused?.field(body);
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      <Stack gap="md" maw={760}>
        <TextInput
          size="md"
          label="Name"
          description="For people: where it is used, or for what"
          placeholder="plant-oslo"
          required
          maxLength={128}
          autoFocus
          {...input('name')}
          error={error('name', 'name')}
        />
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md" verticalSpacing="sm">
          <TextInput
            size="md"
            label="Uses"
            description="How many devices may join; empty: any number"
            inputMode="numeric"
            disabled={single}
            {...input('uses')}
            error={error('uses', 'uses')}
          />
          <Stack gap="xs">
            <NativeSelect
              size="md"
              label="Expires in"
              description="No new device comes after it"
              data={presets.map(({ value, label }) => ({ value, label }))}
              {...input('expires')}
            />
            {typed.expires === 'at' && (
              <TextInput
                size="md"
                type="datetime-local"
                label="Expires at"
                {...input('at')}
                error={error('at', 'expires')}
              />
            )}
          </Stack>
          <GroupField
            size="md"
            description="Of the devices; a new name makes a group"
            placeholder="norway/oslo"
            value={typed.group}
            onChange={set('group')}
            error={wrong.group ?? refused?.field('group')}
          />
          <TextInput
            size="md"
            label="Labels"
            description="Given to each device"
            placeholder="site=oslo, line=3"
            autoCapitalize="none"
            spellCheck={false}
            {...input('labels')}
            error={error('labels', 'labels')}
          />
          <TextInput
            size="md"
            label="Device name"
            description="Makes it a key for one device of this name"
            maxLength={128}
            spellCheck={false}
            {...input('deviceName')}
            error={refused?.field('device_name')}
          />
          <TextInput
            size="md"
            label="Most that wait"
            description="How many may wait at once; empty: 100"
            inputMode="numeric"
            {...input('maxWaiting')}
            error={error('maxWaiting', 'max_waiting')}
          />
        </SimpleGrid>
        <Checkbox
          size="md"
          label="Let devices in by rule, without a person"
          checked={rule}
          onChange={(e) => setRule(e.currentTarget.checked)}
        />
        {rule && (
          <Paper withBorder p="sm">
            <Stack gap="sm">
              <Alert color="orange" variant="light" p="xs" icon={<IconAlertTriangle aria-hidden />}>
                {open
                  ? 'Without a pattern or network, everybody who has the edge key is in at once, with no person looking. Keep the key as you keep a password, and let it expire.'
                  : 'Whoever has the edge key and fits the rule is in at once, with no person looking. Serial numbers and host names are what a device says of itself: they can be made up. Networks are checked by the hub.'}
              </Alert>
              <SimpleGrid cols={{ base: 1, sm: 3 }}>
                <Textarea
                  label="Serial numbers"
                  description="Patterns with * and ?"
                  placeholder="S-2026-*"
                  autosize
                  {...input('serials')}
                />
                <Textarea
                  label="Host names"
                  description="Patterns with * and ?"
                  placeholder="crane-*"
                  autosize
                  {...input('hostnames')}
                />
                <Textarea
                  label="Networks"
                  description="Addresses or prefixes"
                  placeholder="192.0.2.0/24"
                  autosize
                  {...input('networks')}
                  error={refused?.field('auto_approve')}
                />
              </SimpleGrid>
              <Text size="xs" c="dimmed">
                Apart by commas or lines. Each list that is filled must have a match. Devices with a reason to look
                twice wait all the same.
              </Text>
            </Stack>
          </Paper>
        )}
        <Failure error={make.error} />
        <Group justify="flex-end" gap="xs">
          <Button size="md" variant="default" onClick={cancel}>
            Cancel
          </Button>
          <Button size="md" type="submit" loading={make.isPending}>
            Make the edge key
          </Button>
        </Group>
      </Stack>
      <Leaving dirty={dirty} stays={(s) => keysSearch(s).new === true} />
    </form>
  );
}
