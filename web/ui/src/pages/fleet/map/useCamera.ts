import { type KeyboardEvent, type PointerEvent, type RefObject, useEffect, useRef, useState } from 'react';
import { type Camera, type Frame, fitted, held, moved, zoomed } from './camera';

const step = 1.6;
const stride = 80;
// A pointer that moves less has clicked.
const slip = 4;

/** useCamera moves the camera by pointer, wheel, fingers and keys. start is what is shown first, and by the key 0. */
export function useCamera(
  box: RefObject<HTMLElement | null>,
  frame: Frame,
  start: readonly (readonly [number, number])[],
) {
  const [camera, setCamera] = useState<Camera>();
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const travelled = useRef(0);
  const now = camera ? held(camera, frame) : fitted(start, frame);
  const latest = useRef({ now, frame });
  latest.current = { now, frame };

  const zoom = (factor: number, at = { x: frame.width / 2, y: frame.height / 2 }) =>
    setCamera(zoomed(latest.current.now, factor, at, latest.current.frame));

  useEffect(() => {
    const el = box.current;
    if (!el) return;
    // React's own listener could not keep the page from scrolling.
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      const { left, top } = el.getBoundingClientRect();
      const { now, frame } = latest.current;
      const lines = e.deltaMode === 0 ? e.deltaY / 100 : e.deltaY / 3;
      const factor = step ** -Math.max(-1.5, Math.min(1.5, lines * (e.ctrlKey ? 3 : 1)));
      setCamera(zoomed(now, factor, { x: e.clientX - left, y: e.clientY - top }, frame));
    };
    el.addEventListener('wheel', wheel, { passive: false });
    return () => el.removeEventListener('wheel', wheel);
  }, [box]);

  const onPointerDown = (e: PointerEvent) => {
    if (e.button !== 0) return;
    if (pointers.current.size === 0) travelled.current = 0;
    pointers.current.set(e.pointerId, { x: e.clientX, y: e.clientY });
  };
  const onPointerMove = (e: PointerEvent) => {
    const was = pointers.current.get(e.pointerId);
    if (!was) return;
    const is = { x: e.clientX, y: e.clientY };
    const by = { x: is.x - was.x, y: is.y - was.y };
    travelled.current += Math.abs(by.x) + Math.abs(by.y);
    if (travelled.current < slip) return;
    // Only now: a click on a mark is to stay the mark's.
    e.currentTarget.setPointerCapture(e.pointerId);
    const other = [...pointers.current].find(([id]) => id !== e.pointerId)?.[1];
    pointers.current.set(e.pointerId, is);
    const { now, frame } = latest.current;
    if (!other) return setCamera(moved(now, by, frame));
    const { left, top } = e.currentTarget.getBoundingClientRect();
    const apart = (p: { x: number; y: number }) => Math.max(1, Math.hypot(p.x - other.x, p.y - other.y));
    const middle = { x: (is.x + other.x) / 2 - left, y: (is.y + other.y) / 2 - top };
    setCamera(moved(zoomed(now, apart(is) / apart(was), middle, frame), { x: by.x / 2, y: by.y / 2 }, frame));
  };
  const onPointerUp = (e: PointerEvent) => {
    pointers.current.delete(e.pointerId);
  };

  const onKeyDown = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const by = {
      ArrowLeft: { x: stride, y: 0 },
      ArrowRight: { x: -stride, y: 0 },
      ArrowUp: { x: 0, y: stride },
      ArrowDown: { x: 0, y: -stride },
    }[e.key];
    if (by) setCamera(moved(now, by, frame));
    else if (e.key === '+' || e.key === '=') zoom(step);
    else if (e.key === '-') zoom(1 / step);
    else if (e.key === '0') setCamera(undefined);
    else return;
    e.preventDefault();
  };

  return {
    camera: now,
    set: setCamera,
    zoomIn: () => zoom(step),
    zoomOut: () => zoom(1 / step),
    all: () => setCamera(undefined),
    /** dragged reports whether the last press moved the map. */
    dragged: () => travelled.current >= slip,
    handlers: { onPointerDown, onPointerMove, onPointerUp, onPointerCancel: onPointerUp, onKeyDown },
  };
}
