import { Chip, Group, Input, NativeSelect, Stack, TextInput } from '@mantine/core';
import { NextRuns, usePreview } from './NextRuns';
import { often, problemsOf, type ScheduleForm, scheduleOf, steps, weekdays, wrongSchedule } from './schedule';

interface Props {
  form: ScheduleForm;
  set: (part: Partial<ScheduleForm>) => void;
  /** What is missing is said too, not only what is wrong. */
  asked: boolean;
  /** What the hub said of fields when it was asked to save. */
  refused?: Partial<Record<keyof ScheduleForm, string>>;
}

/** ScheduleFields takes a schedule, and says below in words what it is and when it runs next. */
export function ScheduleFields({ form: f, set, asked, refused }: Props) {
  const schedule = scheduleOf(f);
  const preview = usePreview(schedule);
  const all = wrongSchedule(f);
  const found = schedule ? problemsOf(preview.data?.problems ?? []) : {};
  const missing = { at: f.at === '', zoneName: f.zoneName === '', cron: f.cron === '' };
  const wrong = (field: keyof ScheduleForm) =>
    (asked || !missing[field as keyof typeof missing] ? all[field] : undefined) ?? found[field] ?? refused?.[field];
  const text = (field: 'time' | 'day' | 'at' | 'cron' | 'zoneName' | 'jitter' | 'start' | 'end') => ({
    value: f[field],
    error: wrong(field),
    onChange: (e: React.ChangeEvent<HTMLInputElement>) => set({ [field]: e.currentTarget.value }),
  });
  const repeats = !['once', 'now', 'manual'].includes(f.often);
  const timed = ['daily', 'weekly', 'monthly'].includes(f.often);
  return (
    <Stack gap="sm">
      <Group gap="sm" align="flex-start">
        <NativeSelect
          label="How often"
          value={f.often}
          onChange={(e) => set({ often: e.currentTarget.value as ScheduleForm['often'] })}
          data={[...often]}
        />
        {f.often === 'every' && (
          <NativeSelect
            label="Every"
            value={f.step}
            onChange={(e) => set({ step: e.currentTarget.value })}
            data={steps}
          />
        )}
        {f.often === 'monthly' && <TextInput label="Day" w={90} inputMode="numeric" maxLength={2} {...text('day')} />}
        {timed && <TextInput label="At" type="time" w={130} {...text('time')} />}
        {f.often === 'once' && (
          <TextInput label="At" description="By this computer’s clock" type="datetime-local" {...text('at')} />
        )}
        {f.often === 'cron' && (
          <TextInput
            label="Cron text"
            description="Minute, hour, day, month, day of the week"
            classNames={{ input: 'fs-code' }}
            maxLength={200}
            spellCheck={false}
            autoComplete="off"
            {...text('cron')}
          />
        )}
      </Group>
      {f.often === 'weekly' && (
        <Input.Wrapper label="Days" error={wrong('days')} labelElement="div">
          <Chip.Group multiple value={[...f.days]} onChange={(days) => set({ days })}>
            <Group gap={6} role="group" aria-label="Days">
              {weekdays.map((d, i) => (
                <Chip key={d} value={String(i + 1)} size="sm">
                  {d}
                </Chip>
              ))}
            </Group>
          </Chip.Group>
        </Input.Wrapper>
      )}
      {repeats && (
        <Group gap="sm" align="flex-start">
          <NativeSelect
            label="By whose clock"
            description="A device’s own: its label timezone, such as Europe.Oslo; else UTC"
            value={f.zone}
            onChange={(e) => set({ zone: e.currentTarget.value })}
            data={[
              { value: 'device', label: 'each device’s time zone' },
              { value: 'hub', label: 'the hub’s time zone' },
              { value: '', label: 'a time zone by name' },
            ]}
          />
          {f.zone === '' && (
            <TextInput
              label="Time zone"
              placeholder="Europe/Oslo"
              maxLength={64}
              spellCheck={false}
              {...text('zoneName')}
            />
          )}
        </Group>
      )}
      {f.often !== 'manual' && f.often !== 'now' && (
        <Group gap="sm" align="flex-start">
          <TextInput
            label="Spread over (minutes)"
            description="Each device a bit later"
            inputMode="numeric"
            w={180}
            {...text('jitter')}
          />
          {repeats && (
            <>
              <TextInput label="Not before" description="Empty: at once" type="datetime-local" {...text('start')} />
              <TextInput label="Not after" description="Empty: for good" type="datetime-local" {...text('end')} />
            </>
          )}
        </Group>
      )}
      <NextRuns schedule={schedule} preview={preview} />
    </Stack>
  );
}
