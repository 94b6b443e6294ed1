/** Field is one thing that is wrong with what was sent. */
export interface Field {
  /** Where, such as body.name or query.selector. */
  location: string;
  message: string;
}

/** Problem is why the hub did not do what was asked (RFC 9457). Its message is a sentence for people. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    /** HTTP status; 0: no answer at all. */
    readonly status: number,
    readonly title: string,
    message: string,
    /** A stable word, such as changed. '': none. */
    readonly code: string,
    readonly fields: readonly Field[],
  ) {
    super(message);
  }

  /** What is wrong with one field of the body. */
  field(name: string): string | undefined {
    return this.fields.find((f) => f.location === `body.${name}` || f.location.startsWith(`body.${name}.`))?.message;
  }
}

/** What a code means in a few words; the hub's sentence follows. */
const titles: Record<string, string> = {
  'not-signed-in': 'Not signed in',
  'not-allowed': 'Not allowed',
  'second-factor': 'A code is needed',
  'second-factor-needed': 'A second factor is needed',
  'not-found': 'Not found',
  exists: 'That exists already',
  changed: 'Somebody else changed it',
  'rollout-under-way': 'A rollout is under way',
  'in-use': 'It is in use',
  invalid: 'That cannot be accepted',
  ambiguous: 'More than one fits',
  'too-large': 'Too large',
  'disk-full': 'The hub’s disk is full',
  busy: 'The hub is busy',
  stopping: 'The hub is stopping',
  'too-many-attempts': 'Too many attempts',
};

/** problemOf reads the body of an answer that was not a success. What the body lacks is made up from the status. */
export function problemOf(status: number, body: unknown): Problem {
  const b = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (v: unknown, otherwise: string) => (typeof v === 'string' && v !== '' ? v : otherwise);
  const fields = Array.isArray(b.errors)
    ? b.errors.flatMap((e: Record<string, unknown>) =>
        typeof e?.message === 'string' ? [{ location: text(e.location, ''), message: e.message }] : [],
      )
    : [];
  const title = titles[text(b.code, '')] ?? text(b.title, status ? `The hub answered ${status}` : 'No answer');
  const detail = text(b.detail, fields[0]?.message ?? `${title}. Try again; the hub’s log says more.`);
  return new Problem(status, title, detail, text(b.code, ''), fields);
}

/** asProblem makes of anything that was thrown something that can be shown. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem(-1, 'The console failed', thrown instanceof Error ? thrown.message : String(thrown), '', []);
}
