import { sheet } from './world';

/** Camera is how the sheet is seen: a place (x, y) on it is shown at (x*k + dx, y*k + dy), in px. */
export interface Camera {
  k: number;
  dx: number;
  dy: number;
}

/** Frame is the size of what is seen, in px. */
export interface Frame {
  width: number;
  height: number;
}

// The outlines are of 1:110 million: closer than this they say nothing.
const closest = 400;

/** least is the scale at which the whole world is in the frame. */
export function least(frame: Frame): number {
  return Math.min(frame.width / sheet.width, frame.height / sheet.height);
}

/** held keeps the camera near enough, far enough, and above the world. */
export function held(c: Camera, frame: Frame): Camera {
  const k = Math.min(closest, Math.max(least(frame), c.k));
  return { k, dx: side(c.dx, sheet.width * k, frame.width), dy: side(c.dy, sheet.height * k, frame.height) };
}

/** side keeps one side: a world smaller than the frame is in the middle, a larger one covers the frame. */
function side(d: number, size: number, room: number): number {
  if (size <= room) return (room - size) / 2;
  return Math.min(0, Math.max(room - size, d));
}

/** zoomed looks closer by a factor; what is at (x, y) stays there. */
export function zoomed(c: Camera, factor: number, at: { x: number; y: number }, frame: Frame): Camera {
  const k = Math.min(closest, Math.max(least(frame), c.k * factor));
  const f = k / c.k;
  return held({ k, dx: at.x - (at.x - c.dx) * f, dy: at.y - (at.y - c.dy) * f }, frame);
}

export function moved(c: Camera, by: { x: number; y: number }, frame: Frame): Camera {
  return held({ ...c, dx: c.dx + by.x, dy: c.dy + by.y }, frame);
}

/** centred looks at a place on the sheet with the scale k. */
export function centred([x, y]: readonly [number, number], k: number, frame: Frame): Camera {
  const limited = Math.min(closest, Math.max(least(frame), k));
  return held({ k: limited, dx: frame.width / 2 - x * limited, dy: frame.height / 2 - y * limited }, frame);
}

/** fitted shows all places with some room around them, and not closer than a country. None: the whole world. */
export function fitted(places: readonly (readonly [number, number])[], frame: Frame): Camera {
  if (places.length === 0) return held({ k: 0, dx: 0, dy: 0 }, frame);
  const [left, top] = [0, 1].map((i) => places.reduce((m, p) => Math.min(m, p[i] as number), Number.POSITIVE_INFINITY));
  const [right, bottom] = [0, 1].map((i) =>
    places.reduce((m, p) => Math.max(m, p[i] as number), Number.NEGATIVE_INFINITY),
  );
  const box = {
    x: left as number,
    y: top as number,
    w: (right as number) - (left as number),
    h: (bottom as number) - (top as number),
  };
  const room = 96;
  const k = Math.min(
    Math.max(1, frame.width - room) / Math.max(box.w, 1),
    Math.max(1, frame.height - room) / Math.max(box.h, 1),
    24,
  );
  return centred([box.x + box.w / 2, box.y + box.h / 2], k, frame);
}
