import type { Schemas } from '../../api/client';
import { bytes } from '../../kit/bytes';
import { amountOf, amountText, wrongAmount } from '../../kit/data/amount';
import { contactText, contactWords, longText, windowsOf } from '../../kit/data/contact';
import { secondsOf } from '../../kit/frequency';
import type { Fields } from '../../kit/merge';
import { settingFields, settingNames, settingsText, wrongSetting } from '../../kit/settings';
import { span } from '../../kit/time';

type Link = Schemas['Link'];
type Tariff = Schemas['Tariff'];
/** What of a profile is written by people. */
type Written = Schemas['PutProfile'];

/** What the fields of a link are called, in the order in which they are shown. */
export const linkNames = {
  soft: 'Soft cap',
  hard: 'Hard cap',
  reserve: 'Reserve',
  cycle_day: 'Cycle begins on day',
  zone: 'Time zone of days',
  floor: 'Ping near the hard cap',
  daily_ping: 'At the hard cap',
  windows: 'Contact windows',
  after: 'After the last pass',
  images: 'Images',
  connection: 'Connection',
  price: 'Price of a megabyte',
  currency: 'Currency',
  included: 'Included in the price',
} as const;

export type LinkField = keyof typeof linkNames;

export const linkFields = Object.keys(linkNames) as LinkField[];

/** What the fields of a profile are called. */
export const profileNames: Fields = { ...settingNames, ...linkNames };

/** Words that the API has, with what they mean. */
export const choices = {
  images: {
    '': 'by the agent where there is a budget or a time of contact',
    engine: 'by the engine: neither metered nor resumed',
    agent: 'by the agent: within budget and windows',
  },
  connection: {
    '': 'whichever costs less',
    auto: 'whichever costs less',
    kept: 'kept between contacts',
    brief: 'made for each contact',
  },
  after: {
    '': 'five minutes a day',
    daily: 'five minutes a day',
    silent: 'silent, until somebody at the device opens contact',
    open: 'at any time',
  },
} as const;

/** profileFields gives a profile as it is typed. */
export function profileFields(p: Written | undefined): Fields {
  const { budget: b, contact, images, connection } = p?.link ?? {};
  return {
    ...settingsText(p?.settings),
    soft: amountText(b?.soft),
    hard: amountText(b?.hard),
    reserve: amountText(b?.reserve),
    cycle_day: b?.cycle_day ? String(b.cycle_day) : '',
    zone: b?.zone ?? '',
    floor: b?.floor ? longText(b.floor) : '',
    daily_ping: b?.daily_ping ? 'yes' : '',
    windows: contactText(contact?.windows),
    after: contact?.after ?? '',
    images: images ?? '',
    connection: connection ?? '',
    price: p?.tariff?.price_per_mb ?? '',
    currency: p?.tariff?.currency ?? '',
    included: amountText(p?.tariff?.included),
  };
}

/** wrongField says what is wrong with what was typed into a field of a profile. */
export function wrongField(field: string, fields: Fields): string | undefined {
  const text = (fields[field] ?? '').trim();
  const amount = (f: string) => amountOf(fields[f] ?? '') ?? 0;
  const [soft, hard] = [amount('soft'), amount('hard')];
  switch (field as LinkField) {
    case 'soft':
      return wrongAmount(text) ?? (hard && soft >= hard ? 'The soft cap is below the hard cap.' : undefined);
    case 'reserve':
      return (
        wrongAmount(text) ??
        (text && !hard
          ? 'A reserve is the last of the hard cap: give one.'
          : hard && amount('reserve') >= hard
            ? 'The reserve is a part of the hard cap.'
            : undefined)
      );
    case 'hard':
    case 'included':
      return wrongAmount(text);
    case 'cycle_day':
      return text === '' || (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 31)
        ? undefined
        : 'Give 1 to 31.';
    case 'floor':
      return text === '' || (secondsOf(text) ?? 0) >= 60
        ? undefined
        : 'Give a duration of a minute or more, such as 6h.';
    case 'windows':
      return windowsOf(text) ? undefined : 'A contact window is not whole.';
    case 'price':
      return text === '' || /^\d{1,7}(\.\d{1,6})?$/.test(text) ? undefined : 'Give a number such as 4.20.';
    case 'currency':
      return text === ''
        ? fields.price?.trim()
          ? 'In which currency?'
          : undefined
        : /^[A-Z]{3}$/.test(text)
          ? undefined
          : 'Give its three letters, such as EUR.';
  }
  return settingFields.some((f) => f === field)
    ? wrongSetting(field as (typeof settingFields)[number], text)
    : undefined;
}

