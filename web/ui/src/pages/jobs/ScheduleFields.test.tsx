import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newSchedule } from './schedule';

const asked: unknown[] = [];

beforeEach(() => {
  asked.length = 0;
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
  const Whole = Request; // a browser completes the address by that of its page
  vi.stubGlobal(
    'Request',
    class extends Whole {
      constructor(address: string, init?: RequestInit) {
        super(new URL(address, 'https://hub.example'), init);
      }
    },
  );
  vi.stubGlobal('fetch', async (request: Request) => {
    const { schedule } = await request.json();
    asked.push(schedule);
    const problems = schedule.cron === '61 2 * * *' ? ['invalid job: schedule.cron: minute: 61 is above 59'] : [];
    return Response.json({ words: `said: ${schedule.cron ?? schedule.kind}`, next: [], warnings: [], problems });
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

type Fields = typeof import('./ScheduleFields').ScheduleFields;

function Form({ fields: Shown }: { fields: Fields }) {
  const [form, setForm] = useState(newSchedule());
  return <Shown form={form} set={(part) => setForm((f) => ({ ...f, ...part }))} asked={false} />;
}

async function show() {
  const { ScheduleFields } = await import('./ScheduleFields');
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <Form fields={ScheduleFields} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

it('says in words what is chosen, once one stops typing', async () => {
  await show();
  await screen.findByText('said: 0 2 * * *');
  for (const time of ['03:00', '04:00', '05:30'])
    fireEvent.change(screen.getByLabelText('At'), { target: { value: time } });
  await screen.findByText('said: 30 5 * * *');
  expect(asked).toHaveLength(2);
});

it('shows what the hub finds wrong in a cron text', async () => {
  await show();
  fireEvent.change(screen.getByLabelText('How often'), { target: { value: 'cron' } });
  fireEvent.change(screen.getByLabelText('Cron text'), { target: { value: '61 2 * * *' } });
  await screen.findByText('minute: 61 is above 59');
});

it('asks nothing of the hub while something is missing', async () => {
  await show();
  await waitFor(() => expect(asked).toHaveLength(1));
  fireEvent.change(screen.getByLabelText('How often'), { target: { value: 'weekly' } });
  fireEvent.click(screen.getByLabelText('Mon'));
  await screen.findByText('Choose one day at least.');
  await screen.findByText('When the schedule is whole, its next runs are shown here.');
  expect(asked.filter((s) => (s as { cron?: string }).cron?.endsWith('* * '))).toHaveLength(0);
});
