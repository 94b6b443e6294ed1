/** The labels that hold a position. */
export const latLabel = 'farshore.io/lat';
export const lonLabel = 'farshore.io/lon';

const degrees = /^-?\d+(\.\d+)?$/;

/** wrongDegrees says what is wrong with latitude or longitude as typed. Empty is right: there is none. */
export function wrongDegrees(text: string, of: 'lat' | 'lon'): string | undefined {
  const typed = text.trim();
  if (typed === '') return undefined;
  const most = of === 'lat' ? 90 : 180;
  if (!degrees.test(typed) || typed.length > 24 || Math.abs(Number(typed)) > most) {
    return of === 'lat'
      ? 'Give degrees from -90 (south) to 90 (north), such as 59.9139.'
      : 'Give degrees from -180 (west) to 180 (east), such as 10.7522.';
  }
  return undefined;
}

const number = String.raw`(-?\d+(?:[.]\d+)?)\s*°?\s*([NSEWO]?)`;
const pair = new RegExp(String.raw`^\s*(?:geo:)?${number}\s*[,;\s]\s*${number}\s*$`, 'i');

/** pastedPosition reads both degrees out of what maps give: "59.91, 10.75", "geo:59.91,10.75", "59.91° N 10.75° E". */
export function pastedPosition(text: string): { lat: string; lon: string } | undefined {
  const found = pair.exec(text.slice(0, 200));
  if (!found) return undefined;
  const [, first = '', firstWord = '', second = '', secondWord = ''] = found;
  const eastFirst = /[EWO]/i.test(firstWord) || /[NS]/i.test(secondWord);
  const a = signed(first, firstWord);
  const b = signed(second, secondWord);
  const position = eastFirst ? { lat: b, lon: a } : { lat: a, lon: b };
  return wrongDegrees(position.lat, 'lat') || wrongDegrees(position.lon, 'lon') ? undefined : position;
}

function signed(n: string, word: string): string {
  return /[SW]/i.test(word) && !n.startsWith('-') ? `-${n}` : n;
}