/** anyWrong reports whether something typed cannot be sent. */
export const anyWrong = (fields: Fields): boolean =>
  [...settingFields, ...linkFields].some((f) => wrongField(f, fields) !== undefined);

/** linkOf reads the rules of the link that were typed; undefined: there are none. */
export function linkOf(fields: Fields): Link | undefined {
  const get = (f: LinkField) => (fields[f] ?? '').trim();
  const amount = (f: LinkField) => amountOf(get(f));
  const windows = windowsOf(get('windows')) ?? [];
  const [soft, hard, reserve] = [amount('soft'), amount('hard'), amount('reserve')];
  const floor = secondsOf(get('floor'));
  const link: Link = {
    ...((soft || hard) && {
      budget: {
        cycle_day: Number(get('cycle_day')) || 1,
        ...(get('zone') && { zone: get('zone') }),
        ...(soft && { soft }),
        ...(hard && { hard }),
        ...(reserve && { reserve }),
        ...(floor && { floor }),
        ...(get('daily_ping') && { daily_ping: true }),
      },
    }),
    ...((windows.length > 0 || get('after')) && {
      contact: { ...(windows.length > 0 && { windows }), ...(get('after') && { after: get('after') }) },
    }),
    ...(get('images') && { images: get('images') }),
    ...(get('connection') && { connection: get('connection') }),
  };
  return Object.keys(link).length > 0 ? link : undefined;
}

/** tariffOf reads the tariff that was typed; undefined: there is none. */
export function tariffOf(fields: Fields): Tariff | undefined {
  const [price, currency] = [(fields.price ?? '').trim(), (fields.currency ?? '').trim()];
  const included = amountOf(fields.included ?? '');
  if (!price && !currency && !included) return undefined;
  return { ...(price && { price_per_mb: price }), ...(currency && { currency }), ...(included && { included }) };
}

/** linkWords says what a profile says of the link, with what each part is called. */
export function linkWords(p: Pick<Written, 'link' | 'tariff'>): [string, string][] {
  const { budget: b, contact, images, connection } = p.link ?? {};
  const windows = contact?.windows ?? [];
  const pick = <K extends keyof typeof choices>(k: K, v: string | undefined) =>
    v ? ((choices[k] as Record<string, string>)[v] ?? v) : '';
  const t = p.tariff;
  const said: [string, string | false | undefined][] = [
    [
      'Budget',
      b &&
        [
          b.soft && `saves from ${bytes(b.soft)} on`,
          b.hard && `never more than ${bytes(b.hard)}`,
          b.reserve && `the last ${bytes(b.reserve)} for urgent work`,
        ]
          .filter(Boolean)
          .join(', '),
    ],
    ['Billing cycle', b && `from day ${b.cycle_day ?? 1} of each month, ${b.zone || 'UTC'}`],
    [
      'At the hard cap',
      b?.hard ? (b.daily_ping ? 'one ping a day' : 'silence until the cycle ends or somebody lifts it') : '',
    ],
    ['Ping near it', b?.floor ? `each ${span(b.floor)}` : ''],
    ['Contact', windows.length > 0 && windows.map(contactWords).join('; ')],
    ['After the last pass', pick('after', contact?.after)],
    ['Images', pick('images', images)],
    ['Connection', pick('connection', connection)],
    [
      'Tariff',
      t?.price_per_mb &&
        `${t.price_per_mb} ${t.currency ?? ''} a megabyte${t.included ? `, ${bytes(t.included)} included` : ''}`,
    ],
  ];
  return said.filter((s): s is [string, string] => !!s[1]);
}
