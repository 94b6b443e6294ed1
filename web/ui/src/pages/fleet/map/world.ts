import { geoGraticule10, geoNaturalEarth1, geoPath } from 'd3-geo';
import { feature } from 'topojson-client';
import type { Topology } from 'topojson-specification';
import topology from 'world-atlas/land-110m.json';

// The world is drawn once, on a sheet of this size; looking closer moves and scales the sheet.

/** The size of the sheet. */
export const sheet = { width: 960, height: 499 } as const;

const projection = geoNaturalEarth1().fitSize([sheet.width, sheet.height], { type: 'Sphere' });

/** project gives the place on the sheet of a position in degrees. */
export function project(lon: number, lat: number): [number, number] {
  return projection([lon, lat]) ?? [0, 0];
}

/** The outlines, as data of SVG paths. */
export function outlines(): { sea: string; land: string; grid: string } {
  const path = geoPath(projection).digits(2);
  const world = topology as unknown as Topology;
  const land = world.objects.land;
  return {
    sea: path({ type: 'Sphere' }) ?? '',
    land: (land && path(feature(world, land))) ?? '',
    grid: path(geoGraticule10()) ?? '',
  };
}
