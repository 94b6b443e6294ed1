import { QueryClient } from '@tanstack/react-query';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { concerns, Live } from './live';

describe('concerns', () => {
  it('names what an event makes stale', () => {
    expect(concerns({ kind: 'device.liveness', device: 'd1' })).toEqual([['device', 'd1'], ['devices'], ['groups']]);
    expect(concerns({ kind: 'stack.running', device: 'd1', stack: 'shop' })).toContainEqual(['stack', 'shop']);
    expect(concerns({ kind: 'rollout.phase', stack: 'shop' })).toContainEqual(['rollouts']);
    expect(concerns({ kind: 'stack.held', device: 'd1', stack: 'shop' })).toContainEqual(['device', 'd1']);
    expect(concerns({ kind: 'edge-group.changed' })).toEqual([['edge-groups'], ['edge-group']]);
    expect(concerns({ kind: 'device.updated', device: 'd1' })).toContainEqual(['edge-group']);
    expect(concerns({ kind: 'waiting.arrived', device: 'd1' })).toContainEqual(['waiting']);
    const failed = concerns({ kind: 'job.failed', device: 'd1', data: { job: 'backup' } });
    expect(failed).toEqual([['device', 'd1'], ['jobs'], ['job', 'backup']]);
    expect(concerns({ kind: 'command.ended', device: 'd1' })).toContainEqual(['device', 'd1']);
  });
  it('makes everything stale after a gap', () => {
    expect(concerns({ kind: 'gap' })).toEqual([[]]);
  });
});

// A hub that is asked for its events: each answer is a stream that the test feeds and ends.
class FakeHub {
  readonly asked: (string | null)[] = [];
  private streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  status = 200;
  fetch = vi.fn(async (_url: string, init: RequestInit) => {
    this.asked.push(new Headers(init.headers).get('Last-Event-ID'));
    if (this.status !== 200) return new Response('', { status: this.status });
    const body = new ReadableStream<Uint8Array>({
      start: (c) => {
        this.streams.push(c);
        init.signal?.addEventListener('abort', () => c.error(new DOMException('', 'AbortError')));
      },
    });
    return new Response(body);
  });
  send(text: string) {
    this.streams.at(-1)?.enqueue(new TextEncoder().encode(text));
  }
  end() {
    this.streams.at(-1)?.close();
  }
}

describe('Live', () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  async function begin() {
    vi.useFakeTimers();
    const hub = new FakeHub();
    vi.stubGlobal('fetch', hub.fetch);
    const cache = new QueryClient();
    const invalidated = vi.spyOn(cache, 'invalidateQueries');
    const signedOut = vi.fn();
    const live = new Live(cache, signedOut);
    live.start();
    await vi.advanceTimersByTimeAsync(0);
    return { hub, live, invalidated, signedOut };
  }

  it('gathers what is stale, and goes on behind the last event after a loss', async () => {
    const { hub, live, invalidated } = await begin();
    expect(live.state).toBe('live');
    for (const id of [1, 2, 3]) hub.send(`id: ${id}\ndata: {"kind":"device.liveness","device":"d1"}\n\n`);
    await vi.advanceTimersByTimeAsync(2000);
    expect(invalidated.mock.calls.map((c) => c[0]?.queryKey)).toEqual([['device', 'd1'], ['devices'], ['groups']]);
    hub.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(live.state).toBe('lost');
    await vi.advanceTimersByTimeAsync(2000);
    expect(live.state).toBe('live');
    expect(hub.asked).toEqual([null, '3']);
    expect(invalidated.mock.lastCall).toEqual([]); // all of it: what only passes by is not kept
    live.stop();
  });

  it('goes on after it was stopped while events were gathered', async () => {
    const { hub, live, invalidated } = await begin();
    const change = 'id: 1\ndata: {"kind":"stack.running","stack":"shop"}\n\n';
    hub.send(change);
    await vi.advanceTimersByTimeAsync(10);
    live.stop();
    live.start();
    await vi.advanceTimersByTimeAsync(0);
    invalidated.mockClear();
    hub.send(change);
    await vi.advanceTimersByTimeAsync(2000);
    expect(invalidated).toHaveBeenCalledWith({ queryKey: ['stack', 'shop'] });
    live.stop();
  });

  it('notices a network that just goes quiet', async () => {
    const { hub, live } = await begin();
    await vi.advanceTimersByTimeAsync(30_000);
    hub.send(':\n\n');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(live.state).toBe('live');
    await vi.advanceTimersByTimeAsync(15_000);
    expect(hub.asked.length).toBeGreaterThan(1);
    live.stop();
  });

  it('tells when the hub knows the session no more, and waits', async () => {
    const { hub, live, signedOut } = await begin();
    hub.status = 401;
    hub.end();
    await vi.advanceTimersByTimeAsync(5000);
    expect(signedOut).toHaveBeenCalledOnce();
    const asked = hub.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(hub.asked.length).toBe(asked);
    live.stop();
  });
});
