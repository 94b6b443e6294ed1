import { describe, expect, it } from 'vitest';
import { centred, fitted, held, least, moved, zoomed } from './camera';
import { Clusters, type Placed, worst } from './clusters';
import { project, sheet } from './world';

const frame = { width: 1000, height: 600 };
const placed = (id: string, lat: number, lon: number, state: Placed['state'] = 'on-time'): Placed => ({
  id,
  name: id,
  state,
  lat,
  lon,
});

describe('the camera', () => {
  it('keeps what is under the pointer there when it looks closer', () => {
    const before = centred(project(10, 50), 4, frame);
    const at = { x: 300, y: 200 };
    const after = zoomed(before, 2, at, frame);
    expect(after.k).toBeCloseTo(8);
    expect((at.x - after.dx) / after.k).toBeCloseTo((at.x - before.dx) / before.k);
    expect((at.y - after.dy) / after.k).toBeCloseTo((at.y - before.dy) / before.k);
  });

  it('never leaves the world', () => {
    const far = moved(centred([0, 0], 4, frame), { x: 1e6, y: -1e6 }, frame);
    expect(far.dx).toBe(0);
    expect(far.dy).toBeCloseTo(frame.height - sheet.height * 4);
    expect(zoomed(far, 1e-6, { x: 0, y: 0 }, frame).k).toBeCloseTo(least(frame));
    expect(zoomed(far, 1e9, { x: 0, y: 0 }, frame).k).toBeLessThan(1e4);
  });

  it('begins with all devices in the frame', () => {
    const places = [project(-70, -30), project(20, 60)];
    const c = fitted(places, frame);
    for (const [x, y] of places) {
      expect(x * c.k + c.dx).toBeGreaterThan(0);
      expect(x * c.k + c.dx).toBeLessThan(frame.width);
      expect(y * c.k + c.dy).toBeGreaterThan(0);
      expect(y * c.k + c.dy).toBeLessThan(frame.height);
    }
    expect(fitted([], frame)).toEqual(held({ k: 0, dx: 0, dy: 0 }, frame));
  });
});

describe('clusters', () => {
  const devices = [
    placed('a', 53.6, 8.8),
    placed('b', 53.08, 8.81, 'overdue'),
    placed('c', 53.08, 8.81, 'late'),
    placed('far', -33, 151, 'quiet'),
  ];

  it('show the worst state and how many are in which', () => {
    const [near, far] = new Clusters(devices).marks(least(frame)).sort((x, y) => y.count - x.count);
    expect(near).toMatchObject({ count: 3, state: 'overdue', states: { overdue: 1, late: 1, 'on-time': 1 } });
    expect(far).toMatchObject({ count: 1, device: { id: 'far' } });
    const [x, y] = project(151, -33);
    expect(far?.x).toBeCloseTo(x, 2);
    expect(far?.y).toBeCloseTo(y, 2);
    expect(worst({ quiet: 2, 'on-time': 5 })).toBe('quiet');
  });

  it('fall apart at the scale that they name, or never', () => {
    const clusters = new Clusters(devices);
    const near = clusters.marks(1).find((m) => m.count === 3);
    const k = clusters.scaleOf(near?.cluster ?? -1) ?? 0;
    expect(clusters.marks(k * 1.05).map((m) => m.count)).toEqual(expect.arrayContaining([1, 2]));
    const same = clusters.marks(k * 1.05).find((m) => m.count === 2);
    expect(clusters.scaleOf(same?.cluster ?? -1)).toBeUndefined();
    expect(same && clusters.devices(same, 10).map((d) => d.id)).toEqual(['b', 'c']);
  });

  it('lose no device of 10,000 on any scale', () => {
    const many = Array.from({ length: 10_000 }, (_, i) =>
      placed(`d${i}`, ((i * 7919) % 160) / 2 - 40, ((i * 104729) % 3500) / 10 - 175),
    );
    const clusters = new Clusters(many);
    for (const k of [1, 8, 64, 400]) expect(clusters.marks(k).reduce((n, m) => n + m.count, 0)).toBe(10_000);
  });
});
