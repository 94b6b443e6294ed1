import { describe, expect, it } from 'vitest';
import { lineOf, lineRange } from './mark';
import { placeOf } from './usePreview';
import { checkYaml } from './yaml';

// As much of a schema as the Compose schema's forms need: references, patterns of names, alternatives.
const schema = {
  type: 'object',
  properties: {
    services: {
      type: 'object',
      patternProperties: { '^[a-z0-9._-]+$': { $ref: '#/definitions/service' } },
      additionalProperties: false,
    },
  },
  patternProperties: { '^x-': {} },
  additionalProperties: false,
  definitions: {
    service: {
      type: 'object',
      properties: {
        image: { type: 'string' },
        ports: {
          type: 'array',
          items: { oneOf: [{ type: 'number' }, { type: 'string' }, { $ref: '#/definitions/port' }] },
        },
        replicas: { type: 'integer' },
        restart: { type: 'string', enum: ['no', 'always'] },
        command: { oneOf: [{ type: 'null' }, { type: 'string' }, { type: 'array', items: { type: 'string' } }] },
      },
      additionalProperties: false,
    },
    port: {
      type: 'object',
      required: ['target'],
      properties: { target: { type: 'integer', maximum: 65535 }, mode: { type: 'string' } },
      additionalProperties: false,
    },
  },
};

const check = (text: string) => checkYaml(text, { schema }).map((m) => `${lineOf(text, m.from)}: ${m.message}`);
const web = (rest: string) => `services:\n  web:\n${rest}`;

describe('checkYaml', () => {
  it.each([
    ['a tab', 'services:\n\tweb: {}\n', /^2: .*tabs/],
    ['two of one name', web('    image: a\n  web:\n    image: b\n'), /^4: “web” is here twice/],
    ['Windows line ends', 'services:\r\n  web:\r\n    imag: x\r\n', /^3: .*Is “image” meant/],
    ['pasted rubbish', '<html><p>hello</p></html>', /^1: .*A Compose file begins with services:/],
    ['nothing', ' \n', /^1: The file is empty/],
    ['an open bracket', web('    command: [a\n'), /not closed/],
    ['an unknown anchor', 'services:\n  web: *lost\n', /^2: There is no anchor &lost/],
    ['aliases that explode', bomb(), /expand to too much/],
    ['a wrong kind', web('    ports: 80\n'), /^3: services.web.ports has to be a list \(- item\), and is a number/],
    ['a number for text', web('    image: 1\n'), /^3: .*Put it into quotes/],
    ['no value', 'services:\n  web:\n', /^2: services.web has no value/],
    ['no such word', web('    restart: sometimes\n'), /^3: services.web.restart has to be no or always/],
    ['a bad name', 'services:\n  my web: {}\n', /^2: “my web” cannot be a name/],
    ['the likeliest alternative', web('    ports:\n      - mode: host\n'), /^4: services.web.ports.0 lacks “target”/],
    ['no alternative', web('    command: {a: 1}\n'), /^3: .*has to be text or a list/],
    ['a bound', web('    ports: [{target: 70000}]\n'), /^3: .*at most 65535/],
    ['the top', 'service: {}\n', /^1: There is no key “service” at the top of a Compose file. Is “services” meant/],
  ])('tells of %s', (_, text, want) => {
    expect(check(text).join('\n')).toMatch(want);
  });

  it('is not stricter than the hub', () => {
    expect(check(web('    image: a\n    replicas: "$N"\n'))).toEqual([]);
    expect(check(web('    image: a\n    replicas: "2"\n'))).toEqual([]);
    expect(check(web('    image: a\n    restart: no\n    ports: !reset null\n'))).toEqual([]);
    expect(check('x-base: &base {image: a}\nservices:\n  web:\n    <<: *base\n')).toEqual([]);
    expect(check('\ufeffservices:\n  web: {image: a}\n---\nservices:\n  web: {restart: always}\n')).toEqual([]);
  });

  it('only warns of other YAML, which an application may fill in', () => {
    expect(checkYaml('a: {{ value }}\nb: [\n', {}).every((m) => m.severity === 'warning')).toBe(true);
    expect(checkYaml('anything: [1]\n', {})).toEqual([]);
  });
});

function bomb(): string {
  let text = 'x-a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n';
  for (let i = 1; i < 9; i++)
    text += `x-a${i}: &a${i} [${Array(9)
      .fill(`*a${i - 1}`)
      .join(', ')}]\n`;
  return text;
}

describe('places', () => {
  it('finds the line of an offset and back', () => {
    const text = 'a\n  b\n\nc';
    expect([0, 1, 2, 5, 6, 7].map((o) => lineOf(text, o))).toEqual([1, 1, 2, 2, 3, 4]);
    expect(lineRange(text, 2)).toEqual({ from: 4, to: 5 });
    expect(lineRange(text, 99)).toEqual({ from: 7, to: 8 });
  });

  it('reads where the hub found something', () => {
    const said = 'stack cannot be accepted: conf/a.yml, line 12: unknown key';
    expect(placeOf(said, ['compose.yml', 'conf/a.yml'])).toEqual({ path: 'conf/a.yml', line: 12 });
    expect(placeOf('no line here', ['compose.yml'])).toBeUndefined();
  });
});
