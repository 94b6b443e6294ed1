import Supercluster from 'supercluster';
import type { Schemas } from '../../../api/client';
import { livenessStates } from '../../../kit/states';
import { project, sheet } from './world';

export type Placed = Schemas['DevicePosition'];

interface Point {
  device: Placed;
}

/** Cluster counts by state what is near each other. */
interface Tally {
  states: Record<string, number>;
}

/** Mark is what the map shows at one place: a device, or several. */
export interface Mark {
  /** The same from one look to the next as long as it is of the same devices. */
  key: string;
  /** On the sheet. */
  x: number;
  y: number;
  count: number;
  /** The worst state of all in it. */
  state: string;
  /** How many are in which state: "2 overdue, 10 on time" is made of it. */
  states: Record<string, number>;
  /** Where it is one device. */
  device?: Placed;
  /** Where it is several: ask Clusters with it. */
  cluster?: number;
}

// Below this many px two marks would lie on each other.
const radius = 46;
const tile = 512;
const deepest = 9;

/** worst is the state that needs a person most. */
export function worst(states: Record<string, number>): string {
  return livenessStates.find((s) => (states[s] ?? 0) > 0) ?? Object.keys(states)[0] ?? 'never-seen';
}

/** Clusters gathers devices that are near each other, on every scale. */
export class Clusters {
  private readonly index = new Supercluster<Point, Tally>({
    radius,
    extent: tile,
    maxZoom: deepest,
    map: (p) => ({ states: { [p.device.state]: 1 } }),
    reduce: (sum, more) => {
      // The index may give the same object again: it is replaced, not changed.
      const states = { ...sum.states };
      for (const [s, n] of Object.entries(more.states)) states[s] = (states[s] ?? 0) + n;
      sum.states = states;
    },
  });
  private readonly byZoom = new Map<number, Mark[]>();

  constructor(devices: readonly Placed[]) {
    this.index.load(
      devices.map((device) => ({
        type: 'Feature',
        geometry: { type: 'Point', coordinates: toIndex(project(device.lon, device.lat)) },
        properties: { device },
      })),
    );
  }

  /** marks gives all marks of the world as it is seen with a scale of k. */
  marks(k: number): Mark[] {
    const zoom = zoomOf(k);
    let marks = this.byZoom.get(zoom);
    if (!marks) {
      marks = this.index.getClusters([-180, -90, 180, 90], zoom).map((f) => {
        const [x, y] = fromIndex(f.geometry.coordinates);
        if ('device' in f.properties) {
          const { device } = f.properties;
          return { key: device.id, x, y, count: 1, state: device.state, states: { [device.state]: 1 }, device };
        }
        const { cluster_id, point_count, states } = f.properties;
        return { key: `c${cluster_id}`, x, y, count: point_count, state: worst(states), states, cluster: cluster_id };
      });
      this.byZoom.set(zoom, marks);
    }
    return marks;
  }

  /** scaleOf is the scale at which a cluster falls apart; undefined: its devices are at one place. */
  scaleOf(cluster: number): number | undefined {
    const zoom = this.index.getClusterExpansionZoom(cluster);
    return zoom > deepest ? undefined : scaleOf(zoom);
  }

  /** devices gives the first devices of a mark. */
  devices(mark: Mark, most: number): Placed[] {
    if (mark.cluster === undefined) return mark.device ? [mark.device] : [];
    return this.index.getLeaves(mark.cluster, most).map((f) => f.properties.device);
  }
}

/** zoomOf is the step of the index whose world is as wide as the sheet is seen. */
function zoomOf(k: number): number {
  return Math.min(deepest + 1, Math.max(0, Math.floor(Math.log2((k * sheet.width) / tile) + 0.01)));
}

// The index takes degrees and measures on a square Mercator map. It is given those degrees whose place there is the
// place on the sheet, so that it measures what is seen.

const top = (sheet.width - sheet.height) / 2;

function toIndex([x, y]: readonly [number, number]): [number, number] {
  const turn = Math.PI - ((y + top) / sheet.width) * 2 * Math.PI;
  return [(x / sheet.width) * 360 - 180, (Math.atan(Math.exp(turn)) * 360) / Math.PI - 90];
}

function fromIndex([lon = 0, lat = 0]: readonly number[]): [number, number] {
  const turn = Math.log(Math.tan(((lat + 90) * Math.PI) / 360));
  return [((lon + 180) / 360) * sheet.width, ((Math.PI - turn) / (2 * Math.PI)) * sheet.width - top];
}

function scaleOf(zoom: number): number {
  return (tile * 2 ** zoom) / sheet.width;
}
