import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ok, prefix, type Schemas } from '../../api/client';

export type Job = Schemas['Job'];
export type JobRow = Schemas['JobRow'];
export type JobDevice = Schemas['JobDevice'];
export type Run = Schemas['JobRun'];
export type Stream = Schemas['JobStream'];
export type Schedule = Schemas['JobSchedule'];

/** That a run goes on, and ends well, no event says: what is under way is read again after so many ms. */
const look = 2_000;
const glance = 10_000;

/** The jobs; once: the scripts that were run once. */
export const jobsQuery = (once: boolean) =>
  queryOptions({
    queryKey: ['jobs', once],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/jobs', { params: { query: { one_shot: once } }, signal })),
    refetchInterval: glance,
  });

export const jobQuery = (job: string) =>
  queryOptions({
    queryKey: ['job', job],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/jobs/{job}', { params: { path: { job } }, signal })),
  });

export const jobVersionsQuery = (job: string) =>
  queryOptions({
    queryKey: ['job', job, 'versions'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/jobs/{job}/versions', { params: { path: { job } }, signal })),
  });

/** What devices of a job can be asked for. */
export const deviceClasses = ['failed', 'running', 'done', 'other', 'never', 'withheld'] as const;

export const jobDevicesQuery = (job: string, state?: (typeof deviceClasses)[number]) =>
  infiniteQueryOptions({
    queryKey: ['job', job, 'devices', state ?? ''],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...(state && { state }), ...(pageParam && { after: pageParam }) };
      return ok(api.GET('/api/v1/jobs/{job}/devices', { params: { path: { job }, query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: glance,
  });

export const jobRunsQuery = (job: string, state?: Run['state'], device?: string) =>
  infiniteQueryOptions({
    queryKey: ['job', job, 'runs', state ?? '', device ?? ''],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...(state && { state }), ...(device && { device }), ...(pageParam && { before: pageParam }) };
      return ok(api.GET('/api/v1/jobs/{job}/runs', { params: { path: { job }, query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: (q) => (q.state.data?.pages.length === 1 ? look : glance),
  });

/** RunKey names a run. */
export interface RunKey {
  job: string;
  device: string;
  run: number;
}

/** A run; waits: more of its output is asked for. */
export const runQuery = (path: RunKey, waits: boolean) =>
  queryOptions({
    queryKey: ['job', path.job, 'run', path.device, path.run],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/jobs/{job}/runs/{device}/{run}', { params: { path }, signal })),
    refetchInterval: (q) => (waits || !q.state.data || goesOn(q.state.data) ? look : false),
  });

/** goesOn tells whether more comes of a run by itself. */
export const goesOn = (r: Run) => !r.final || r.stdout?.coming === true || r.stderr?.coming === true;

/** What the hub has of a stream, which is new when have says so. */
export const outputQuery = (path: RunKey, stream: 'stdout' | 'stderr', have: string) =>
  queryOptions({
    queryKey: ['job', path.job, 'run', path.device, path.run, stream, have],
    queryFn: async ({ signal }) => {
      const got = await api.GET('/api/v1/jobs/{job}/runs/{device}/{run}/output', {
        params: { path, query: { stream } },
        parseAs: 'text',
        signal,
      });
      return String((await ok(Promise.resolve(got))) ?? '');
    },
    placeholderData: keepPreviousData,
  });

export const outputAddress = ({ job, device, run }: RunKey, stream: 'stdout' | 'stderr') =>
  `${prefix}/api/v1/jobs/${encodeURIComponent(job)}/runs/${encodeURIComponent(device)}/${run}/output?stream=${stream}`;

export const previewQuery = (schedule: Schedule) =>
  queryOptions({
    queryKey: ['jobs', 'preview', schedule],
    queryFn: ({ signal }) => ok(api.POST('/api/v1/jobs/preview', { body: { schedule }, signal })),
    placeholderData: keepPreviousData,
    retry: false,
  });

export const deviceJobsQuery = (device: string) =>
  queryOptions({
    queryKey: ['device', device, 'jobs'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/devices/{device}/jobs', { params: { path: { device } }, signal })),
    refetchInterval: (q) => (q.state.data?.items.some((j) => j.last?.final === false) ? look : glance),
  });

/** What is done to jobs. */
export const act = {
  /** Changes the job that has the etag; without one, it makes a new one. */
  put: (job: string, body: Schemas['PutJob'], etag?: string) =>
    ok(
      api.PUT('/api/v1/jobs/{job}', {
        params: { path: { job }, header: etag ? { 'If-Match': etag } : { 'If-None-Match': '*' } },
        body,
      }),
    ),
  remove: (job: string) => ok(api.DELETE('/api/v1/jobs/{job}', { params: { path: { job } } })),
  pause: (job: string) => ok(api.POST('/api/v1/jobs/{job}/pause', { params: { path: { job } } })),
  resume: (job: string) => ok(api.POST('/api/v1/jobs/{job}/resume', { params: { path: { job } } })),
  run: (job: string, body: Schemas['RunJob']) =>
    ok(api.POST('/api/v1/jobs/{job}/run', { params: { path: { job } }, body })),
  cancel: (path: RunKey) => ok(api.POST('/api/v1/jobs/{job}/runs/{device}/{run}/cancel', { params: { path } })),
  more: (path: RunKey, max: number) =>
    ok(api.POST('/api/v1/jobs/{job}/runs/{device}/{run}/output', { params: { path }, body: { max } })),
  script: (device: string, body: Schemas['RunScript']) =>
    ok(api.POST('/api/v1/devices/{device}/script', { params: { path: { device } }, body })),
};
